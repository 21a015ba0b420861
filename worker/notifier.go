package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"signalbox"
)

// OrderAnnouncer is what the notifier needs of a [signalbox.OrderService].
type OrderAnnouncer interface {
	OrdersNeedingUpdates(ctx context.Context, limit int) ([]signalbox.Order, error)
	AnnounceOrder(ctx context.Context, o signalbox.Order, m signalbox.NotificationMessage) (n signalbox.Notification, ok bool, err error)
}

// OrderProcessingNotifier tells the owners of orders that a status has changed. Each change is stored as a
// notification, once however many notifiers run, and the [Publisher] shows it. What could not be stored is tried again.
//
// ASP.NET pattern: OrderProcessingNotifier.
type OrderProcessingNotifier struct {
	// Orders is required.
	Orders OrderAnnouncer
	// Interval is the time between two looks at the orders; 30 seconds when 0.
	Interval time.Duration
	// ErrorDelay is the time to the next look after one in which something failed; 60 seconds when 0.
	ErrorDelay time.Duration
	// Log is slog's default when nil.
	Log *slog.Logger
}

// announceBatch is how many orders are read at a time.
const announceBatch = 100

// Run announces what needs it, now and after each interval, until ctx ends. See the package's comment.
func (w *OrderProcessingNotifier) Run(ctx context.Context) error {
	if w.Orders == nil {
		return errors.New("worker.OrderProcessingNotifier: Orders is required")
	}
	for {
		delay := orDefault(w.Interval, 30*time.Second)
		if err := w.announceAll(ctx); err != nil && ctx.Err() == nil {
			delay = orDefault(w.ErrorDelay, time.Minute)
			logger(w.Log).ErrorContext(ctx, "announcing order changes failed", "error", err, "retryIn", delay)
		}
		if !sleep(ctx, delay) {
			return nil
		}
	}
}

// announceAll tries each order that needs an announcement once.
func (w *OrderProcessingNotifier) announceAll(ctx context.Context) error {
	var failures []error
	tried := make(map[string]bool)
	for more := true; more; {
		// Orders that have failed are still the longest waiting. A limit that counts them shows what is behind them.
		limit := announceBatch + len(failures)
		orders, err := w.Orders.OrdersNeedingUpdates(ctx, limit)
		if err != nil {
			return err
		}
		more = false
		for _, o := range orders {
			if err := ctx.Err(); err != nil {
				return err
			}
			if tried[o.ID] {
				continue
			}
			tried[o.ID] = true
			more = len(orders) == limit
			if err := w.announce(ctx, o); err != nil {
				failures = append(failures, err)
			}
		}
	}
	if len(failures) > 0 {
		return fmt.Errorf("%d orders, the first: %w", len(failures), failures[0])
	}
	return nil
}

// announce stores one order's notification, unless another worker has.
func (w *OrderProcessingNotifier) announce(ctx context.Context, o signalbox.Order) error {
	m, err := orderUpdate(o)
	if err != nil {
		return err
	}
	_, _, err = w.Orders.AnnounceOrder(ctx, o, m)
	return err
}

// orderUpdate is what an order's owner is told.
func orderUpdate(o signalbox.Order) (signalbox.NotificationMessage, error) {
	data, err := json.Marshal(struct {
		OrderID string                `json:"orderId"`
		Status  signalbox.OrderStatus `json:"status"`
	}{o.ID, o.Status})
	if err != nil {
		return signalbox.NotificationMessage{}, err
	}
	return signalbox.NotificationMessage{
		Title:   "Order Update",
		Message: fmt.Sprintf("Your order #%s status changed to %s", o.ID, o.Status),
		Type:    signalbox.TypeOrderUpdate,
		Data:    data,
	}, nil
}
