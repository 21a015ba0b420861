package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"signalbox"
)

// OrderChanger is what the demo needs of a [signalbox.OrderService].
type OrderChanger interface {
	Order(ctx context.Context, id string) (signalbox.Order, error)
	ChangeOrder(ctx context.Context, c signalbox.OrderChange) (before, after signalbox.Order, err error)
}

// DemoOrders moves a few orders along, so that there is something to see: at each interval the one that has stood
// still the longest goes on by one stage, and when all have ended they start over. It makes and moves the orders in
// IDs and no others, however long it runs; orders that somebody else has made stay as they are.
type DemoOrders struct {
	// Orders and OwnerID, the user whose orders they are, are required.
	Orders  OrderChanger
	OwnerID string
	// IDs are the orders' ids; 1001, 1002 and 1003 when empty.
	IDs []string
	// Interval is the time between two moves; 3 seconds when 0.
	Interval time.Duration
	// Log is slog's default when nil.
	Log *slog.Logger
}

// stage is one step of an order's way.
type stage struct {
	status   signalbox.OrderStatus
	progress int
	message  string
}

// demoCourses are the ways that orders go, in turn; progress rises with each stage.
var demoCourses = [][]stage{deliveredCourse, deliveredCourse, cancelledCourse}

var deliveredCourse = []stage{
	{signalbox.StatusPending, 0, "We have received your order."},
	{signalbox.StatusConfirmed, 10, "Your payment has arrived."},
	{signalbox.StatusProcessing, 25, "We are picking your items."},
	{signalbox.StatusProcessing, 45, "We are packing your parcel."},
	{signalbox.StatusShipped, 60, "Your parcel has left our warehouse."},
	{signalbox.StatusShipped, 85, "Your parcel is out for delivery."},
	{signalbox.StatusCompleted, 100, "Your parcel has been delivered. Thank you!"},
}

var cancelledCourse = []stage{
	{signalbox.StatusPending, 0, "We have received your order."},
	{signalbox.StatusConfirmed, 10, "Your payment has arrived."},
	{signalbox.StatusProcessing, 25, "We are picking your items."},
	{signalbox.StatusProcessing, 40, "An item is out of stock. We are asking our supplier."},
	{signalbox.StatusCancelled, 45, "The item cannot be had any more. You get your money back."},
}

// Run moves an order, now and after each interval, until ctx ends. See the package's comment.
func (w *DemoOrders) Run(ctx context.Context) error {
	if w.Orders == nil || w.OwnerID == "" {
		return errors.New("worker.DemoOrders: Orders and OwnerID are required")
	}
	every(ctx, orDefault(w.Interval, 3*time.Second), logger(w.Log), "moving the demo's orders", w.move)
	return nil
}

// move takes one order a stage further, or starts all over when none can go further.
func (w *DemoOrders) move(ctx context.Context) error {
	ids := w.IDs
	if len(ids) == 0 {
		ids = []string{"1001", "1002", "1003"}
	}
	var longest signalbox.Order
	var next stage
	for i, id := range ids {
		o, err := w.Orders.Order(ctx, id)
		if errors.Is(err, signalbox.ErrNotFound) || err == nil && (o.OwnerID != w.OwnerID || o.Status.Final()) {
			continue
		}
		if err != nil {
			return err
		}
		if longest.ID == "" || o.UpdatedAt.Before(longest.UpdatedAt) {
			longest, next = o, stageAfter(demoCourses[i%len(demoCourses)], o.Progress)
		}
	}
	if longest.ID != "" {
		return w.change(ctx, longest.ID, next)
	}
	var errs []error
	for i, id := range ids {
		errs = append(errs, w.change(ctx, id, demoCourses[i%len(demoCourses)][0]))
	}
	return errors.Join(errs...)
}

func (w *DemoOrders) change(ctx context.Context, id string, to stage) error {
	_, _, err := w.Orders.ChangeOrder(ctx, signalbox.OrderChange{
		ID: id, OwnerID: w.OwnerID, Status: &to.status, Progress: &to.progress, Message: &to.message,
	})
	if err != nil {
		return fmt.Errorf("order %s: %w", id, err)
	}
	return nil
}

// stageAfter returns the first stage with more progress, or the last. It needs no memory of its own, so that a demo
// goes on after a restart, and after somebody else has changed the order.
func stageAfter(course []stage, progress int) stage {
	for _, s := range course {
		if s.progress > progress {
			return s
		}
	}
	return course[len(course)-1]
}
