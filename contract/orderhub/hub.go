package orderhub

import (
	"context"

	"signalbox/signalr"
)

// HubServer is [Hub] as the server implements it: each method gets its caller. OnConnected and OnDisconnected are the
// hub's events.
type HubServer interface {
	OnConnected(ctx context.Context, c *signalr.Caller) error
	OnDisconnected(ctx context.Context, c *signalr.Caller, cause error) error
	SubscribeToOrder(ctx context.Context, c *signalr.Caller, orderID string) (OrderSnapshot, error)
	UnsubscribeFromOrder(ctx context.Context, c *signalr.Caller, orderID string) error
}

// NewHub returns a hub that runs s.
func NewHub(s HubServer, o *signalr.HubOptions) *signalr.Hub {
	h := signalr.NewHub(o)
	h.OnConnected(s.OnConnected)
	h.OnDisconnected(s.OnDisconnected)
	h.Handle("SubscribeToOrder", signalr.Func1(s.SubscribeToOrder))
	h.Handle("UnsubscribeFromOrder", signalr.Action1(s.UnsubscribeFromOrder))
	return h
}

// Sender invokes the methods of [Client] on any number of clients.
type Sender struct{ proxy signalr.ClientProxy }

var _ Client = Sender{}

// To returns a Sender for the clients of a proxy.
func To(p signalr.ClientProxy) Sender { return Sender{p} }

// OrderStatusUpdated implements [Client].
func (s Sender) OrderStatusUpdated(ctx context.Context, orderID, status string, message *string) error {
	return s.proxy.Send(ctx, "OrderStatusUpdated", orderID, status, message)
}

// OrderProgressUpdated implements [Client].
func (s Sender) OrderProgressUpdated(ctx context.Context, orderID string, percent int) error {
	return s.proxy.Send(ctx, "OrderProgressUpdated", orderID, percent)
}

// OrderCompleted implements [Client].
func (s Sender) OrderCompleted(ctx context.Context, orderID string) error {
	return s.proxy.Send(ctx, "OrderCompleted", orderID)
}

// OrderChanged implements [Client].
func (s Sender) OrderChanged(ctx context.Context, order OrderSnapshot) error {
	return s.proxy.Send(ctx, "OrderChanged", order)
}
