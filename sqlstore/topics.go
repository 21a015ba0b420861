package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"signalbox"
)

// Subscribe implements [signalbox.TopicService]. A user who does not exist is ErrNotFound.
func (s *Store) Subscribe(ctx context.Context, userID, topic string) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		u, err := getUser(ctx, tx, userID)
		if err != nil {
			return err
		}
		if !s.topics.Allows(topic, u) {
			return signalbox.ErrForbidden
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO subscriptions (topic, user_id) VALUES (?, ?) ON CONFLICT (topic, user_id) DO NOTHING`, topic, userID)
		return err
	})
	if err != nil {
		return fmt.Errorf("subscribing to topic %q: %w", topic, err)
	}
	return nil
}

// Unsubscribe implements [signalbox.TopicService].
func (s *Store) Unsubscribe(ctx context.Context, userID, topic string) error {
	_, err := s.write.ExecContext(ctx, `DELETE FROM subscriptions WHERE topic = ? AND user_id = ?`, topic, userID)
	if err != nil {
		return fmt.Errorf("unsubscribing from topic %q: %w", topic, err)
	}
	return nil
}

// Subscriptions implements [signalbox.TopicService]. A user who does not exist is ErrNotFound.
func (s *Store) Subscriptions(ctx context.Context, userID string) ([]string, error) {
	u, err := getUser(ctx, s.read, userID)
	if err != nil {
		return nil, err
	}
	topics, err := collect(ctx, s.read, func(sc scanner) (topic string, err error) {
		err = sc.Scan(&topic)
		return topic, err
	}, `SELECT topic FROM subscriptions WHERE user_id = ?`, userID)
	if err != nil {
		return nil, fmt.Errorf("reading the subscriptions of user %q: %w", userID, err)
	}
	topics = slices.DeleteFunc(topics, func(topic string) bool { return !s.topics.Allows(topic, u) })
	slices.Sort(topics) // Here, because databases differ in how they order text.
	return topics, nil
}
