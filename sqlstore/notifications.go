package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"signalbox"
)

// Notify implements [signalbox.NotificationService].
func (s *Store) Notify(ctx context.Context, users []string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	if len(users) == 0 {
		return nil, &signalbox.InvalidError{Field: "users", Reason: "must name at least one user"}
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	var stored []signalbox.Notification
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		inboxes, err := newInboxWriter(ctx, tx)
		if err != nil {
			return err
		}
		at := now()
		done := make(map[string]bool, len(users))
		for _, user := range users {
			if done[user] {
				continue
			}
			done[user] = true
			n, err := inboxes.store(ctx, user, "", m, at)
			if errors.Is(err, signalbox.ErrNotFound) {
				return &signalbox.InvalidError{Field: "users", Reason: fmt.Sprintf("must exist: there is no user %q", user)}
			}
			if err != nil {
				return err
			}
			stored = append(stored, n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("storing a notification: %w", err)
	}
	return stored, nil
}

// NotifyTopic implements [signalbox.NotificationService]. The result is in order of user id. A topic that does not
// exist is ErrNotFound.
func (s *Store) NotifyTopic(ctx context.Context, topic string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	if _, ok := s.topics[topic]; !ok {
		return nil, fmt.Errorf("topic %q: %w", topic, signalbox.ErrNotFound)
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	var stored []signalbox.Notification
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		subscribers, err := selectUsers(ctx, tx, `JOIN subscriptions s ON s.user_id = u.id WHERE s.topic = ?`, topic)
		if err != nil {
			return err
		}
		inboxes, err := newInboxWriter(ctx, tx)
		if err != nil {
			return err
		}
		at := now()
		for _, u := range subscribers {
			if !s.topics.Allows(topic, u) {
				continue
			}
			n, err := inboxes.store(ctx, u.ID, topic, m, at)
			if err != nil {
				return err
			}
			stored = append(stored, n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("storing a notification for topic %q: %w", topic, err)
	}
	return stored, nil
}

// inboxWriter stores notifications in a transaction. Its statements are prepared once: a topic may have thousands of
// subscribers.
type inboxWriter struct{ number, insert *sql.Stmt }

// newInboxWriter prepares the statements, which end with the transaction.
func newInboxWriter(ctx context.Context, tx *sql.Tx) (w inboxWriter, err error) {
	w.number, err = tx.PrepareContext(ctx, `
		UPDATE inboxes SET last_sequence = last_sequence + 1 WHERE user_id = ? RETURNING last_sequence`)
	if err != nil {
		return w, err
	}
	w.insert, err = tx.PrepareContext(ctx, `
		INSERT INTO notifications (id, user_id, sequence, title, message, type, data, topic, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	return w, err
}

// store stores m, which is valid, for one user under the user's next sequence. A user who does not exist is ErrNotFound.
func (w inboxWriter) store(ctx context.Context, userID, topic string, m signalbox.NotificationMessage, at time.Time) (signalbox.Notification, error) {
	n := signalbox.Notification{ID: newID(), UserID: userID, NotificationMessage: m.WithDefaults(), Topic: topic, CreatedAt: at}
	err := w.number.QueryRowContext(ctx, userID).Scan(&n.Sequence)
	if errors.Is(err, sql.ErrNoRows) {
		return signalbox.Notification{}, fmt.Errorf("user %q: %w", userID, signalbox.ErrNotFound)
	}
	if err != nil {
		return signalbox.Notification{}, err
	}
	data := sql.Null[string]{V: string(n.Data), Valid: n.Data != nil}
	_, err = w.insert.ExecContext(ctx,
		n.ID, n.UserID, n.Sequence, n.Title, n.Message, string(n.Type), data, n.Topic, n.CreatedAt.UnixMicro())
	if err != nil {
		return signalbox.Notification{}, err
	}
	return n, nil
}

// Notifications implements [signalbox.NotificationService]. A limit of 0 or less returns none.
func (s *Store) Notifications(ctx context.Context, userID string, before int64, limit int) ([]signalbox.Notification, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	list, err := collect(ctx, s.read, scanNotification, `
		SELECT id, user_id, sequence, title, message, type, data, topic, created_at, read_at
		FROM notifications WHERE user_id = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?`, userID, before, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("reading the notifications of user %q: %w", userID, err)
	}
	return list, nil
}

func scanNotification(sc scanner) (signalbox.Notification, error) {
	var n signalbox.Notification
	var createdAt int64
	var readAt sql.Null[int64]
	var data sql.Null[string]
	err := sc.Scan(&n.ID, &n.UserID, &n.Sequence, &n.Title, &n.Message, &n.Type, &data, &n.Topic, &createdAt, &readAt)
	n.CreatedAt = fromMicros(createdAt)
	if readAt.Valid {
		at := fromMicros(readAt.V)
		n.ReadAt = &at
	}
	if data.Valid {
		n.Data = []byte(data.V)
	}
	return n, err
}

// UnreadCount implements [signalbox.NotificationService].
func (s *Store) UnreadCount(ctx context.Context, userID string) (int, error) {
	var count int
	err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM notifications WHERE user_id = ? AND read_at IS NULL`, userID).Scan(&count)
	if err != nil {
		return 0, fmt.Errorf("counting the unread notifications of user %q: %w", userID, err)
	}
	return count, nil
}

// MarkAsRead implements [signalbox.NotificationService].
func (s *Store) MarkAsRead(ctx context.Context, userID, notificationID string) (changed bool, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		var readAt sql.Null[int64]
		err := tx.QueryRowContext(ctx, `SELECT read_at FROM notifications WHERE id = ? AND user_id = ?`, notificationID, userID).Scan(&readAt)
		if errors.Is(err, sql.ErrNoRows) {
			return signalbox.ErrNotFound
		}
		if err != nil || readAt.Valid {
			return err
		}
		result, err := tx.ExecContext(ctx, `UPDATE notifications SET read_at = ? WHERE id = ? AND read_at IS NULL`,
			now().UnixMicro(), notificationID)
		if err != nil {
			return err
		}
		rows, err := result.RowsAffected()
		changed = rows == 1
		return err
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
	rows, err := collect(ctx, s.write, func(sc scanner) (r row, err error) {
		err = sc.Scan(&r.id, &r.sequence)
		return r, err
	}, `UPDATE notifications SET read_at = ? WHERE user_id = ? AND read_at IS NULL RETURNING id, sequence`, now().UnixMicro(), userID)
	if err != nil {
		return nil, fmt.Errorf("marking the notifications of user %q as read: %w", userID, err)
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.sequence, b.sequence) }) // RETURNING promises no order.
	for _, r := range rows {
		changed = append(changed, r.id)
	}
	return changed, nil
}
