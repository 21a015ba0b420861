package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"signalbox"
)

// Notify implements [signalbox.NotificationService].
func (s *Store) Notify(ctx context.Context, users []string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	p := signalbox.Publication{Users: users, Message: m}
	if err := s.check(p); err != nil {
		return nil, err
	}
	var stored []signalbox.Notification
	err := s.inTx(ctx, func(tx *tx) (err error) {
		stored, err = s.publish(ctx, tx, p)
		return err
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
	p := signalbox.Publication{Topic: topic, Message: m}
	if err := s.check(p); err != nil {
		return nil, err
	}
	var stored []signalbox.Notification
	err := s.inTx(ctx, func(tx *tx) (err error) {
		stored, err = s.publish(ctx, tx, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("storing a notification for topic %q: %w", topic, err)
	}
	return stored, nil
}

// check checks what can be checked of a publication before it is stored.
func (s *Store) check(p signalbox.Publication) error {
	if p.Topic == "" && len(p.Users) == 0 {
		return &signalbox.InvalidError{Field: "users", Reason: "must name at least one user"}
	}
	if p.Topic != "" && len(p.Users) > 0 {
		return &signalbox.InvalidError{Field: "topic", Reason: "must not be given together with users"}
	}
	if _, ok := s.topics[p.Topic]; p.Topic != "" && !ok {
		return fmt.Errorf("topic %q: %w", p.Topic, signalbox.ErrNotFound)
	}
	return p.Message.Validate()
}

// publish stores a publication that passes check, and an event for each user, and returns the notifications in the
// order of the users, each named once.
func (s *Store) publish(ctx context.Context, tx *tx, p signalbox.Publication) ([]signalbox.Notification, error) {
	users := p.Users
	if p.Topic != "" {
		subscribers, err := selectUsers(ctx, tx, `JOIN subscriptions s ON s.user_id = u.id WHERE s.topic = $1`, p.Topic)
		if err != nil {
			return nil, err
		}
		for _, u := range subscribers {
			if s.topics.Allows(p.Topic, u) {
				users = append(users, u.ID)
			}
		}
	}
	// Inboxes are locked in one order, whatever the order of the users, lest two transactions wait for each other.
	at := now()
	stored := make(map[string]signalbox.Notification, len(users))
	unknown := make(map[string]bool)
	for _, user := range slices.Compact(slices.Sorted(slices.Values(users))) {
		n, err := storeInInbox(ctx, tx, user, p.Topic, p.Message, at)
		switch {
		case errors.Is(err, signalbox.ErrNotFound):
			unknown[user] = true
		case err != nil:
			return nil, err
		default:
			stored[user] = n
		}
	}
	var list []signalbox.Notification
	for _, user := range users {
		if unknown[user] && p.Topic != "" {
			continue // A subscriber who was removed while this waited.
		}
		if unknown[user] {
			return nil, &signalbox.InvalidError{Field: "users", Reason: fmt.Sprintf("must exist: there is no user %q", user)}
		}
		if n, ok := stored[user]; ok {
			list = append(list, n)
			delete(stored, user)
		}
	}
	return list, nil
}

// storeInInbox stores m, which is valid, for one user under the user's next sequence, and the event that tells of it. A
// user who does not exist is ErrNotFound.
func storeInInbox(ctx context.Context, tx *tx, userID, topic string, m signalbox.NotificationMessage, at time.Time) (signalbox.Notification, error) {
	n := signalbox.Notification{ID: newID(), UserID: userID, NotificationMessage: m.WithDefaults(), Topic: topic, CreatedAt: at}
	var position int64
	err := tx.QueryRowContext(ctx, takeNumbers, userID).Scan(&n.Sequence, &position)
	if errors.Is(err, sql.ErrNoRows) {
		return signalbox.Notification{}, fmt.Errorf("user %q: %w", userID, signalbox.ErrNotFound)
	}
	if err != nil {
		return signalbox.Notification{}, err
	}
	data := sql.Null[string]{V: string(n.Data), Valid: n.Data != nil}
	_, err = tx.ExecContext(ctx, insertNotification,
		n.ID, n.UserID, n.Sequence, n.Title, n.Message, string(n.Type), data, n.Topic, n.CreatedAt.UnixMicro())
	if err != nil {
		return signalbox.Notification{}, err
	}
	return n, addNumberedEvent(ctx, tx, signalbox.Event{UserID: userID, Position: position, CreatedAt: at, Notification: &n})
}
