// Package orderhub is the contract of the hub that shows how orders come along: what clients invoke, what the server
// invokes on them, and the types that travel.
package orderhub

import (
	"context"
	"time"
)

// Path is where the hub is mapped.
const Path = "/hubs/orders"

// Hub is what clients invoke.
type Hub interface {
	// SubscribeToOrder lets the caller watch an order and returns it as it stands. Only the owner may:
	// "Not authorized to view this order".
	SubscribeToOrder(ctx context.Context, orderID string) (OrderSnapshot, error)
	// UnsubscribeFromOrder ends that.
	UnsubscribeFromOrder(ctx context.Context, orderID string) error
}

// Client is what the server invokes on clients that watch an order.
type Client interface {
	// OrderStatusUpdated tells a new status, by its name, and the message that goes with it, if any.
	OrderStatusUpdated(ctx context.Context, orderID, status string, message *string) error
	// OrderProgressUpdated tells the progress in percent.
	OrderProgressUpdated(ctx context.Context, orderID string, percent int) error
	// OrderCompleted tells that the order has been completed.
	OrderCompleted(ctx context.Context, orderID string) error
	// OrderChanged tells everything at once, after each change, with the version: a client that applies a snapshot only
	// if its version is higher than the one it shows is right, whatever it has missed.
	OrderChanged(ctx context.Context, order OrderSnapshot) error
}

// OrderSnapshot is an order at one version.
type OrderSnapshot struct {
	ID        string    `json:"id" msgpack:"Id"`
	Status    string    `json:"status"`
	Progress  int       `json:"progress"`
	Message   string    `json:"message"`
	Version   int64     `json:"version"`
	UpdatedAt time.Time `json:"updatedAt"`
}
