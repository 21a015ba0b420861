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
	// Timeline are the latest entries, newest first.
	Timeline []timelineEntry
	// Earlier is how many entries there are besides; Forgotten says that there were more, which are not kept.
	Earlier   int
	Forgotten bool
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

// mostEntries is how many entries of an order's history its page shows.
const mostEntries = 50

func (s *Server) orderPage(w http.ResponseWriter, r *http.Request, user signalbox.User) error {
	order, events, _, err := s.orderWithHistory(r.Context(), r.PathValue("orderId"), signalbox.MaxOrderHistory)
	if err != nil {
		return err
	}
	if order.OwnerID != user.ID {
		return fmt.Errorf("order of somebody else: %w", signalbox.ErrNotFound)
	}
	timeline := timelineOf(events)
	shown := timeline[:min(len(timeline), mostEntries)]
	return s.render(w, r, &user, page{
		template: "order.html", Title: "Order #" + order.ID, Section: "orders",
		Content: orderContent{
			Order: order,
			Steps: []signalbox.OrderStatus{
				signalbox.StatusPending, signalbox.StatusConfirmed, signalbox.StatusProcessing,
				signalbox.StatusShipped, signalbox.StatusCompleted,
			},
			Timeline:    shown,
			Earlier:     len(timeline) - len(shown),
			Forgotten:   len(events) > 0 && events[0].Version > 1,
			PollSeconds: max(1, int(s.opts.PollInterval/time.Second)),
		},
	})
}

// orderWithHistory reads an order, its latest events and how many are kept, as of one version: when the order changes
// between the two reads, the last event says how it stands.
func (s *Server) orderWithHistory(
	ctx context.Context, id string, limit int,
) (order signalbox.Order, latest []signalbox.OrderEvent, kept int, err error) {
	order, err = s.opts.Orders.Order(ctx, id)
	if err != nil {
		return signalbox.Order{}, nil, 0, fmt.Errorf("read an order: %w", err)
	}
	latest, kept, err = s.opts.Orders.History(ctx, id, limit)
	if err != nil {
		return signalbox.Order{}, nil, 0, fmt.Errorf("read an order's history: %w", err)
	}
	if n := len(latest); n > 0 && latest[n-1].Version > order.Version {
		last := latest[n-1]
		order.Version, order.UpdatedAt = last.Version, last.At
		order.Status, order.Progress, order.Message = last.Status, last.Progress, last.Message
	}
	return order, latest, kept, nil
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
