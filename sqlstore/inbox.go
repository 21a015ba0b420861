package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"signalbox"
)

const notificationColumns = `id, user_id, sequence, title, message, type, data, topic, created_at, read_at`

// Notifications implements [signalbox.NotificationService]. A limit of 0 or less returns none.
func (s *Store) Notifications(ctx context.Context, userID string, before int64, limit int) ([]signalbox.Notification, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	list, err := collect(ctx, s.read, scanNotification, `
		SELECT `+notificationColumns+` FROM notifications WHERE user_id = $1 AND sequence < $2
		ORDER BY sequence DESC LIMIT $3`, userID, before, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("reading the notifications of user %q: %w", userID, err)
	}
	return list, nil
}

func scanNotification(sc scanner) (signalbox.Notification, error) { return scanNotificationAnd(sc) }

// scanNotificationAnd scans the columns of a notification and what follows them.
func scanNotificationAnd(sc scanner, more ...any) (signalbox.Notification, error) {
	var n signalbox.Notification
	var createdAt int64
	var readAt sql.Null[int64]
	var data sql.Null[string]
	err := sc.Scan(append([]any{
		&n.ID, &n.UserID, &n.Sequence, &n.Title, &n.Message, &n.Type, &data, &n.Topic, &createdAt, &readAt,
	}, more...)...)
	n.CreatedAt = fromMicros(createdAt)
	n.ReadAt = timeOrNil(readAt)
	if data.Valid {
		n.Data = []byte(data.V)
	}
	return n, err
}

// CatchUp implements [signalbox.NotificationService]. A limit of 0 or less returns none.
func (s *Store) CatchUp(ctx context.Context, userID string, after int64, limit int) (signalbox.CatchUp, error) {
	var c signalbox.CatchUp
	limit = max(limit, 0)
	err := s.snapshot(ctx, func(q querier) (err error) {
		if c.Inbox, err = inboxState(ctx, q, userID); err != nil {
			return err
		}
		// One more than is returned tells whether there are more.
		c.Notifications, err = collect(ctx, q, scanNotification, `
			SELECT `+notificationColumns+` FROM notifications WHERE user_id = $1 AND sequence > $2
			ORDER BY sequence LIMIT $3`, userID, after, limit+1)
		return err
	})
	if err != nil {
		return signalbox.CatchUp{}, fmt.Errorf("reading what user %q has missed: %w", userID, err)
	}
	if len(c.Notifications) > limit {
		c.Notifications, c.More = c.Notifications[:limit], true
	}
	c.Gap = after+1 < c.Inbox.FirstSequence || after > c.Inbox.LastSequence
	return c, nil
}

// InboxState implements [signalbox.NotificationService].
func (s *Store) InboxState(ctx context.Context, userID string) (signalbox.InboxState, error) {
	state, err := inboxState(ctx, s.read, userID)
	if err != nil {
		return signalbox.InboxState{}, fmt.Errorf("reading how the inbox of user %q stands: %w", userID, err)
	}
	return state, nil
}

func inboxState(ctx context.Context, q querier, userID string) (state signalbox.InboxState, err error) {
	err = q.QueryRowContext(ctx, `SELECT last_sequence, removed_sequence + 1, unread FROM inboxes WHERE user_id = $1`, userID).
		Scan(&state.LastSequence, &state.FirstSequence, &state.Unread)
	if errors.Is(err, sql.ErrNoRows) {
		return signalbox.InboxState{FirstSequence: 1}, nil
	}
	return state, err
}

// UnreadCount implements [signalbox.NotificationService].
func (s *Store) UnreadCount(ctx context.Context, userID string) (int, error) {
	state, err := s.InboxState(ctx, userID)
	return state.Unread, err
}

// Receipt implements [signalbox.NotificationService].
func (s *Store) Receipt(ctx context.Context, id string) (signalbox.Receipt, error) {
	var r signalbox.Receipt
	var sentAt, deliveredAt sql.Null[int64]
	row := s.read.QueryRowContext(ctx, `SELECT `+notificationColumns+`, sent_at, delivered_at FROM notifications WHERE id = $1`, id)
	var err error
	r.Notification, err = scanNotificationAnd(row, &sentAt, &deliveredAt)
	if errors.Is(err, sql.ErrNoRows) {
		err = signalbox.ErrNotFound
	}
	if err != nil {
		return signalbox.Receipt{}, fmt.Errorf("reading notification %q: %w", id, err)
	}
	r.SentAt, r.DeliveredAt = timeOrNil(sentAt), timeOrNil(deliveredAt)
	return r, nil
}

// timeOrNil is the time that a row may hold.
func timeOrNil(micros sql.Null[int64]) *time.Time {
	if !micros.Valid {
		return nil
	}
	return new(fromMicros(micros.V))
}
