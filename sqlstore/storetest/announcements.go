package storetest

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

var update = signalbox.NotificationMessage{Title: "Order Update", Type: signalbox.TypeOrderUpdate}

// wantWaiting fails the test unless these orders need to be announced, in this order.
func wantWaiting(t *testing.T, s Store, want ...string) []signalbox.Order {
	t.Helper()
	orders, err := s.OrdersNeedingUpdates(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(orderIDs(orders), want) {
		t.Fatalf("OrdersNeedingUpdates = %q, want %q", orderIDs(orders), want)
	}
	return orders
}

// wantAnnounced announces an order and fails the test unless that says ok.
func wantAnnounced(t *testing.T, s Store, o signalbox.Order, want bool) signalbox.Notification {
	t.Helper()
	n, ok, err := s.AnnounceOrder(t.Context(), o, update)
	if err != nil || ok != want {
		t.Fatalf("AnnounceOrder(%s version %d) = %t, %v, want %t", o.ID, o.Version, ok, err, want)
	}
	return n
}

var announcementTests = []test{
	{"a status is announced once", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		made := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada"})
		if diff := cmp.Diff([]signalbox.Order{made}, wantWaiting(t, s, "1")); diff != "" {
			t.Errorf("waiting order differs (-want +got):\n%s", diff)
		}
		n := wantAnnounced(t, s, made, true)
		want := signalbox.Notification{ID: n.ID, UserID: "ada", Sequence: 1, NotificationMessage: update, CreatedAt: n.CreatedAt}
		if diff := cmp.Diff(want, n); diff != "" {
			t.Errorf("notification differs (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]signalbox.Notification{n}, inbox(t, s, "ada")); diff != "" {
			t.Errorf("inbox differs (-announced +read):\n%s", diff)
		}
		wantWaiting(t, s)

		wantAnnounced(t, s, made, false)
		wantUnread(t, s, "ada", 1)

		shipped := change(t, s, signalbox.OrderChange{ID: "1", Status: new(signalbox.StatusShipped)})
		wantWaiting(t, s, "1")
		if n := wantAnnounced(t, s, shipped, true); n.Sequence != 2 {
			t.Errorf("sequence %d after an announcement that stored nothing, want 2", n.Sequence)
		}
		wantWaiting(t, s)
	}},
	{"progress and message are not announced", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		made := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada"})
		moved := change(t, s, signalbox.OrderChange{ID: "1", Progress: new(50), Message: new("half")})
		// Two workers saw the same status at different versions.
		wantAnnounced(t, s, made, true)
		wantAnnounced(t, s, moved, false)
		change(t, s, signalbox.OrderChange{ID: "1", Progress: new(60)})
		wantWaiting(t, s)
		wantUnread(t, s, "ada", 1)
	}},
	{"an older status is not announced after a newer one", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		pending := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada"})
		shipped := change(t, s, signalbox.OrderChange{ID: "1", Status: new(signalbox.StatusShipped)})
		wantAnnounced(t, s, shipped, true)
		wantAnnounced(t, s, pending, false)
		wantWaiting(t, s)
	}},
	{"a status that came meanwhile still needs its announcement", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		pending := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada"})
		shipped := change(t, s, signalbox.OrderChange{ID: "1", Status: new(signalbox.StatusShipped)})
		wantAnnounced(t, s, pending, true)
		wantWaiting(t, s, "1")
		wantAnnounced(t, s, shipped, true)
		wantWaiting(t, s)
	}},
	{"the longest waiting come first", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		c := change(t, s, signalbox.OrderChange{ID: "c", OwnerID: "ada"})
		change(t, s, signalbox.OrderChange{ID: "b", OwnerID: "grace"})
		change(t, s, signalbox.OrderChange{ID: "a", OwnerID: "ada"})
		change(t, s, signalbox.OrderChange{ID: "c", Status: new(signalbox.StatusShipped)})
		wantWaiting(t, s, "c", "b", "a")
		// The first of c's two changes has been announced; the second is the youngest of all.
		wantAnnounced(t, s, c, true)
		wantWaiting(t, s, "b", "a", "c")
		for limit, want := range [][]string{nil, {"b"}, {"b", "a"}} {
			orders, err := s.OrdersNeedingUpdates(t.Context(), limit)
			if err != nil || !slices.Equal(orderIDs(orders), want) {
				t.Errorf("OrdersNeedingUpdates(%d) = %q, %v, want %q", limit, orderIDs(orders), err, want)
			}
		}
	}},
	{"of many announcers one wins", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		made := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada"})
		var won atomic.Int32
		atOnce(t, 8, func(int) error {
			n, ok, err := s.AnnounceOrder(t.Context(), made, update)
			if ok {
				won.Add(1)
			} else if n.ID != "" {
				t.Errorf("an announcer that lost got %+v", n)
			}
			return err
		})
		if n := won.Load(); n != 1 {
			t.Errorf("%d announcers won, want 1", n)
		}
		wantUnread(t, s, "ada", 1)
	}},
	{"an announcement that fails leaves the order waiting", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		made := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada"})
		_, ok, err := s.AnnounceOrder(t.Context(), made, signalbox.NotificationMessage{})
		wantInvalid(t, "AnnounceOrder without a title", err, "title")
		if ok {
			t.Error("AnnounceOrder without a title says ok")
		}
		for _, unknown := range []signalbox.Order{{ID: "2", OwnerID: "ada", Version: 1}, {ID: "1", OwnerID: "ada", Version: 2}} {
			_, ok, err = s.AnnounceOrder(t.Context(), unknown, update)
			wantError(t, "AnnounceOrder of an unknown version", err, signalbox.ErrNotFound)
			if ok {
				t.Error("AnnounceOrder of an unknown version says ok")
			}
		}
		wantWaiting(t, s, "1")
		wantUnread(t, s, "ada", 0)
	}},
	{"the owner hears it, whoever the caller believes to be the owner", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		made := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada"})
		made.OwnerID = "grace"
		if n := wantAnnounced(t, s, made, true); n.UserID != "ada" {
			t.Errorf("%q was told, want ada", n.UserID)
		}
		wantUnread(t, s, "grace", 0)
	}},
}
