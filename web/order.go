package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"signalbox"
)

// orderContent is the data of order.html.
type orderContent struct {
	signalbox.Order
	// Steps are the states that an order passes through when all goes well.
	Steps []signalbox.OrderStatus
	// Timeline is newest first.
	Timeline []timelineEntry
	// PollSeconds is how often a browser without JavaScript loads the page again.
	PollSeconds int
}

// timelineEntry is a stretch of an order's history with one status and one message; only the progress moved meanwhile.
type timelineEntry struct {
	Status   signalbox.OrderStatus
	Message  string
	Progress int
	At       time.Time
}

// BlankEntry is the entry that scripts make new ones from.
func (orderContent) BlankEntry() timelineEntry { return timelineEntry{} }

func (s *Server) orderPage(w http.ResponseWriter, r *http.Request, user signalbox.User) error {
	order, events, err := s.orderWithHistory(r.Context(), r.PathValue("orderId"))
	if err != nil {
		return err
	}
	if order.OwnerID != user.ID {
		return fmt.Errorf("order of somebody else: %w", signalbox.ErrNotFound)
	}
	return s.render(w, r, &user, page{
		template: "order.html", Title: "Order #" + order.ID, Section: "orders",
		Content: orderContent{
			Order: order,
			Steps: []signalbox.OrderStatus{
				signalbox.StatusPending, signalbox.StatusConfirmed, signalbox.StatusProcessing,
				signalbox.StatusShipped, signalbox.StatusCompleted,
			},
			Timeline:    timelineOf(events),
			PollSeconds: max(1, int(s.opts.PollInterval/time.Second)),
		},
	})
}

// orderWithHistory reads an order and its history, as of one version: when the order changes between the two reads, the
// last event says how it stands.
func (s *Server) orderWithHistory(ctx context.Context, id string) (signalbox.Order, []signalbox.OrderEvent, error) {
	order, err := s.opts.Orders.Order(ctx, id)
	if err != nil {
		return signalbox.Order{}, nil, fmt.Errorf("read an order: %w", err)
	}
	events, err := s.opts.Orders.History(ctx, id)
	if err != nil {
		return signalbox.Order{}, nil, fmt.Errorf("read an order's history: %w", err)
	}
	if n := len(events); n > 0 && events[n-1].Version > order.Version {
		last := events[n-1]
		order.Version, order.UpdatedAt = last.Version, last.At
		order.Status, order.Progress, order.Message = last.Status, last.Progress, last.Message
	}
	return order, events, nil
}

// timelineOf joins events, oldest first, to entries, newest first.
func timelineOf(events []signalbox.OrderEvent) []timelineEntry {
	var entries []timelineEntry
	for _, e := range events {
		if n := len(entries); n > 0 && entries[n-1].Status == e.Status && entries[n-1].Message == e.Message {
			entries[n-1].Progress = e.Progress
			continue
		}
		entries = append(entries, timelineEntry{Status: e.Status, Message: e.Message, Progress: e.Progress, At: e.At})
	}
	slices.Reverse(entries)
	return entries
}
