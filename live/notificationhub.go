package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/signalr"
)

// NotificationHub brings a user's notifications to each of the user's connections.
type NotificationHub struct {
	AuthenticatedHub
	// Notifications is required, and shows through this hub.
	Notifications *Notifications
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
	if err := c.Groups().Add(ctx, c.ConnectionID(), userGroup(c.UserID())); err != nil {
		return err
	}
	topics, err := h.Topics.Subscriptions(ctx, c.UserID())
	if err != nil {
		return fmt.Errorf("rejoining topics: %w", err)
	}
	for _, topic := range topics {
		if err := c.Groups().Add(ctx, c.ConnectionID(), topicGroup(topic)); err != nil {
			return err
		}
	}
	h.Logger.Debug("connected to notifications", "user", c.UserID(), "connection", c.ConnectionID())
	// In turn with the counts that the group gets: an older one must not come last.
	return h.Notifications.sendCountTo(ctx, c.UserID(), c.ConnectionID())
}

// OnDisconnected logs it; the groups are left by themselves.
func (h *NotificationHub) OnDisconnected(_ context.Context, c *signalr.Caller, cause error) error {
	h.Logger.Debug("disconnected from notifications", "user", c.UserID(), "connection", c.ConnectionID(), "cause", cause)
	return nil
}

// MarkAsRead implements [notificationhub.Hub]. It goes through even if the connection ends meanwhile.
func (h *NotificationHub) MarkAsRead(ctx context.Context, c *signalr.Caller, notificationID string) error {
	if err := h.authenticated(c); err != nil {
		return err
	}
	_, err := h.Notifications.MarkAsRead(context.WithoutCancel(ctx), c.UserID(), notificationID)
	if errors.Is(err, signalbox.ErrNotFound) {
		return signalr.Errorf("Notification not found")
	}
	return err
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
	return c.Groups().Add(ctx, c.ConnectionID(), topicGroup(topic))
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
