package worker

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

// fakeOrders keeps orders and every state they were in.
type fakeOrders struct {
	orders  map[string]signalbox.Order
	history map[string][]signalbox.Order
	changes int
	// broken are orders that cannot be changed.
	broken map[string]bool
}

func newFakeOrders(existing ...signalbox.Order) *fakeOrders {
	f := &fakeOrders{orders: map[string]signalbox.Order{}, history: map[string][]signalbox.Order{}, broken: map[string]bool{}}
	for _, o := range existing {
		f.orders[o.ID] = o
	}
	return f
}

func (f *fakeOrders) Order(_ context.Context, id string) (signalbox.Order, error) {
	o, ok := f.orders[id]
	if !ok {
		return signalbox.Order{}, signalbox.ErrNotFound
	}
	return o, nil
}

func (f *fakeOrders) ChangeOrder(_ context.Context, c signalbox.OrderChange) (before, after signalbox.Order, err error) {
	if err := c.Validate(); err != nil {
		return before, after, err
	}
	if f.broken[c.ID] {
		return before, after, errBroken
	}
	before = f.orders[c.ID]
	if before.ID != "" && before.OwnerID != c.OwnerID {
		return before, after, signalbox.ErrConflict
	}
	after = signalbox.Order{ID: c.ID, OwnerID: c.OwnerID, Status: *c.Status, Progress: *c.Progress, Message: *c.Message,
		Version: before.Version + 1, UpdatedAt: time.Now()}
	f.orders[c.ID] = after
	f.history[c.ID] = append(f.history[c.ID], after)
	f.changes++
	return before, after, nil
}

// statuses returns the statuses that an order went through, each once in a row.
func (f *fakeOrders) statuses(id string) string {
	var names []string
	for _, o := range f.history[id] {
		if len(names) == 0 || names[len(names)-1] != string(o.Status) {
			names = append(names, string(o.Status))
		}
	}
	return strings.Join(names, " ")
}

// oneRound is how many intervals the default orders take from their start to the end of the last.
var oneRound = time.Duration(2*(len(deliveredCourse)-1) + len(cancelledCourse) - 1)

func TestDemoGoesItsWayAndStartsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeOrders()
		w := &DemoOrders{Orders: store, OwnerID: "demo", Interval: 2 * time.Second}
		runFor(t, oneRound*w.Interval, w.Run)
		const delivered, cancelled = "Pending Confirmed Processing Shipped Completed", "Pending Confirmed Processing Cancelled"
		for id, want := range map[string]string{"1001": delivered, "1002": delivered, "1003": cancelled} {
			if got := store.statuses(id); got != want {
				t.Errorf("order %s went %s, want %s", id, got, want)
			}
			history := store.history[id]
			for i, o := range history {
				if o.OwnerID != "demo" || o.Message == "" {
					t.Errorf("order %s: %+v, want owner demo and a message", id, o)
				}
				if i > 0 && o.Progress <= history[i-1].Progress {
					t.Errorf("order %s: progress %d after %d", id, o.Progress, history[i-1].Progress)
				}
			}
		}

		// All have ended; another worker, as after a restart, starts them over, and makes no others.
		runFor(t, (oneRound+1)*w.Interval-time.Second, w.Run)
		for id, want := range map[string]string{"1001": delivered, "1002": delivered, "1003": cancelled} {
			if got := store.statuses(id); got != want+" "+want {
				t.Errorf("order %s went %s, want twice %s", id, got, want)
			}
		}
		if len(store.orders) != 3 {
			t.Errorf("%d orders, want 3", len(store.orders))
		}
	})
}

func TestDemoMovesOneOrderEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeOrders()
		w := &DemoOrders{Orders: store, OwnerID: "demo", IDs: []string{"a", "b"}}
		runFor(t, 13*time.Second, w.Run)
		if want := 2 + 4; store.changes != want { // Both start, and at 3, 6, 9 and 12 seconds one moves.
			t.Errorf("%d changes in 13 seconds, want %d", store.changes, want)
		}
		if a, b := len(store.history["a"]), len(store.history["b"]); a != 3 || b != 3 {
			t.Errorf("a changed %d times and b %d times, want each in turn", a, b)
		}
	})
}

func TestDemoGoesOnWhereItStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeOrders(
			signalbox.Order{ID: "1", OwnerID: "demo", Status: signalbox.StatusShipped, Progress: 60, Version: 5},
			signalbox.Order{ID: "2", OwnerID: "demo", Status: signalbox.StatusCompleted, Progress: 100, Version: 7},
		)
		w := &DemoOrders{Orders: store, OwnerID: "demo", IDs: []string{"1", "2"}}
		runFor(t, time.Second, w.Run)
		if o := store.orders["1"]; o.Status != signalbox.StatusShipped || o.Progress != 85 || store.changes != 1 {
			t.Errorf("order 1 became %+v after %d changes, want shipped at 85 after 1", o, store.changes)
		}
		// Somebody else has changed it to what is on no course.
		store.orders["1"] = signalbox.Order{ID: "1", OwnerID: "demo", Status: signalbox.StatusPending, Progress: 100, Version: 9}
		runFor(t, time.Second, w.Run)
		if o := store.orders["1"]; o.Status != signalbox.StatusCompleted {
			t.Errorf("order 1 became %+v, want it to end", o)
		}
	})
}

func TestDemoLeavesOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		others := []signalbox.Order{
			{ID: "1002", OwnerID: "somebody", Status: signalbox.StatusPending, Version: 1},
			{ID: "A-7", OwnerID: "demo", Status: signalbox.StatusProcessing, Version: 2},
		}
		store := newFakeOrders(others...)
		w := &DemoOrders{Orders: store, OwnerID: "demo", Log: logTo(&log)}
		runFor(t, time.Minute, w.Run)
		for _, o := range others {
			if diff := cmp.Diff(o, store.orders[o.ID]); diff != "" {
				t.Errorf("order %s changed (-want +got):\n%s", o.ID, diff)
			}
		}
		if got := store.statuses("1001"); !strings.HasPrefix(got, "Pending Confirmed Processing Shipped Completed") {
			t.Errorf("order 1001 went %s", got)
		}
		if !strings.Contains(log.String(), "1002") {
			t.Errorf("that order 1002 is taken was not logged: %s", &log)
		}
	})
}

func TestDemoTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := newFakeOrders()
		store.broken["1001"] = true
		w := &DemoOrders{Orders: store, OwnerID: "demo", Log: logTo(&log)}
		runFor(t, time.Second, w.Run)
		if len(store.orders) != 2 || !strings.Contains(log.String(), errBroken.Error()) {
			t.Errorf("%d orders started, want 2; logged: %s", len(store.orders), &log)
		}
		delete(store.broken, "1001")
		runFor(t, 5*time.Minute, w.Run)
		if len(store.history["1001"]) == 0 {
			t.Error("order 1001 never started")
		}
	})
}
