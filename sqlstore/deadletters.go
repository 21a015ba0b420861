package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signalbox"
)

// bury makes an event of the outbox a dead letter.
func bury(ctx context.Context, tx *tx, userID string, position int64, attempts int, reason string, at time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO dead_letters (user_id, position, event, created_at, attempts, reason, died_at)
		SELECT user_id, position, event, created_at, $1, $2, $3 FROM outbox WHERE user_id = $4 AND position = $5`,
		attempts, strings.ToValidUTF8(strings.ReplaceAll(reason, "\x00", ""), "?"), at.UnixMicro(), userID, position)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM outbox WHERE user_id = $1 AND position = $2`, userID, position)
	return err
}

// DeadLetters implements [signalbox.Outbox].
func (s *Store) DeadLetters(ctx context.Context, limit int) ([]signalbox.DeadLetter, error) {
	letters, err := collect(ctx, s.read, func(sc scanner) (d signalbox.DeadLetter, err error) {
		var text string
		var createdAt, diedAt int64
		if err := sc.Scan(&d.UserID, &d.Position, &text, &createdAt, &d.Attempts, &d.Reason, &diedAt); err != nil {
			return d, err
		}
		// One that cannot be read is listed for that reason, as an event without content.
		_ = json.Unmarshal([]byte(text), &d.Event)
		d.ID = d.UserID + "/" + strconv.FormatInt(d.Position, 10)
		d.CreatedAt, d.DiedAt = fromMicros(createdAt), fromMicros(diedAt)
		return d, nil
	}, `SELECT user_id, position, event, created_at, attempts, reason, died_at FROM dead_letters
		ORDER BY created_at, user_id, position LIMIT $1`, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("reading the dead letters: %w", err)
	}
	return letters, nil
}

// ReplayDeadLetters implements [signalbox.Outbox]. An id that is not that of a dead letter is ErrNotFound, and then
// nothing is put back.
func (s *Store) ReplayDeadLetters(ctx context.Context, ids ...string) (n int, err error) {
	err = s.inTx(ctx, func(tx *tx) error {
		n = 0
		if len(ids) == 0 {
			n, err = putBack(ctx, tx, `1 = 1`)
			return err
		}
		for _, id := range ids {
			cut := strings.LastIndexByte(id, '/')
			position, err := strconv.ParseInt(id[cut+1:], 10, 64)
			if cut < 0 || err != nil {
				return fmt.Errorf("dead letter %q: %w", id, signalbox.ErrNotFound)
			}
			moved, err := putBack(ctx, tx, `user_id = $1 AND position = $2`, id[:cut], position)
			if err != nil {
				return err
			}
			if moved == 0 {
				return fmt.Errorf("dead letter %q: %w", id, signalbox.ErrNotFound)
			}
			n += moved
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("replaying dead letters: %w", err)
	}
	return n, nil
}

// ReviveDeadLetters puts the events that were given up since a time back into the outbox, such as when what they failed for
// is over. It returns how many there were. Several processes may do so at once.
func (s *Store) ReviveDeadLetters(ctx context.Context, since time.Time) (n int, err error) {
	err = s.inTx(ctx, func(tx *tx) error {
		n, err = putBack(ctx, tx, `died_at >= $1`, since.UnixMicro())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reviving dead letters: %w", err)
	}
	if n > 0 {
		s.signal()
	}
	return n, nil
}

// putBack moves the dead letters that where names into the outbox, where their positions make them the first, and
// begins to count their users' attempts anew.
func putBack(ctx context.Context, tx *tx, where string, args ...any) (int, error) {
	for _, statement := range []string{
		`UPDATE outbox_users SET attempts = 0, due_at = 0 WHERE user_id IN (SELECT user_id FROM dead_letters WHERE ` + where + `)`,
		`INSERT INTO outbox (user_id, position, event, created_at)
			SELECT user_id, position, event, created_at FROM dead_letters WHERE ` + where,
	} {
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			return 0, err
		}
	}
	result, err := tx.ExecContext(ctx, `DELETE FROM dead_letters WHERE `+where, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	tx.events = tx.events || n > 0
	return int(n), err
}
