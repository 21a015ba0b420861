package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"signalbox"
)

// Publish implements [signalbox.NotificationService]. The key, the hash and the answer are stored in the transaction
// that stores the notifications.
func (s *Store) Publish(ctx context.Context, p signalbox.Publication) (stored []signalbox.Published, replayed bool, err error) {
	if err := s.check(p); err != nil {
		return nil, false, err
	}
	key := p.Idempotency
	if key != nil {
		done, ok := s.inFlight.begin(*key)
		if !ok {
			return nil, false, signalbox.ErrInFlight
		}
		defer done()
	}
	err = s.inTx(ctx, func(tx *tx) error {
		stored, replayed = []signalbox.Published{}, false
		if key != nil {
			if err := s.claimKey(ctx, tx, *key); err != nil {
				return err
			}
			if stored, replayed, err = knownAnswer(ctx, tx, *key); err != nil || replayed {
				return err
			}
		}
		notifications, err := s.publish(ctx, tx, p)
		if err != nil {
			return err
		}
		for _, n := range notifications {
			stored = append(stored, signalbox.Published{ID: n.ID, UserID: n.UserID, Sequence: n.Sequence})
		}
		if key == nil {
			return nil
		}
		return rememberAnswer(ctx, tx, *key, stored)
	})
	if err != nil {
		return nil, false, fmt.Errorf("publishing: %w", err)
	}
	return stored, replayed, nil
}

// inFlight are the keys of the requests that this process is doing. The zero value is ready.
type inFlight struct {
	mu   sync.Mutex
	keys map[[2]string]bool
}

// begin takes a key until done is called, unless it is taken.
func (f *inFlight) begin(key signalbox.IdempotencyKey) (done func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := [2]string{key.Owner, key.Key}
	if f.keys[name] {
		return nil, false
	}
	if f.keys == nil {
		f.keys = make(map[[2]string]bool)
	}
	f.keys[name] = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.keys, name)
	}, true
}

// claimKey takes a key for the transaction. It fails with ErrInFlight when another process has it; on SQLite that one
// has ended by now.
func (s *Store) claimKey(ctx context.Context, tx *tx, key signalbox.IdempotencyKey) error {
	if s.dialect != postgres {
		return nil
	}
	var ok bool
	err := tx.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 1))`, key.Owner+"\n"+key.Key).Scan(&ok)
	if err == nil && !ok {
		return signalbox.ErrInFlight
	}
	return err
}

// knownAnswer returns what the request with that key was answered, if it was.
func knownAnswer(ctx context.Context, tx *tx, key signalbox.IdempotencyKey) (answer []signalbox.Published, known bool, err error) {
	var hash, text string
	err = tx.QueryRowContext(ctx, selectAnswer,
		key.Owner, key.Key, now().Add(-signalbox.IdempotencyWindow).UnixMicro()).Scan(&hash, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return []signalbox.Published{}, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if hash != key.RequestHash {
		return nil, false, signalbox.ErrIdempotencyMismatch
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, false, fmt.Errorf("reading a stored answer: %w", err)
	}
	return answer, true, nil
}

// rememberAnswer stores what a request was answered, in place of an answer that is too old to count.
func rememberAnswer(ctx context.Context, tx *tx, key signalbox.IdempotencyKey, answer []signalbox.Published) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, upsertAnswer,
		key.Owner, key.Key, key.RequestHash, string(text), now().UnixMicro())
	return err
}

// DeleteExpiredKeys removes the idempotency keys that count no more, and says how many.
func (s *Store) DeleteExpiredKeys(ctx context.Context) (int64, error) {
	result, err := s.write.ExecContext(ctx, `DELETE FROM idempotency_keys WHERE created_at <= $1`,
		now().Add(-signalbox.IdempotencyWindow).UnixMicro())
	if err != nil {
		return 0, fmt.Errorf("deleting expired idempotency keys: %w", err)
	}
	return result.RowsAffected()
}
