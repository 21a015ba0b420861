package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox"
)

const (
	// usersPerRound and eventsPerUser bound what one round of sending holds in memory, and how long it takes.
	usersPerRound = 100
	eventsPerUser = 50
	// roundTimeout is how long a round may take to send, and then again to note that.
	roundTimeout = time.Minute
)

// deliverer sends a batch, and says what became of each user's events.
type deliverer = func(ctx context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery

// DeliverPending implements [signalbox.Outbox]. On PostgreSQL a round holds the rows of its users in outbox_users from
// before it reads their events until it has noted what was sent, and passes over users whose rows another process holds.
// On SQLite one process sends for all, as long as it has the store open.
func (s *Store) DeliverPending(ctx context.Context, deliver deliverer) (signalbox.OutboxRound, error) {
	round, err := s.deliverPending(ctx, deliver)
	if err != nil {
		return round, fmt.Errorf("sending what the outbox holds: %w", err)
	}
	return round, nil
}

func (s *Store) deliverPending(ctx context.Context, deliver deliverer) (round signalbox.OutboxRound, err error) {
	release, ok, err := s.publishing.acquire(ctx)
	if err != nil || !ok {
		return signalbox.OutboxRound{}, err
	}
	defer release()
	at := now()
	due, err := collect(ctx, s.read, scanText, `
		SELECT u.user_id FROM outbox_users u JOIN outbox o ON o.user_id = u.user_id
		WHERE u.due_at <= $1 GROUP BY u.user_id ORDER BY MIN(o.created_at), u.user_id LIMIT $2`, at.UnixMicro(), usersPerRound)
	if err != nil {
		return round, err
	}
	if len(due) == 0 {
		var next int64
		err := s.read.QueryRowContext(ctx, `
			SELECT COALESCE(MIN(u.due_at), 0) FROM outbox_users u JOIN outbox o ON o.user_id = u.user_id`).Scan(&next)
		if next > 0 {
			round.Next = fromMicros(next)
		}
		return round, err
	}

	// What was sent is noted though ctx ends meanwhile, lest it be sent again.
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*roundTimeout)
	defer cancel()
	sending, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	var results []signalbox.Delivery
	if s.dialect == postgres {
		err = s.tryTx(noting, func(tx *tx) error {
			batch, err := readPending(noting, tx, due, at, ` FOR UPDATE SKIP LOCKED`)
			if err != nil || len(batch) == 0 {
				round.Busy = err == nil
				return err
			}
			results = deliver(sending, events(batch))
			return note(noting, tx, batch, results, &round)
		})
		return round, err
	}
	// No transaction is open while this sends: all writes of the process would wait for it.
	batch, err := readPending(ctx, s.read, due, at, ``)
	if err != nil || len(batch) == 0 {
		return round, err
	}
	results = deliver(sending, events(batch))
	err = s.inTx(noting, func(tx *tx) error {
		round = signalbox.OutboxRound{}
		return note(noting, tx, batch, results, &round)
	})
	return round, err
}

// pending are the events of one user in a round.
type pending struct {
	signalbox.PendingEvents
	// broken is why the event after Events cannot be read, or nil.
	broken   error
	brokenAt int64
}

func events(batch []pending) []signalbox.PendingEvents {
	list := make([]signalbox.PendingEvents, len(batch))
	for i, p := range batch {
		list[i] = p.PendingEvents
	}
	return list
}

// readPending reads the events of those of the users who are still due, by user id; lock ends the query that finds them.
func readPending(ctx context.Context, q querier, users []string, at time.Time, lock string) ([]pending, error) {
	args := []any{at.UnixMicro()}
	for _, user := range users {
		args = append(args, user)
	}
	byUser := make(map[string]*pending, len(users))
	found, err := collect(ctx, q, func(sc scanner) (*pending, error) {
		p := new(pending)
		return p, sc.Scan(&p.UserID, &p.Attempts)
	}, `SELECT user_id, attempts FROM outbox_users
		WHERE due_at <= $1 AND user_id IN (`+placeholders(2, len(users))+`)`+lock, args...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	args = args[:0]
	for _, p := range found {
		byUser[p.UserID] = p
		args = append(args, p.UserID)
	}
	type row struct {
		user, text string
		position   int64
		createdAt  int64
	}
	rows, err := collect(ctx, q, func(sc scanner) (r row, err error) {
		err = sc.Scan(&r.user, &r.position, &r.text, &r.createdAt)
		return r, err
	}, `SELECT user_id, position, event, created_at FROM (
			SELECT user_id, position, event, created_at, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY position) AS place
			FROM outbox WHERE user_id IN (`+placeholders(1, len(args))+`)
		) numbered WHERE place <= `+strconv.Itoa(eventsPerUser)+` ORDER BY user_id, position`, args...)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		p := byUser[r.user]
		if p.broken != nil {
			continue
		}
		e := signalbox.Event{}
		if p.broken = json.Unmarshal([]byte(r.text), &e); p.broken != nil {
			p.brokenAt = r.position
			continue
		}
		e.UserID, e.Position, e.CreatedAt = r.user, r.position, fromMicros(r.createdAt)
		p.Events = append(p.Events, e)
	}
	var batch []pending
	for _, p := range found {
		if len(p.Events) > 0 || p.broken != nil { // Another process may have sent them.
			batch = append(batch, *p)
		}
	}
	// Inboxes are locked in this order.
	slices.SortFunc(batch, func(a, b pending) int { return strings.Compare(a.UserID, b.UserID) })
	return batch, nil
}

// note writes down what has become of a batch.
func note(ctx context.Context, tx *tx, batch []pending, results []signalbox.Delivery, round *signalbox.OutboxRound) error {
	at := now()
	for i, p := range batch {
		result := results[i]
		if slices.ContainsFunc(p.Events[:result.Sent], func(e signalbox.Event) bool { return e.Notification != nil }) {
			// A user who has been removed meanwhile has none.
			if err := lockInbox(ctx, tx, p.UserID); err != nil && !errors.Is(err, signalbox.ErrNotFound) {
				return err
			}
		}
		for _, e := range p.Events[:result.Sent] {
			if _, err := tx.ExecContext(ctx, deleteEvent, e.UserID, e.Position); err != nil {
				return err
			}
			if e.SignedOut { // Of a user who was removed that was the last.
				if _, err := tx.ExecContext(ctx, `
					DELETE FROM outbox_users WHERE user_id = $1 AND NOT EXISTS (SELECT 1 FROM users WHERE id = $1)`, e.UserID); err != nil {
					return err
				}
			}
			if e.Notification == nil {
				continue
			}
			if _, err := tx.ExecContext(ctx, updateSent, at.UnixMicro(), e.Notification.ID); err != nil {
				return err
			}
		}
		round.Sent += result.Sent
		rest := p.Events[result.Sent:]
		attempts, dueAt := 0, at
		var err error
		switch {
		case result.Err != nil && result.GiveUp && len(rest) > 0:
			round.Dead++
			err = bury(ctx, tx, p.UserID, rest[0].Position, p.failures(result), result.Err.Error(), at)
		case result.Err != nil:
			attempts, dueAt = p.failures(result), result.RetryAt
		case p.broken != nil && len(rest) == 0:
			round.Dead++
			err = bury(ctx, tx, p.UserID, p.brokenAt, 0, "it cannot be read: "+p.broken.Error(), at)
		}
		if err != nil {
			return err
		}
		if attempts == 0 && p.Attempts == 0 {
			continue // As it was.
		}
		_, err = tx.ExecContext(ctx, `UPDATE outbox_users SET attempts = $1, due_at = $2 WHERE user_id = $3`,
			attempts, dueAt.UnixMicro(), p.UserID)
		if err != nil {
			return err
		}
	}
	return nil
}

// failures is how often the event that is now the first has failed.
func (p pending) failures(result signalbox.Delivery) int {
	if result.Sent > 0 {
		return 1
	}
	return p.Attempts + 1
}

// RetryOutbox implements [signalbox.Outbox].
func (s *Store) RetryOutbox(ctx context.Context) error {
	err := s.inTx(ctx, func(tx *tx) error {
		// Rows are locked in one order: all processes do this at once when what they have in common is back.
		_, err := tx.ExecContext(ctx, `UPDATE outbox_users SET due_at = 0 WHERE user_id IN (
			SELECT user_id FROM outbox_users WHERE due_at > $1 ORDER BY user_id`+s.dialect.forUpdate()+`)`, now().UnixMicro())
		return err
	})
	if err != nil {
		return fmt.Errorf("making the outbox due: %w", err)
	}
	s.signal()
	return nil
}

// OutboxState implements [signalbox.Outbox].
func (s *Store) OutboxState(ctx context.Context) (signalbox.OutboxState, error) {
	var state signalbox.OutboxState
	var oldest int64
	err := s.read.QueryRowContext(ctx, `
		SELECT COUNT(*), COALESCE(MIN(created_at), 0), (SELECT COUNT(*) FROM dead_letters) FROM outbox`).
		Scan(&state.Depth, &oldest, &state.DeadLetters)
	if err != nil {
		return signalbox.OutboxState{}, fmt.Errorf("reading the state of the outbox: %w", err)
	}
	if state.Depth > 0 {
		state.Oldest = fromMicros(oldest)
	}
	return state, nil
}

// placeholders are n parameters of a query, from the number first.
func placeholders(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
	return b.String()
}

func scanText(sc scanner) (text string, err error) {
	err = sc.Scan(&text)
	return text, err
}
