package worker

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

// fakeAnnouncer keeps the orders that need to be announced, the longest waiting first.
type fakeAnnouncer struct {
	mu      sync.Mutex
	start   time.Time
	waiting []signalbox.Order
	// broken are the orders whose announcement fails; taken those that another worker announces first.
	broken, taken map[string]bool
	// readErrs are the errors of the next reads.
	readErrs []error

	onAnnounce func() // may be nil

	reads     []time.Duration
	announced []signalbox.Notification
}

func newFakeAnnouncer(waiting ...signalbox.Order) *fakeAnnouncer {
	return &fakeAnnouncer{start: time.Now(), waiting: waiting, broken: map[string]bool{}, taken: map[string]bool{}}
}

func (f *fakeAnnouncer) OrdersNeedingUpdates(_ context.Context, limit int) ([]signalbox.Order, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads = append(f.reads, time.Since(f.start))
	if len(f.readErrs) > 0 {
		err := f.readErrs[0]
		f.readErrs = f.readErrs[1:]
		if err != nil {
			return nil, err
		}
	}
	return slices.Clone(f.waiting[:min(limit, len(f.waiting))]), nil
}

func (f *fakeAnnouncer) AnnounceOrder(_ context.Context, o signalbox.Order, m signalbox.NotificationMessage) (signalbox.Notification, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken[o.ID] {
		return signalbox.Notification{}, false, errBroken
	}
	i := slices.Index(f.waiting, o)
	if i < 0 {
		return signalbox.Notification{}, false, nil
	}
	f.waiting = slices.Delete(f.waiting, i, i+1)
	if f.taken[o.ID] {
		return signalbox.Notification{}, false, nil
	}
	n := signalbox.Notification{ID: "n-" + o.ID, UserID: o.OwnerID, NotificationMessage: m}
	f.announced = append(f.announced, n)
	if f.onAnnounce != nil {
		f.onAnnounce()
	}
	return n, true, nil
}

// announcedIDs returns the ids of the orders announced.
func (f *fakeAnnouncer) announcedIDs() []string {
	var ids []string
	for _, n := range f.announced {
		ids = append(ids, strings.TrimPrefix(n.ID, "n-"))
	}
	return ids
}

func order(id string) signalbox.Order {
	return signalbox.Order{ID: id, OwnerID: "owner-of-" + id, Status: signalbox.StatusShipped, Version: 3}
}

func orders(n int) []signalbox.Order {
	var all []signalbox.Order
	for i := range n {
		all = append(all, order(fmt.Sprint(i)))
	}
	return all
}

func TestNotifierAnnounces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeAnnouncer(order("1001"))
		runFor(t, 75*time.Second, (&OrderProcessingNotifier{Orders: store}).Run)

		want := []signalbox.Notification{{ID: "n-1001", UserID: "owner-of-1001", NotificationMessage: signalbox.NotificationMessage{
			Title:   "Order Update",
			Message: "Your order #1001 status changed to Shipped",
			Type:    signalbox.TypeOrderUpdate,
			Data:    []byte(`{"orderId":"1001","status":"Shipped"}`),
		}}}
		if diff := cmp.Diff(want, store.announced); diff != "" {
			t.Errorf("announced (-want +got):\n%s", diff)
		}
		if err := want[0].Validate(); err != nil {
			t.Errorf("what is announced is not valid: %v", err)
		}
		wantTimes(t, store.reads, 0, 30*time.Second, 60*time.Second)
	})
}

func TestNotifierWaitsLongerAfterAnError(t *testing.T) {
	for _, test := range []struct {
		name                 string
		interval, errorDelay time.Duration
		runFor               time.Duration
		want                 []time.Duration
	}{
		{"by default", 0, 0, 2 * time.Minute, []time.Duration{0, 60 * time.Second, 90 * time.Second, 120 * time.Second}},
		{"as told", 2 * time.Second, 3 * time.Second, 6 * time.Second, []time.Duration{0, 3 * time.Second, 5 * time.Second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				store := newFakeAnnouncer(order("1001"))
				store.readErrs = []error{errBroken}
				runFor(t, test.runFor, (&OrderProcessingNotifier{Orders: store,
					Interval: test.interval, ErrorDelay: test.errorDelay, Log: logTo(&log)}).Run)
				wantTimes(t, store.reads, test.want...)
				if got := store.announcedIDs(); !slices.Equal(got, []string{"1001"}) {
					t.Errorf("announced %q, want 1001 at the second attempt", got)
				}
				if n := strings.Count(log.String(), errBroken.Error()); n != 1 {
					t.Errorf("the error was logged %d times, want once:\n%s", n, &log)
				}
			})
		})
	}
}

func TestNotifierFailingOrderStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := newFakeAnnouncer(order("1"), order("2"), order("3"))
		store.broken["2"] = true
		w := &OrderProcessingNotifier{Orders: store, Log: logTo(&log)}
		runFor(t, 59*time.Second, w.Run)
		if got, want := store.announcedIDs(), []string{"1", "3"}; !slices.Equal(got, want) {
			t.Errorf("announced %q, want %q", got, want)
		}
		if !strings.Contains(log.String(), errBroken.Error()) {
			t.Errorf("logged: %s", &log)
		}
		wantTimes(t, store.reads, 0)

		delete(store.broken, "2")
		runFor(t, time.Second, w.Run)
		if got, want := store.announcedIDs(), []string{"1", "3", "2"}; !slices.Equal(got, want) {
			t.Errorf("announced %q, want %q", got, want)
		}
	})
}

func TestNotifierSeesBehindFailingOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeAnnouncer(orders(announceBatch*2 + 50)...)
		for _, o := range store.waiting[:announceBatch*2] {
			store.broken[o.ID] = true
		}
		runFor(t, time.Second, (&OrderProcessingNotifier{Orders: store, Log: logTo(&bytes.Buffer{})}).Run)
		if n := len(store.announced); n != 50 {
			t.Errorf("%d orders announced, want the 50 that do not fail", n)
		}
	})
}

func TestNotifierEmptiesTheQueueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = announceBatch*3 + 7
		store := newFakeAnnouncer(orders(n)...)
		runFor(t, time.Second, (&OrderProcessingNotifier{Orders: store}).Run)
		if len(store.announced) != n {
			t.Errorf("%d announced, want %d", len(store.announced), n)
		}
	})
}

func TestNotifierLeavesWhatAnotherAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := newFakeAnnouncer(order("1"), order("2"))
		store.taken["1"] = true
		runFor(t, 40*time.Second, (&OrderProcessingNotifier{Orders: store, Log: logTo(&log)}).Run)
		if got, want := store.announcedIDs(), []string{"2"}; !slices.Equal(got, want) {
			t.Errorf("announced %q, want %q", got, want)
		}
		if log.Len() > 0 {
			t.Errorf("that another worker was faster is no error, but was logged: %s", &log)
		}
		wantTimes(t, store.reads, 0, 30*time.Second)
	})
}

func TestNotifiersTogetherAnnounceOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeAnnouncer(orders(150)...)
		w := &OrderProcessingNotifier{Orders: store}
		runFor(t, time.Second, func(ctx context.Context) error {
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { w.Run(ctx) })
			}
			wg.Wait()
			return nil
		})
		if len(store.announced) != 150 {
			t.Errorf("%d announced, want 150", len(store.announced))
		}
	})
}

func TestNotifierStopsBetweenOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		store := newFakeAnnouncer(orders(3)...)
		store.onAnnounce = cancel
		if err := (&OrderProcessingNotifier{Orders: store, Log: logTo(&log)}).Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
		if len(store.announced) != 1 || log.Len() > 0 {
			t.Errorf("%d announced, want 1; logged: %s", len(store.announced), &log)
		}
	})
}
