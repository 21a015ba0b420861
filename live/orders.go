package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"signalbox"
	"signalbox/contract/orderhub"
	"signalbox/signalr"
)

// OrderHub shows the owner of an order how it comes along.
type OrderHub struct {
	AuthenticatedHub
	// Orders is required.
	Orders signalbox.OrderService
}

var _ orderhub.HubServer = (*OrderHub)(nil)

// SubscribeToOrder implements [orderhub.Hub]. The order is read again after the connection has joined the group: what
// changes in between is in one or the other.
func (h *OrderHub) SubscribeToOrder(ctx context.Context, c *signalr.Caller, orderID string) (orderhub.OrderSnapshot, error) {
	if err := h.authenticated(c); err != nil {
		return orderhub.OrderSnapshot{}, err
	}
	if _, err := h.owned(ctx, c, orderID); err != nil {
		return orderhub.OrderSnapshot{}, err
	}
	if err := c.Groups().Add(ctx, c.ConnectionID(), orderGroup(orderID)); err != nil {
		return orderhub.OrderSnapshot{}, err
	}
	o, err := h.owned(ctx, c, orderID)
	if err != nil {
		return orderhub.OrderSnapshot{}, errors.Join(err, c.Groups().Remove(ctx, c.ConnectionID(), orderGroup(orderID)))
	}
	return snapshot(o), nil
}

// owned returns the order if it is the caller's. An order that does not exist is nobody's, and said to be so in the
// same words.
func (h *OrderHub) owned(ctx context.Context, c *signalr.Caller, orderID string) (signalbox.Order, error) {
	o, err := h.Orders.Order(ctx, orderID)
	if errors.Is(err, signalbox.ErrNotFound) || err == nil && o.OwnerID != c.UserID() {
		return signalbox.Order{}, signalr.Errorf("Not authorized to view this order")
	}
	return o, err
}

// UnsubscribeFromOrder implements [orderhub.Hub].
func (h *OrderHub) UnsubscribeFromOrder(ctx context.Context, c *signalr.Caller, orderID string) error {
	if err := h.authenticated(c); err != nil {
		return err
	}
	return c.Groups().Remove(ctx, c.ConnectionID(), orderGroup(orderID))
}

// Orders stores changes of orders and shows them at once to those who watch. What is shown was stored before; that
// showing fails is logged and costs nothing. It is safe for concurrent use.
type Orders struct {
	signalbox.OrderService
	hub     signalr.HubContext
	log     *slog.Logger
	changes keyedMutex // by order: changes are shown in the order in which they were stored
}

var _ signalbox.OrderService = (*Orders)(nil)

// NewOrders returns a service that stores in store and shows through the order hub.
func NewOrders(store signalbox.OrderService, hub signalr.HubContext, log *slog.Logger) *Orders {
	return &Orders{OrderService: store, hub: hub, log: log}
}

// ChangeOrder makes or changes an order and shows what changed.
func (s *Orders) ChangeOrder(ctx context.Context, change signalbox.OrderChange) (before, after signalbox.Order, err error) {
	defer s.changes.lock(change.ID)()
	before, after, err = s.OrderService.ChangeOrder(ctx, change)
	if err != nil || after.Version == before.Version {
		return before, after, err
	}
	if err := s.show(context.WithoutCancel(ctx), before, after); err != nil {
		s.log.Error("showing a changed order failed; it is stored", "order", after.ID, "error", err)
	}
	return before, after, nil
}

// show sends the description's events, each if it applies, and the snapshot, to everybody who watches the order.
func (s *Orders) show(ctx context.Context, before, after signalbox.Order) error {
	to := orderhub.To(s.hub.Clients().Group(orderGroup(after.ID)))
	var errs []error
	if after.Status != before.Status || after.Message != before.Message {
		var message *string
		if after.Message != "" {
			message = &after.Message
		}
		errs = append(errs, to.OrderStatusUpdated(ctx, after.ID, string(after.Status), message))
	}
	if after.Progress != before.Progress {
		errs = append(errs, to.OrderProgressUpdated(ctx, after.ID, after.Progress))
	}
	if after.Status == signalbox.StatusCompleted && before.Status != signalbox.StatusCompleted {
		errs = append(errs, to.OrderCompleted(ctx, after.ID))
	}
	errs = append(errs, to.OrderChanged(ctx, snapshot(after)))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("order %s: %w", after.ID, err)
	}
	return nil
}

// snapshot is an order as clients get it.
func snapshot(o signalbox.Order) orderhub.OrderSnapshot {
	return orderhub.OrderSnapshot{
		ID: o.ID, Status: string(o.Status), Progress: o.Progress, Message: o.Message, Version: o.Version, UpdatedAt: o.UpdatedAt,
	}
}
