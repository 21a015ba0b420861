package sqlstore

import (
	"context"
	"fmt"
	"slices"

	"signalbox"
)

// Subscribe implements [signalbox.TopicService]. A user who does not exist is ErrNotFound.
func (s *Store) Subscribe(ctx context.Context, userID, topic string) error {
	err := s.inTx(ctx, func(tx *tx) error {
		u, err := getUser(ctx, tx, userID)
		if err != nil {
			return err
		}
		if !s.topics.Allows(topic, u) {
			return signalbox.ErrForbidden
		}
		_, err = changeAccess(ctx, tx, userID, `
			INSERT INTO subscriptions (topic, user_id) VALUES ($1, $2) ON CONFLICT (topic, user_id) DO NOTHING`, topic, userID)
		return err
	})
	if err != nil {
		return fmt.Errorf("subscribing to topic %q: %w", topic, err)
	}
	return nil
}

// Unsubscribe implements [signalbox.TopicService].
func (s *Store) Unsubscribe(ctx context.Context, userID, topic string) error {
	err := s.inTx(ctx, func(tx *tx) error {
		_, err := unsubscribe(ctx, tx, userID, topic)
		return err
	})
	if err != nil {
		return fmt.Errorf("unsubscribing from topic %q: %w", topic, err)
	}
	return nil
}

// EndSubscription implements [signalbox.Administration].
func (s *Store) EndSubscription(ctx context.Context, userID, topic string) (ended bool, err error) {
	err = s.inTx(ctx, func(tx *tx) error {
		ended = false
		if _, err := getUser(ctx, tx, userID); err != nil {
			return err
		}
		ended, err = unsubscribe(ctx, tx, userID, topic)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("unsubscribing from topic %q: %w", topic, err)
	}
	return ended, nil
}

// unsubscribe says whether there was a subscription.
func unsubscribe(ctx context.Context, tx *tx, userID, topic string) (bool, error) {
	return changeAccess(ctx, tx, userID, `DELETE FROM subscriptions WHERE topic = $1 AND user_id = $2`, topic, userID)
}

// changeAccess runs a statement that changes what a user hears, and if it does adds the event that tells of it.
func changeAccess(ctx context.Context, tx *tx, userID, statement string, args ...any) (changed bool, err error) {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	return true, addEvent(ctx, tx, signalbox.Event{UserID: userID, Access: true})
}

// Subscriptions implements [signalbox.TopicService]. A user who does not exist is ErrNotFound.
func (s *Store) Subscriptions(ctx context.Context, userID string) ([]string, error) {
	u, err := getUser(ctx, s.read, userID)
	if err != nil {
		return nil, err
	}
	topics, err := collect(ctx, s.read, scanText, `SELECT topic FROM subscriptions WHERE user_id = $1`, userID)
	if err != nil {
		return nil, fmt.Errorf("reading the subscriptions of user %q: %w", userID, err)
	}
	topics = slices.DeleteFunc(topics, func(topic string) bool { return !s.topics.Allows(topic, u) })
	slices.Sort(topics) // Here, because databases differ in how they order text.
	return topics, nil
}
