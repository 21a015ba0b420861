package live_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox"
	"signalbox/contract/orderhub"
)

// order is ada's order 1, half way.
var order = signalbox.Order{
	ID: "1", OwnerID: "ada", Status: signalbox.StatusProcessing, Progress: 50, Message: "Packing", Version: 4, CreatedAt: at, UpdatedAt: at,
}

// changed is what clients get of order 1 at a version.
func changed(version int64, status string, progress int, message string) string {
	return event("OrderChanged", orderhub.OrderSnapshot{
		ID: "1", Status: status, Progress: progress, Message: message, Version: version, UpdatedAt: at,
	})
}

func (s *site) change(c signalbox.OrderChange) {
	s.t.Helper()
	if _, _, err := s.orders.ChangeOrder(s.t.Context(), c); err != nil {
		s.t.Fatal(err)
	}
}

func TestSubscribeToOrder(t *testing.T) {
	other := order
	other.ID, other.OwnerID = "2", "ben"
	s := newSite(t, order, other)
	ada := s.connect(orderhub.Path, "ada")
	notAuthorized := refused("SubscribeToOrder", "Not authorized to view this order")
	for _, test := range []struct{ name, id, want string }{
		{"her own", "1", `{"type":3,"invocationId":"c","result":{"id":"1","status":"Processing","progress":50,"message":"Packing",` +
			`"version":4,"updatedAt":"2026-03-04T05:06:07.890123Z"}}`},
		{"somebody else's", "2", notAuthorized},
		{"nobody's", "3", notAuthorized},
		{"none", "", notAuthorized},
	} {
		if got := ada.call("SubscribeToOrder", test.id); got != test.want {
			t.Errorf("%s: got  %s\nwant %s", test.name, got, test.want)
		}
	}
	// What was refused is not heard either, not even when it exists later.
	s.change(signalbox.OrderChange{ID: "2", Progress: new(60)})
	s.change(signalbox.OrderChange{ID: "3", OwnerID: "ben"})
	ada.wantNothing()

	s.book.fail("Order", errDown)
	if got, want := ada.call("SubscribeToOrder", "1"), failed("SubscribeToOrder"); got != want {
		t.Errorf("when the store is down\ngot  %s\nwant %s", got, want)
	}
}

// TestSubscribeToOrderMissesNothing changes the order at the worst of times: after it was found to be the caller's, and
// before anybody is told of its changes.
func TestSubscribeToOrderMissesNothing(t *testing.T) {
	s := newSite(t, order)
	s.book.onAfter("Order", func() {
		s.book.onAfter("Order", nil)
		newer := order
		newer.Version, newer.Progress = 5, 75
		s.book.put(newer)
	})
	ada := s.connect(orderhub.Path, "ada")
	if got := ada.call("SubscribeToOrder", "1"); !strings.Contains(got, `"progress":75,"message":"Packing","version":5,`) {
		t.Errorf("got the order as it was before: %s", got)
	}
}

func TestSubscribeToOrderThatGoesMeanwhile(t *testing.T) {
	s := newSite(t, order)
	s.book.onAfter("Order", func() {
		s.book.onAfter("Order", nil)
		s.book.remove("1")
	})
	ada := s.connect(orderhub.Path, "ada")
	if got, want := ada.call("SubscribeToOrder", "1"), refused("SubscribeToOrder", "Not authorized to view this order"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.change(signalbox.OrderChange{ID: "1", OwnerID: "ben"}) // now it is somebody else's
	ada.wantNothing()
}

func TestOrderEvents(t *testing.T) {
	const (
		completed = signalbox.StatusCompleted
		shipped   = signalbox.StatusShipped
	)
	wasCompleted := order
	wasCompleted.Status, wasCompleted.Progress, wasCompleted.Message = completed, 100, ""
	for _, test := range []struct {
		name   string
		from   signalbox.Order
		change signalbox.OrderChange
		want   []string
	}{
		{"nothing", order, signalbox.OrderChange{}, nil},
		{"what is so already", order, signalbox.OrderChange{Status: new(order.Status), Progress: new(50), Message: new("Packing")}, nil},
		{"status", order, signalbox.OrderChange{Status: new(shipped)}, []string{
			event("OrderStatusUpdated", "1", "Shipped", "Packing"), changed(5, "Shipped", 50, "Packing"),
		}},
		{"message", order, signalbox.OrderChange{Message: new("Packed")}, []string{
			event("OrderStatusUpdated", "1", "Processing", "Packed"), changed(5, "Processing", 50, "Packed"),
		}},
		{"no message any more", order, signalbox.OrderChange{Message: new("")}, []string{
			event("OrderStatusUpdated", "1", "Processing", nil), changed(5, "Processing", 50, ""),
		}},
		{"progress", order, signalbox.OrderChange{Progress: new(51)}, []string{
			event("OrderProgressUpdated", "1", 51), changed(5, "Processing", 51, "Packing"),
		}},
		{"back to the start", order, signalbox.OrderChange{Progress: new(0)}, []string{
			event("OrderProgressUpdated", "1", 0), changed(5, "Processing", 0, "Packing"),
		}},
		{"all at once", order, signalbox.OrderChange{Status: new(shipped), Progress: new(80), Message: new("On its way")}, []string{
			event("OrderStatusUpdated", "1", "Shipped", "On its way"), event("OrderProgressUpdated", "1", 80), changed(5, "Shipped", 80, "On its way"),
		}},
		{"completed", order, signalbox.OrderChange{Status: new(completed), Progress: new(100), Message: new("")}, []string{
			event("OrderStatusUpdated", "1", "Completed", nil), event("OrderProgressUpdated", "1", 100), event("OrderCompleted", "1"),
			changed(5, "Completed", 100, ""),
		}},
		{"progress alone completes nothing", order, signalbox.OrderChange{Progress: new(100)}, []string{
			event("OrderProgressUpdated", "1", 100), changed(5, "Processing", 100, "Packing"),
		}},
		{"was completed before", wasCompleted, signalbox.OrderChange{Message: new("Thank you")}, []string{
			event("OrderStatusUpdated", "1", "Completed", "Thank you"), changed(5, "Completed", 100, "Thank you"),
		}},
		{"not completed after all", wasCompleted, signalbox.OrderChange{Status: new(signalbox.StatusFailed)}, []string{
			event("OrderStatusUpdated", "1", "Failed", nil), changed(5, "Failed", 100, ""),
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.from)
			first, second := s.watching("ada", "1"), s.watching("ada", "1")
			test.change.ID = "1"
			before, after, err := s.orders.ChangeOrder(t.Context(), test.change)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.from, before); diff != "" {
				t.Errorf("before (-want +got):\n%s", diff)
			}
			if want := test.from.Version + int64(min(len(test.want), 1)); after.Version != want {
				t.Errorf("after: version %d, want %d", after.Version, want)
			}
			for _, c := range []*client{first, second} {
				c.want(test.want...)
				c.wantNothing()
			}
		})
	}
}

// TestNewOrder is watched by somebody who is in the group already.
func TestNewOrder(t *testing.T) {
	s := newSite(t, order)
	ada := s.watching("ada", "1")
	s.book.remove("1")
	s.change(signalbox.OrderChange{ID: "1", OwnerID: "ada"})
	ada.want(event("OrderStatusUpdated", "1", "Pending", nil), changed(1, "Pending", 0, ""))
	ada.wantNothing()
}

func TestOrderEventsAreForWhoWatches(t *testing.T) {
	other := order
	other.ID = "2"
	s := newSite(t, order, other)
	one, two, both := s.watching("ada", "1"), s.watching("ada", "2"), s.watching("ada", "1")
	if got := both.call("SubscribeToOrder", "2"); !strings.Contains(got, `"id":"2"`) {
		t.Fatal(got)
	}
	none := s.connect(orderhub.Path, "ada")
	s.change(signalbox.OrderChange{ID: "1", Progress: new(60)})
	for _, c := range []*client{one, both} {
		c.want(event("OrderProgressUpdated", "1", 60), changed(5, "Processing", 60, "Packing"))
	}
	two.wantNothing()
	none.wantNothing()

	if got := both.call("UnsubscribeFromOrder", "1"); got != done {
		t.Errorf("UnsubscribeFromOrder: %s", got)
	}
	if got := none.call("UnsubscribeFromOrder", "3"); got != done {
		t.Errorf("UnsubscribeFromOrder of what was not subscribed: %s", got)
	}
	s.change(signalbox.OrderChange{ID: "1", Progress: new(70)})
	one.want(event("OrderProgressUpdated", "1", 70), changed(6, "Processing", 70, "Packing"))
	both.wantNothing()
	s.change(signalbox.OrderChange{ID: "2", Progress: new(60)})
	if got := both.next(); got != event("OrderProgressUpdated", "2", 60) {
		t.Errorf("of the order that is still watched came %s", got)
	}
}

// TestOrderChangesComeInOrder changes an order from many sides at once: watchers must see every version, one after the
// other, with its own progress before it.
func TestOrderChangesComeInOrder(t *testing.T) {
	s := newSite(t, order)
	ada := s.watching("ada", "1")
	const changers, each = 4, 25
	var changing sync.WaitGroup
	for i := range changers {
		changing.Go(func() {
			for j := range each {
				progress := i*each + j
				if progress >= order.Progress {
					progress++ // so that each is a change
				}
				if _, _, err := s.orders.ChangeOrder(t.Context(), signalbox.OrderChange{ID: "1", Progress: &progress}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	changing.Wait()
	for version := order.Version + 1; version <= order.Version+changers*each; version++ {
		var progress int
		if m := ada.next(); !scan(m, `{"type":1,"target":"OrderProgressUpdated","arguments":["1",%d]}`, &progress) {
			t.Fatalf("before version %d came %s", version, m)
		}
		ada.want(changed(version, "Processing", progress, "Packing"))
	}
	ada.wantNothing()
}

func scan(s, format string, into ...any) bool {
	n, err := fmt.Sscanf(s, format, into...)
	return n == len(into) && err == nil
}

func TestOrderThatCannotBeShownIsShownLater(t *testing.T) {
	s := newSite(t, order)
	ada := s.watching("ada", "1")
	s.ordersReachable.cut("order:1")
	if _, after, err := s.orders.ChangeOrder(t.Context(), signalbox.OrderChange{ID: "1", Progress: new(60)}); err != nil || after.Version != 5 {
		t.Errorf("version %d, %v; want 5", after.Version, err)
	}
	s.change(signalbox.OrderChange{ID: "1", Progress: new(61)})
	if err := s.outbox.settle(); !errors.Is(err, errDown) {
		t.Errorf("sending: %v, want %v", err, errDown)
	}
	s.ordersReachable.cut()
	s.outbox.retry()
	ada.want(event("OrderProgressUpdated", "1", 60), changed(5, "Processing", 60, "Packing"),
		event("OrderProgressUpdated", "1", 61), changed(6, "Processing", 61, "Packing"))
	ada.wantNothing()
}

func TestOrderIsShownThoughItsChangerLeaves(t *testing.T) {
	s := newSite(t, order)
	ada := s.watching("ada", "1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.book.onAfter("ChangeOrder", cancel)
	if _, _, err := s.orders.ChangeOrder(ctx, signalbox.OrderChange{ID: "1", Progress: new(60)}); err != nil {
		t.Error(err)
	}
	ada.want(event("OrderProgressUpdated", "1", 60), changed(5, "Processing", 60, "Packing"))
	ada.wantNothing()
}

func TestOrderThatCannotBeStoredIsNotShown(t *testing.T) {
	s := newSite(t, order)
	ada := s.watching("ada", "1")
	s.book.fail("ChangeOrder", fmt.Errorf("changing: %w", signalbox.ErrConflict))
	if _, _, err := s.orders.ChangeOrder(t.Context(), signalbox.OrderChange{ID: "1", Progress: new(60)}); !errors.Is(err, signalbox.ErrConflict) {
		t.Errorf("error %v, want the store's", err)
	}
	ada.wantNothing()
}
