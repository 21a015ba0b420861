package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"signalbox"
)

// addNumberedEvent adds an event that has its position to the outbox: the user's last_event, raised by one in this
// transaction.
func addNumberedEvent(ctx context.Context, tx *tx, e signalbox.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	tx.events = true
	_, err = tx.ExecContext(ctx, insertEvent, e.UserID, e.Position, string(text), e.CreatedAt.UnixMicro())
	return err
}

// addEvent adds an event under the user's next position. A user who does not exist is ErrNotFound.
func addEvent(ctx context.Context, tx *tx, e signalbox.Event) error {
	err := tx.QueryRowContext(ctx, `UPDATE inboxes SET last_event = last_event + 1 WHERE user_id = $1 RETURNING last_event`, e.UserID).
		Scan(&e.Position)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("user %q: %w", e.UserID, signalbox.ErrNotFound)
	}
	if err != nil {
		return err
	}
	e.CreatedAt = now()
	return addNumberedEvent(ctx, tx, e)
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
