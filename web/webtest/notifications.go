package webtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"signalbox"
)

// Notify implements [signalbox.NotificationService].
func (s *Services) Notify(_ context.Context, users []string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s.store(users, "", m)
}

// NotifyTopic implements [signalbox.NotificationService].
func (s *Services) NotifyTopic(_ context.Context, topic string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return nil, err
	}
	users, err := s.hearers(topic)
	if err != nil {
		return nil, err
	}
	return s.store(users, topic, m)
}

// store adds m to the users' inboxes; s must be locked.
func (s *Services) store(users []string, topic string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	for _, id := range users {
		if _, ok := s.users[id]; !ok {
			return nil, &signalbox.InvalidError{Field: "users", Reason: fmt.Sprintf("names %q, who does not exist", id)}
		}
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	m = m.WithDefaults()
	var stored []signalbox.Notification
	seen := map[string]bool{}
	for _, id := range users {
		if seen[id] {
			continue
		}
		seen[id] = true
		n := signalbox.Notification{
			ID: s.id("n"), UserID: id, Sequence: int64(len(s.notifications[id]) + 1),
			NotificationMessage: m, Topic: topic, CreatedAt: s.now(),
		}
		s.notifications[id] = append(s.notifications[id], n)
		stored = append(stored, n)
	}
	return stored, nil
}

// PublishFails makes Publish fail with err from now on, and nothing else.
func (s *Services) PublishFails(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publishFails = err
}

// Publish implements [signalbox.NotificationService].
func (s *Services) Publish(_ context.Context, p signalbox.Publication) ([]signalbox.Published, bool, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return nil, false, err
	}
	if s.publishFails != nil {
		return nil, false, s.publishFails
	}
	var name [2]string
	if key := p.Idempotency; key != nil {
		name = [2]string{key.Owner, key.Key}
		if known, ok := s.answered[name]; ok && known.hash != key.RequestHash {
			return nil, false, signalbox.ErrIdempotencyMismatch
		} else if ok {
			return known.answer, true, nil
		}
	}
	users := p.Users
	if p.Topic != "" {
		var err error
		if users, err = s.hearers(p.Topic); err != nil {
			return nil, false, err
		}
	}
	stored, err := s.store(users, p.Topic, p.Message)
	if err != nil {
		return nil, false, err
	}
	list := []signalbox.Published{}
	for _, n := range stored {
		list = append(list, signalbox.Published{ID: n.ID, UserID: n.UserID, Sequence: n.Sequence})
	}
	if p.Idempotency != nil {
		s.answered[name] = answered{p.Idempotency.RequestHash, list}
	}
	return list, false, nil
}

// hearers are the users who hear a topic; s must be locked.
func (s *Services) hearers(topic string) ([]string, error) {
	if _, ok := s.topics[topic]; !ok {
		return nil, fmt.Errorf("topic %q: %w", topic, signalbox.ErrNotFound)
	}
	var users []string
	for _, id := range slices.Sorted(maps.Keys(s.users)) {
		if s.subscriptions[id][topic] && s.topics.Allows(topic, s.users[id].User) {
			users = append(users, id)
		}
	}
	return users, nil
}

// Notifications implements [signalbox.NotificationService].
func (s *Services) Notifications(_ context.Context, userID string, before int64, limit int) ([]signalbox.Notification, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return nil, err
	}
	var list []signalbox.Notification
	for _, n := range slices.Backward(s.notifications[userID]) {
		if (before == 0 || n.Sequence < before) && len(list) < limit {
			list = append(list, n)
		}
	}
	return list, nil
}

// UnreadCount implements [signalbox.NotificationService].
func (s *Services) UnreadCount(_ context.Context, userID string) (int, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return 0, err
	}
	count := 0
	for _, n := range s.notifications[userID] {
		if n.ReadAt == nil {
			count++
		}
	}
	return count, nil
}

// MarkAsRead implements [signalbox.NotificationService].
func (s *Services) MarkAsRead(_ context.Context, userID, notificationID string) (bool, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return false, err
	}
	for i, n := range s.notifications[userID] {
		if n.ID != notificationID {
			continue
		}
		if n.ReadAt != nil {
			return false, nil
		}
		now := s.now()
		s.notifications[userID][i].ReadAt = &now
		return true, nil
	}
	return false, fmt.Errorf("notification %q: %w", notificationID, signalbox.ErrNotFound)
}

// MarkAllAsRead implements [signalbox.NotificationService].
func (s *Services) MarkAllAsRead(_ context.Context, userID string) ([]string, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return nil, err
	}
	var changed []string
	now := s.now()
	for i, n := range s.notifications[userID] {
		if n.ReadAt == nil {
			s.notifications[userID][i].ReadAt = &now
			changed = append(changed, n.ID)
		}
	}
	return changed, nil
}

// CatchUp implements [signalbox.NotificationService].
func (s *Services) CatchUp(_ context.Context, userID string, after int64, limit int) (signalbox.CatchUp, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return signalbox.CatchUp{}, err
	}
	c := signalbox.CatchUp{Inbox: s.inbox(userID)}
	c.Gap = after+1 < c.Inbox.FirstSequence || after > c.Inbox.LastSequence
	for _, n := range s.notifications[userID] {
		if n.Sequence <= after || n.Sequence < c.Inbox.FirstSequence {
			continue
		}
		if c.More = len(c.Notifications) == limit; c.More {
			break
		}
		c.Notifications = append(c.Notifications, n)
	}
	return c, nil
}

// Missed implements [signalbox.NotificationService].
func (s *Services) Missed(
	ctx context.Context, after map[string]int64, since time.Time, show func(context.Context, []signalbox.Notification) error,
) error {
	list, err := s.missed(after, since)
	if err != nil || len(list) == 0 {
		return err
	}
	return show(ctx, list)
}

func (s *Services) missed(after map[string]int64, since time.Time) ([]signalbox.Notification, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return nil, err
	}
	var list []signalbox.Notification
	for _, user := range slices.Sorted(maps.Keys(after)) {
		for _, n := range s.notifications[user] {
			if n.Sequence > after[user] && !n.CreatedAt.Before(since) {
				list = append(list, n)
			}
		}
	}
	return list, nil
}

// InboxState implements [signalbox.NotificationService].
func (s *Services) InboxState(_ context.Context, userID string) (signalbox.InboxState, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return signalbox.InboxState{}, err
	}
	return s.inbox(userID), nil
}

// inbox is how an inbox stands; s must be locked.
func (s *Services) inbox(userID string) signalbox.InboxState {
	state := signalbox.InboxState{FirstSequence: s.removed[userID] + 1, LastSequence: int64(len(s.notifications[userID]))}
	for _, n := range s.notifications[userID] {
		if n.ReadAt == nil {
			state.Unread++
		}
	}
	return state
}

// ConfirmDelivered implements [signalbox.NotificationService].
func (s *Services) ConfirmDelivered(_ context.Context, userID string, ids []string) error {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return err
	}
	for _, n := range s.notifications[userID] {
		if slices.Contains(ids, n.ID) && s.confirmed[n.ID].IsZero() {
			s.confirmed[n.ID] = s.now()
		}
	}
	return nil
}

// Receipt implements [signalbox.NotificationService]; nothing is ever sent here.
func (s *Services) Receipt(_ context.Context, id string) (signalbox.Receipt, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return signalbox.Receipt{}, err
	}
	for _, list := range s.notifications {
		for _, n := range list {
			if n.ID != id {
				continue
			}
			r := signalbox.Receipt{Notification: n}
			if at := s.confirmed[id]; !at.IsZero() {
				r.DeliveredAt = &at
			}
			return r, nil
		}
	}
	return signalbox.Receipt{}, fmt.Errorf("notification %q: %w", id, signalbox.ErrNotFound)
}

// SendToUser is Notify for one user.
func (s *Services) SendToUser(ctx context.Context, userID string, m signalbox.NotificationMessage) (signalbox.Notification, error) {
	stored, err := s.Notify(ctx, []string{userID}, m)
	if err != nil {
		return signalbox.Notification{}, err
	}
	return stored[0], nil
}
