package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"signalbox"
)

// lockInbox locks a user's inbox, which every transaction does before it changes the user's notifications. A user who
// does not exist is ErrNotFound.
func lockInbox(ctx context.Context, tx *tx, userID string) error {
	var one int
	err := tx.QueryRowContext(ctx, selectInbox+tx.store.dialect.forUpdate(), userID).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("user %q: %w", userID, signalbox.ErrNotFound)
	}
	return err
}

// MarkAsRead implements [signalbox.NotificationService].
func (s *Store) MarkAsRead(ctx context.Context, userID, notificationID string) (changed bool, err error) {
	err = s.inTx(ctx, func(tx *tx) error {
		changed = false
		if err := lockInbox(ctx, tx, userID); err != nil {
			return err
		}
		var readAt sql.Null[int64]
		err := tx.QueryRowContext(ctx, `SELECT read_at FROM notifications WHERE id = $1 AND user_id = $2`,
			notificationID, userID).Scan(&readAt)
		if errors.Is(err, sql.ErrNoRows) {
			return signalbox.ErrNotFound
		}
		if err != nil || readAt.Valid {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE notifications SET read_at = $1 WHERE id = $2`, now().UnixMicro(), notificationID)
		if err != nil {
			return err
		}
		changed = true
		return addRead(ctx, tx, userID, notificationID)
	})
	if err != nil {
		return false, fmt.Errorf("marking notification %q as read: %w", notificationID, err)
	}
	return changed, nil
}

// MarkAllAsRead implements [signalbox.NotificationService]. The ids are in order of sequence.
func (s *Store) MarkAllAsRead(ctx context.Context, userID string) (changed []string, err error) {
	type row struct {
		id       string
		sequence int64
	}
	err = s.inTx(ctx, func(tx *tx) error {
		changed = nil
		if err := lockInbox(ctx, tx, userID); errors.Is(err, signalbox.ErrNotFound) {
			return nil // Who does not exist has nothing to read.
		} else if err != nil {
			return err
		}
		rows, err := collect(ctx, tx, func(sc scanner) (r row, err error) {
			err = sc.Scan(&r.id, &r.sequence)
			return r, err
		}, `UPDATE notifications SET read_at = $1 WHERE user_id = $2 AND read_at IS NULL RETURNING id, sequence`,
			now().UnixMicro(), userID)
		if err != nil || len(rows) == 0 {
			return err
		}
		slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.sequence, b.sequence) }) // RETURNING promises no order.
		for _, r := range rows {
			changed = append(changed, r.id)
		}
		return addRead(ctx, tx, userID, changed...)
	})
	if err != nil {
		return nil, fmt.Errorf("marking the notifications of user %q as read: %w", userID, err)
	}
	return changed, nil
}

// addRead counts what has just been marked as read, and adds the event that tells of it.
func addRead(ctx context.Context, tx *tx, userID string, ids ...string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE inboxes SET unread = unread - $1 WHERE user_id = $2`, len(ids), userID); err != nil {
		return err
	}
	return addEvent(ctx, tx, signalbox.Event{UserID: userID, Read: ids})
}

// ConfirmDelivered implements [signalbox.NotificationService].
func (s *Store) ConfirmDelivered(ctx context.Context, userID string, ids []string) error {
	err := s.inTx(ctx, func(tx *tx) error {
		if err := lockInbox(ctx, tx, userID); errors.Is(err, signalbox.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		at := now().UnixMicro()
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, confirmDelivered, at, id, userID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting what was delivered to user %q: %w", userID, err)
	}
	return nil
}
