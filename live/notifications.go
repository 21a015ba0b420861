package live

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/signalr"
)

// Notifications stores notifications and what is done with them, and shows it at once to the users' connections. What
// is shown was stored before; that showing fails is logged and costs nothing. It is safe for concurrent use.
//
// ASP.NET pattern: SignalRNotificationService.
type Notifications struct {
	signalbox.NotificationService
	hub    signalr.HubContext
	log    *slog.Logger
	counts keyedMutex // by user: counts are sent in the order in which they were true
}

var (
	_ signalbox.NotificationService         = (*Notifications)(nil)
	_ signalbox.RealTimeNotificationService = (*Notifications)(nil)
)

// NewNotifications returns a service that stores in store and shows through the notification hub.
func NewNotifications(store signalbox.NotificationService, hub signalr.HubContext, log *slog.Logger) *Notifications {
	return &Notifications{NotificationService: store, hub: hub, log: log}
}

func (s *Notifications) user(userID string) notificationhub.Sender {
	return notificationhub.To(s.hub.Clients().Group(userGroup(userID)))
}

// SendToUser implements [signalbox.RealTimeNotificationService].
func (s *Notifications) SendToUser(ctx context.Context, userID string, m signalbox.NotificationMessage) (signalbox.Notification, error) {
	stored, err := s.SendToUsers(ctx, []string{userID}, m)
	if err != nil {
		return signalbox.Notification{}, err
	}
	return stored[0], nil
}

// SendToUsers implements [signalbox.RealTimeNotificationService].
func (s *Notifications) SendToUsers(ctx context.Context, userIDs []string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	stored, err := s.Notify(ctx, userIDs, m)
	if err != nil {
		return nil, err
	}
	s.showAll(ctx, stored)
	return stored, nil
}

// BroadcastToTopic implements [signalbox.RealTimeNotificationService].
func (s *Notifications) BroadcastToTopic(ctx context.Context, topic string, m signalbox.NotificationMessage) ([]signalbox.Notification, error) {
	stored, err := s.NotifyTopic(ctx, topic, m)
	if err != nil {
		return nil, err
	}
	s.showAll(ctx, stored)
	return stored, nil
}

// SendToGroup implements [signalbox.RealTimeNotificationService].
func (s *Notifications) SendToGroup(ctx context.Context, group string, m signalbox.NotificationMessage) error {
	m = m.WithDefaults()
	if err := m.Validate(); err != nil {
		return err
	}
	n := signalbox.Notification{NotificationMessage: m, CreatedAt: time.Now().UTC()}
	msg, err := message(n)
	if err != nil {
		return err
	}
	return notificationhub.To(s.hub.Clients().Group(group)).ReceiveNotification(ctx, msg)
}

// UpdateUnreadCount implements [signalbox.RealTimeNotificationService].
func (s *Notifications) UpdateUnreadCount(ctx context.Context, userID string) error {
	return s.sendCount(ctx, userID, s.user(userID))
}

// sendCount tells some of the user's connections how many notifications are unread.
func (s *Notifications) sendCount(ctx context.Context, userID string, to notificationhub.Sender) error {
	defer s.counts.lock(userID)()
	count, err := s.UnreadCount(ctx, userID)
	if err != nil {
		return fmt.Errorf("counting unread notifications: %w", err)
	}
	return to.UnreadCountUpdated(ctx, count)
}

// sendCountTo tells one of the user's connections. What a connection sends to itself may wait for room in its queue,
// which nobody must do under the lock; so it is sent as by somebody else.
func (s *Notifications) sendCountTo(ctx context.Context, userID, connectionID string) error {
	return s.sendCount(ctx, userID, notificationhub.To(s.hub.Clients().Client(connectionID).ClientProxy))
}

// MarkAsRead marks a notification as read and tells all of the user's connections, if that changed anything.
func (s *Notifications) MarkAsRead(ctx context.Context, userID, notificationID string) (changed bool, err error) {
	changed, err = s.NotificationService.MarkAsRead(ctx, userID, notificationID)
	if err == nil && changed {
		s.showRead(ctx, userID, notificationID)
	}
	return changed, err
}

// MarkAllAsRead marks all of the user's notifications as read and tells all of the user's connections.
func (s *Notifications) MarkAllAsRead(ctx context.Context, userID string) (changed []string, err error) {
	changed, err = s.NotificationService.MarkAllAsRead(ctx, userID)
	if err == nil && len(changed) > 0 {
		s.showRead(ctx, userID, changed...)
	}
	return changed, err
}

func (s *Notifications) showRead(ctx context.Context, userID string, ids ...string) {
	ctx = context.WithoutCancel(ctx)
	for _, id := range ids {
		if err := s.user(userID).NotificationRead(ctx, id); err != nil {
			s.log.Error("showing that a notification was read failed", "user", userID, "error", err)
		}
	}
	s.showCount(ctx, userID)
}

func (s *Notifications) showCount(ctx context.Context, userID string) {
	if err := s.UpdateUnreadCount(ctx, userID); err != nil {
		s.log.Error("showing the unread count failed", "user", userID, "error", err)
	}
}

// Show shows a notification that is stored, with the count that it makes, to its user's connections, whatever becomes of
// what stored it.
func (s *Notifications) Show(ctx context.Context, n signalbox.Notification) error {
	ctx = context.WithoutCancel(ctx)
	msg, err := message(n)
	if err != nil {
		return err
	}
	if err := s.user(n.UserID).ReceiveNotification(ctx, msg); err != nil {
		return err
	}
	return s.UpdateUnreadCount(ctx, n.UserID)
}

// showAll shows what is stored.
func (s *Notifications) showAll(ctx context.Context, stored []signalbox.Notification) {
	for _, n := range stored {
		if err := s.Show(ctx, n); err != nil {
			s.log.Error("showing a notification failed; it is stored", "user", n.UserID, "notification", n.ID, "error", err)
		}
	}
}

// message is a notification as clients get it.
func message(n signalbox.Notification) (notificationhub.NotificationMessage, error) {
	m := notificationhub.NotificationMessage{
		ID: n.ID, Sequence: n.Sequence, Title: n.Title, Message: n.Message, Type: string(n.Type),
		Topic: n.Topic, CreatedAt: n.CreatedAt,
	}
	if len(n.Data) > 0 {
		if err := json.Unmarshal(n.Data, &m.Data); err != nil {
			return m, fmt.Errorf("the data of notification %s: %w", n.ID, err)
		}
	}
	return m, nil
}
