package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox"
	"signalbox/contract/orderhub"
	"signalbox/signalr"
)

// OrderHub shows the owner of an order how it comes along.
type OrderHub struct {
	AuthenticatedHub
	// Orders is required, and shows through this hub.
	Orders *Orders
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
	// Known before the order is read: should it get another owner after that, this connection is found.
	h.Orders.watchers.add(orderID, c.ConnectionID(), c.UserID(), 0)
	o, err := h.owned(ctx, c, orderID)
	if err == nil {
		err = ctx.Err() // It has ended meanwhile, and OnDisconnected may have come before this.
	}
	if err != nil {
		h.Orders.watchers.remove(orderID, c.ConnectionID())
		return orderhub.OrderSnapshot{}, errors.Join(err, c.Groups().Remove(ctx, c.ConnectionID(), orderGroup(orderID)))
	}
	h.Orders.watchers.given(orderID, o.Version, c.ConnectionID())
	return snapshot(o), nil
}

// OnDisconnected forgets what the connection watched: a client subscribes again on its next, and is asked again whether
// it may.
func (h *OrderHub) OnDisconnected(ctx context.Context, c *signalr.Caller, cause error) error {
	h.Orders.watchers.gone(c.ConnectionID())
	return h.AuthenticatedHub.OnDisconnected(ctx, c, cause)
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
	h.Orders.watchers.remove(orderID, c.ConnectionID())
	return c.Groups().Remove(ctx, c.ConnectionID(), orderGroup(orderID))
}

// Orders stores changes of orders. What is stored is shown to those who watch by way of the outbox, see [Events]; it is
// this that sends it. It is safe for concurrent use.
type Orders struct {
	signalbox.OrderService
	hub      signalr.HubContext
	watchers watchers
}

var _ signalbox.OrderService = (*Orders)(nil)

// NewOrders returns a service that stores in store and shows through the order hub.
func NewOrders(store signalbox.OrderService, hub signalr.HubContext) *Orders {
	return &Orders{OrderService: store, hub: hub}
}

// show sends what has changed to everybody who watches the order. As with notifications, that does not say that it has
// arrived.
func (s *Orders) show(ctx context.Context, before, after signalbox.Order) error {
	return showTo(ctx, orderhub.To(s.hub.Clients().Group(orderGroup(after.ID))), before, after)
}

// end has a user's connections end, wherever they are, because an order is not the user's any more. They come back and are
// asked anew what they may watch: one that went on without its order would show the last state as the present one.
func (s *Orders) end(ctx context.Context, userID string) error {
	return s.hub.Clients().User(userID).Close(ctx, true)
}

// resend sends the orders that have changed since a time to the watchers of this process that have not been given the
// present version.
func (s *Orders) resend(ctx context.Context, since time.Time) (sent int, err error) {
	for _, id := range s.watchers.watched() {
		o, orderErr := s.Order(ctx, id)
		if orderErr != nil {
			err = errors.Join(err, orderErr)
			continue
		}
		if o.UpdatedAt.Before(since) {
			continue
		}
		var behind []string
		for connection, w := range s.watchers.of(id) {
			if w.version < o.Version && w.userID == o.OwnerID {
				behind = append(behind, connection)
			}
		}
		if len(behind) == 0 {
			continue
		}
		// What they were shown last is not known, so that they are told everything.
		if showErr := showTo(ctx, orderhub.To(s.hub.Clients().Clients(behind...)), signalbox.Order{Progress: -1}, o); showErr != nil {
			err = errors.Join(err, showErr)
			continue
		}
		s.watchers.given(id, o.Version, behind...)
		sent += len(behind)
	}
	return sent, err
}

// showTo sends the description's events, each if it applies, and the snapshot.
func showTo(ctx context.Context, to orderhub.Sender, before, after signalbox.Order) error {
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
