package webtest

import (
	"context"
	"fmt"
	"maps"
	"slices"

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
	if _, ok := s.topics[topic]; !ok {
		return nil, fmt.Errorf("topic %q: %w", topic, signalbox.ErrNotFound)
	}
	var users []string
	for _, id := range slices.Sorted(maps.Keys(s.users)) {
		if s.subscriptions[id][topic] && s.topics.Allows(topic, s.users[id].User) {
			users = append(users, id)
		}
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

// SendToUser implements [signalbox.RealTimeNotificationService].
func (s *Services) SendToUser(ctx context.Context, userID string, m signalbox.NotificationMessage) (signalbox.Notification, error) {
	stored, err := s.Notify(ctx, []string{userID}, m)
	if err != nil {
		return signalbox.Notification{}, err
	}
	return stored[0], nil
}

// SendToUsers implements [signalbox.RealTimeNotificationService].
func (s *Services) SendToUsers(ctx context.Context, userIDs []string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	return s.Notify(ctx, userIDs, m)
}

// BroadcastToTopic implements [signalbox.RealTimeNotificationService].
func (s *Services) BroadcastToTopic(ctx context.Context, topic string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	return s.NotifyTopic(ctx, topic, m)
}

// SendToGroup implements [signalbox.RealTimeNotificationService]; nobody is connected here.
func (s *Services) SendToGroup(context.Context, string, signalbox.NotificationMessage) error {
	defer s.mu.Unlock()
	return s.begin()
}

// UpdateUnreadCount implements [signalbox.RealTimeNotificationService]; nobody is connected here.
func (s *Services) UpdateUnreadCount(context.Context, string) error {
	defer s.mu.Unlock()
	return s.begin()
}
