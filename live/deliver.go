package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox"
)

// Events shows what was stored to those who are connected: it is what the outbox is sent by.
type Events struct {
	// All three are required.
	Notifications *Notifications
	Orders        *Orders
	Access        *Access
	// Delivered is told of each notification and each change of an order that was handed over to its hub, by several
	// goroutines at once. It must not wait. Nil: nobody is.
	Delivered func(ctx context.Context, e signalbox.Event)
}

// Deliver sends the events of one user, in order, and says how many of them, from the first, need not be sent again.
// The number of unread notifications is told once, after the last of those that may have changed it.
func (d *Events) Deliver(ctx context.Context, events []signalbox.Event) (sent int, err error) {
	last := -1 // the last event that was sent and may have changed the number
	for i, e := range events {
		if err = d.show(ctx, e); err != nil {
			break
		}
		sent = i + 1
		if d.Delivered != nil && (e.Notification != nil || e.Order != nil) {
			d.Delivered(ctx, e)
		}
		if e.Notification != nil || len(e.Read) > 0 || e.Unread {
			last = i
		}
	}
	if last >= 0 {
		if countErr := d.Notifications.UpdateUnreadCount(ctx, events[last].UserID); countErr != nil {
			// The event that changed it is sent again, and the count with it: clients know the event by its sequence.
			return last, errors.Join(err, countErr)
		}
	}
	return sent, err
}

// show sends one event.
func (d *Events) show(ctx context.Context, e signalbox.Event) error {
	switch {
	case e.Notification != nil:
		return d.Notifications.show(ctx, *e.Notification)
	case e.Order != nil:
		return d.Orders.show(ctx, e.Order.Before, e.Order.After)
	case e.Access:
		return d.Access.renew(ctx, e.UserID, e.Lost)
	case e.SignedOut:
		return d.Access.signOut(ctx, e.UserID)
	}
	for _, id := range e.Read {
		if err := d.Notifications.user(e.UserID).NotificationRead(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// ResendMissed sends to the connections of this process what was sent since a time, the zero time meaning ever, and what
// they have, as far as this process knows, not been given: such as after the way to the other processes was lost. What is
// in the outbox is left to it. What a connection has got by another way it may get again, and knows by its sequence or
// version. It says how many messages it sent, and goes on with the others when one fails.
func (d *Events) ResendMissed(ctx context.Context, since time.Time) (sent int, err error) {
	notifications, err := d.Notifications.resend(ctx, since)
	orders, ordersErr := d.Orders.resend(ctx, since)
	if err = errors.Join(err, ordersErr); err != nil {
		err = fmt.Errorf("sending what connections have missed: %w", err)
	}
	return notifications + orders, err
}
