package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"signalbox"
)

// eventWriter adds events to the outbox in a transaction.
type eventWriter struct {
	tx     *tx
	insert *sql.Stmt
}

// newEventWriter prepares the statement, which ends with the transaction.
func newEventWriter(ctx context.Context, tx *tx) (eventWriter, error) {
	insert, err := tx.PrepareContext(ctx, `INSERT INTO outbox (user_id, position, event, created_at) VALUES ($1, $2, $3, $4)`)
	return eventWriter{tx, insert}, err
}

// add adds an event that has its position: the user's last_event, raised by one in this transaction.
func (w eventWriter) add(ctx context.Context, e signalbox.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	w.tx.events = true
	_, err = w.insert.ExecContext(ctx, e.UserID, e.Position, string(text), e.CreatedAt.UnixMicro())
	return err
}

// addEvent adds an event under the user's next position. A user who does not exist is ErrNotFound.
func addEvent(ctx context.Context, tx *tx, e signalbox.Event) error {
	w, err := newEventWriter(ctx, tx)
	if err != nil {
		return err
	}
	err = tx.QueryRowContext(ctx, `UPDATE inboxes SET last_event = last_event + 1 WHERE user_id = $1 RETURNING last_event`, e.UserID).
		Scan(&e.Position)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("user %q: %w", e.UserID, signalbox.ErrNotFound)
	}
	if err != nil {
		return err
	}
	e.CreatedAt = now()
	return w.add(ctx, e)
}

// signal tells the receiver of OutboxChanged, unless it has yet to look.
func (s *Store) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// OutboxChanged implements [signalbox.Outbox].
func (s *Store) OutboxChanged() <-chan struct{} { return s.changed }
