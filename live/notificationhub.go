package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/signalr"
)

// NotificationHub brings a user's notifications to each of the user's connections.
type NotificationHub struct {
	AuthenticatedHub
	// Notifications is required, and shows through this hub.
	Notifications *Notifications
	// NotificationsURL is where a client finds what CatchUp does not bring any more.
	NotificationsURL string
	// Topics is required.
	Topics signalbox.TopicService
	// Logger is required.
	Logger *slog.Logger
}

var _ notificationhub.HubServer = (*NotificationHub)(nil)

// OnConnected puts the connection into its user's group and those of the user's topics, and tells it the unread count.
func (h *NotificationHub) OnConnected(ctx context.Context, c *signalr.Caller) error {
	if err := h.AuthenticatedHub.OnConnected(ctx, c); err != nil || c.UserID() == "" {
		return err
	}
	welcome := false
	defer func() {
		if !welcome { // OnDisconnected is not called; that the user is no longer present never fails to be noted
			_ = h.AuthenticatedHub.OnDisconnected(ctx, c, nil)
		}
	}()
	// What comes after this is the connection's to be given; what came before, its client asks for, or has.
	inbox, err := h.Notifications.InboxState(ctx, c.UserID())
	if err != nil {
		return fmt.Errorf("reading the inbox: %w", err)
	}
	h.Notifications.connections.add(c.UserID(), c.ConnectionID(), inbox.LastSequence)
	if err := h.join(ctx, c); err != nil {
		h.Notifications.connections.remove(c.UserID(), c.ConnectionID())
		return err
	}
	welcome = true
	return nil
}

// join puts the connection into its groups and tells it the unread count.
func (h *NotificationHub) join(ctx context.Context, c *signalr.Caller) error {
	if err := c.Groups().Add(ctx, c.ConnectionID(), userGroup(c.UserID())); err != nil {
		return err
	}
	topics, err := h.Topics.Subscriptions(ctx, c.UserID())
	if err != nil {
		return fmt.Errorf("rejoining topics: %w", err)
	}
	if err := h.joinTopics(ctx, c, topics...); err != nil {
		return err
	}
	h.Logger.Debug("connected to notifications", "user", c.UserID(), "connection", c.ConnectionID())
	// In turn with the counts that the group gets: an older one must not come last.
	return h.Notifications.sendCount(ctx, c.UserID(), h.Notifications.to(c.ConnectionID()))
}

// OnDisconnected forgets the connection; the groups are left by themselves.
func (h *NotificationHub) OnDisconnected(ctx context.Context, c *signalr.Caller, cause error) error {
	h.Notifications.connections.remove(c.UserID(), c.ConnectionID())
	h.Logger.Debug("disconnected from notifications", "user", c.UserID(), "connection", c.ConnectionID(), "cause", cause)
	return h.AuthenticatedHub.OnDisconnected(ctx, c, cause)
}

// MarkAsRead implements [notificationhub.Hub]. It goes through even if the connection ends meanwhile.
func (h *NotificationHub) MarkAsRead(ctx context.Context, c *signalr.Caller, notificationID string) error {
	if err := h.authenticated(c); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	_, err := h.Notifications.MarkAsRead(ctx, c.UserID(), notificationID)
	if errors.Is(err, signalbox.ErrNotFound) {
		return signalr.Errorf("Notification not found")
	}
	if err != nil {
		return err
	}
	// The outbox tells all of the user's connections. The caller has the count before the answer.
	return h.Notifications.sendCount(ctx, c.UserID(), h.Notifications.to(c.ConnectionID()))
}

// SubscribeToTopic implements [notificationhub.Hub].
func (h *NotificationHub) SubscribeToTopic(ctx context.Context, c *signalr.Caller, topic string) error {
	if err := h.authenticated(c); err != nil {
		return err
	}
	err := h.Topics.Subscribe(context.WithoutCancel(ctx), c.UserID(), topic)
	switch {
	case errors.Is(err, signalbox.ErrForbidden), errors.Is(err, signalbox.ErrNotFound):
		return signalr.Errorf("Not authorized for this topic")
	case err != nil:
		return err
	}
	return h.joinTopics(ctx, c, topic)
}

// joinTopics adds the connection to the groups of topics that its user has been found to hear. It asks once more after
// that: what was taken away in between has been taken from connections that were in the groups, and this one was not.
func (h *NotificationHub) joinTopics(ctx context.Context, c *signalr.Caller, topics ...string) error {
	if len(topics) == 0 {
		return nil
	}
	for _, topic := range topics {
		if err := c.Groups().Add(ctx, c.ConnectionID(), topicGroup(topic)); err != nil {
			return err
		}
	}
	still, err := h.Topics.Subscriptions(ctx, c.UserID())
	if err != nil {
		return fmt.Errorf("asking for subscriptions again: %w", err)
	}
	for _, topic := range topics {
		if slices.Contains(still, topic) {
			continue
		}
		if err := c.Groups().Remove(ctx, c.ConnectionID(), topicGroup(topic)); err != nil {
			return err
		}
	}
	return nil
}

// UnsubscribeFromTopic implements [notificationhub.Hub].
func (h *NotificationHub) UnsubscribeFromTopic(ctx context.Context, c *signalr.Caller, topic string) error {
	if err := h.authenticated(c); err != nil {
		return err
	}
	if err := h.Topics.Unsubscribe(context.WithoutCancel(ctx), c.UserID(), topic); err != nil {
		return err
	}
	return c.Groups().Remove(ctx, c.ConnectionID(), topicGroup(topic))
}

const (
	// catchUpLimit and catchUpBytes are how many notifications, and how much text and data, one answer brings: many
	// small ones, or one of any size.
	catchUpLimit = 100
	catchUpBytes = 256 << 10
	// mostConfirmed is how many notifications a client may confirm at a time.
	mostConfirmed = 1000
)

// CatchUp implements [notificationhub.Hub].
func (h *NotificationHub) CatchUp(ctx context.Context, c *signalr.Caller, lastSequence int64) (notificationhub.CatchUpResult, error) {
	if err := h.authenticated(c); err != nil {
		return notificationhub.CatchUpResult{}, err
	}
	if lastSequence < 0 {
		return notificationhub.CatchUpResult{}, signalr.Errorf("The last sequence must not be negative")
	}
	missed, err := h.Notifications.CatchUp(ctx, c.UserID(), lastSequence, catchUpLimit)
	if err != nil {
		return notificationhub.CatchUpResult{}, err
	}
	result := notificationhub.CatchUpResult{
		Notifications: []notificationhub.NotificationMessage{}, Read: []string{}, Gap: missed.Gap, More: missed.More,
		FirstSequence: missed.Inbox.FirstSequence, LastSequence: missed.Inbox.LastSequence, UnreadCount: missed.Inbox.Unread,
		FetchURL: h.NotificationsURL,
	}
	size := 0
	for i, n := range missed.Notifications {
		size += len(n.Title) + len(n.Message) + len(n.Data)
		if i > 0 && size > catchUpBytes {
			result.More = true
			break
		}
		result.Notifications = append(result.Notifications, h.Notifications.message(n))
		if n.ReadAt != nil {
			result.Read = append(result.Read, n.ID)
		}
	}
	if result.More {
		result.LastSequence = result.Notifications[len(result.Notifications)-1].Sequence
	}
	return result, nil
}

// ConfirmDelivered implements [notificationhub.Hub].
func (h *NotificationHub) ConfirmDelivered(ctx context.Context, c *signalr.Caller, notificationIDs []string) error {
	if err := h.authenticated(c); err != nil {
		return err
	}
	if len(notificationIDs) > mostConfirmed {
		return signalr.Errorf("Confirm at most %d notifications at a time", mostConfirmed)
	}
	if len(notificationIDs) == 0 {
		return nil
	}
	return h.Notifications.ConfirmDelivered(context.WithoutCancel(ctx), c.UserID(), notificationIDs)
}
