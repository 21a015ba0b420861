package notificationhub

import (
	"context"

	"signalbox/signalr"
)

// HubServer is [Hub] as the server implements it: each method gets its caller. OnConnected and OnDisconnected are the
// hub's events.
type HubServer interface {
	OnConnected(ctx context.Context, c *signalr.Caller) error
	OnDisconnected(ctx context.Context, c *signalr.Caller, cause error) error
	MarkAsRead(ctx context.Context, c *signalr.Caller, notificationID string) error
	SubscribeToTopic(ctx context.Context, c *signalr.Caller, topic string) error
	UnsubscribeFromTopic(ctx context.Context, c *signalr.Caller, topic string) error
	CatchUp(ctx context.Context, c *signalr.Caller, lastSequence int64) (CatchUpResult, error)
	ConfirmDelivered(ctx context.Context, c *signalr.Caller, notificationIDs []string) error
}

// NewHub returns a hub that runs s.
func NewHub(s HubServer, o *signalr.HubOptions) *signalr.Hub {
	h := signalr.NewHub(o)
	h.OnConnected(s.OnConnected)
	h.OnDisconnected(s.OnDisconnected)
	h.Handle("MarkAsRead", signalr.Action1(s.MarkAsRead))
	h.Handle("SubscribeToTopic", signalr.Action1(s.SubscribeToTopic))
	h.Handle("UnsubscribeFromTopic", signalr.Action1(s.UnsubscribeFromTopic))
	h.Handle("CatchUp", signalr.Func1(s.CatchUp))
	h.Handle("ConfirmDelivered", signalr.Action1(s.ConfirmDelivered))
	return h
}

// Sender invokes the methods of [Client] on any number of clients.
type Sender struct{ proxy signalr.ClientProxy }

var _ Client = Sender{}

// To returns a Sender for the clients of a proxy.
func To(p signalr.ClientProxy) Sender { return Sender{p} }

// ReceiveNotification implements [Client].
func (s Sender) ReceiveNotification(ctx context.Context, n NotificationMessage) error {
	return s.proxy.Send(ctx, "ReceiveNotification", n)
}

// NotificationRead implements [Client].
func (s Sender) NotificationRead(ctx context.Context, notificationID string) error {
	return s.proxy.Send(ctx, "NotificationRead", notificationID)
}

// UnreadCountUpdated implements [Client].
func (s Sender) UnreadCountUpdated(ctx context.Context, count int) error {
	return s.proxy.Send(ctx, "UnreadCountUpdated", count)
}
