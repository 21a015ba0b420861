package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

// change makes or changes an order and returns it as it is after that.
func change(t *testing.T, s Store, c signalbox.OrderChange) signalbox.Order {
	t.Helper()
	_, after, err := s.ChangeOrder(t.Context(), c)
	if err != nil {
		t.Fatalf("ChangeOrder(%+v): %v", c, err)
	}
	return after
}

// orderIDs returns the ids of orders.
func orderIDs(orders []signalbox.Order) []string {
	var ids []string
	for _, o := range orders {
		ids = append(ids, o.ID)
	}
	return ids
}

var orderTests = []test{
	{"an order is made, changed and read", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		before, made, err := s.ChangeOrder(t.Context(), signalbox.OrderChange{ID: "1001", OwnerID: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(signalbox.Order{}, before); diff != "" {
			t.Errorf("order before it was made (-want +got):\n%s", diff)
		}
		want := signalbox.Order{ID: "1001", OwnerID: "ada", Status: signalbox.StatusPending, Version: 1,
			CreatedAt: made.CreatedAt, UpdatedAt: made.CreatedAt}
		if diff := cmp.Diff(want, made); diff != "" || made.CreatedAt.IsZero() {
			t.Errorf("new order differs (-want +got):\n%s", diff)
		}

		before, changed, err := s.ChangeOrder(t.Context(), signalbox.OrderChange{ID: "1001", OwnerID: "ada",
			Status: new(signalbox.StatusShipped), Progress: new(70), Message: new("On its way")})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(made, before); diff != "" {
			t.Errorf("order before the change (-made +before):\n%s", diff)
		}
		want.Status, want.Progress, want.Message, want.Version, want.UpdatedAt = signalbox.StatusShipped, 70, "On its way", 2, changed.UpdatedAt
		if diff := cmp.Diff(want, changed); diff != "" {
			t.Errorf("changed order differs (-want +got):\n%s", diff)
		}
		if !changed.UpdatedAt.After(made.UpdatedAt) {
			t.Errorf("UpdatedAt %v is not after %v", changed.UpdatedAt, made.UpdatedAt)
		}
		read, err := s.Order(t.Context(), "1001")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(changed, read); diff != "" {
			t.Errorf("order read differs (-changed +read):\n%s", diff)
		}

		history, kept, err := s.History(t.Context(), "1001", 10)
		if err != nil {
			t.Fatal(err)
		}
		wantHistory := []signalbox.OrderEvent{
			{Version: 1, Status: signalbox.StatusPending, At: made.UpdatedAt},
			{Version: 2, Status: signalbox.StatusShipped, Progress: 70, Message: "On its way", At: changed.UpdatedAt},
		}
		if diff := cmp.Diff(wantHistory, history); diff != "" {
			t.Errorf("history differs (-want +got):\n%s", diff)
		}
		if latest, _, err := s.History(t.Context(), "1001", 1); err != nil || kept != 2 || len(latest) != 1 || latest[0].Version != 2 {
			t.Errorf("the latest is %+v of %d, %v", latest, kept, err)
		}
		if none, kept, err := s.History(t.Context(), "1001", 0); err != nil || kept != 2 || len(none) != 0 {
			t.Errorf("History with limit 0: %+v of %d, %v", none, kept, err)
		}
	}},
	{"nil fields stay as they are", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		made := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada", Status: new(signalbox.StatusProcessing), Progress: new(30), Message: new("m")})
		want := made
		for _, step := range []struct {
			change signalbox.OrderChange
			apply  func()
		}{
			{signalbox.OrderChange{ID: "1", Progress: new(0)}, func() { want.Progress = 0 }},
			{signalbox.OrderChange{ID: "1", Message: new("")}, func() { want.Message = "" }},
			{signalbox.OrderChange{ID: "1", Status: new(signalbox.StatusFailed)}, func() { want.Status = signalbox.StatusFailed }},
		} {
			got := change(t, s, step.change)
			step.apply()
			want.Version++
			want.UpdatedAt = got.UpdatedAt
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("order differs (-want +got):\n%s", diff)
			}
		}
	}},
	{"a change that changes nothing keeps the version", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		made := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada", Progress: new(30)})
		for _, c := range []signalbox.OrderChange{
			{ID: "1"},
			{ID: "1", OwnerID: "ada", Status: new(signalbox.StatusPending), Progress: new(30), Message: new("")},
		} {
			if diff := cmp.Diff(made, change(t, s, c)); diff != "" {
				t.Errorf("order differs (-want +got):\n%s", diff)
			}
		}
		if history, _, err := s.History(t.Context(), "1", 10); err != nil || len(history) != 1 {
			t.Errorf("History = %+v, %v, want one event", history, err)
		}
	}},
	{"an order keeps its owner", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		made := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada"})
		_, _, err := s.ChangeOrder(t.Context(), signalbox.OrderChange{ID: "1", OwnerID: "grace", Progress: new(5)})
		wantError(t, "ChangeOrder with another owner", err, signalbox.ErrConflict)
		if got, err := s.Order(t.Context(), "1"); err != nil || got != made {
			t.Errorf("the order became %+v, %v", got, err)
		}
	}},
	{"changes are checked", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		for _, test := range []struct {
			what   string
			change signalbox.OrderChange
			field  string
		}{
			{"no owner", signalbox.OrderChange{ID: "1"}, "owner"},
			{"unknown owner", signalbox.OrderChange{ID: "1", OwnerID: "nobody"}, "owner"},
			{"no id", signalbox.OrderChange{OwnerID: "ada"}, "id"},
			{"long id", signalbox.OrderChange{ID: strings.Repeat("1", signalbox.MaxOrderIDLength+1), OwnerID: "ada"}, "id"},
			{"status", signalbox.OrderChange{ID: "1", OwnerID: "ada", Status: new(signalbox.OrderStatus("Lost"))}, "status"},
			{"progress", signalbox.OrderChange{ID: "1", OwnerID: "ada", Progress: new(101)}, "progress"},
			{"message", signalbox.OrderChange{ID: "1", OwnerID: "ada", Message: new("\xff")}, "message"},
		} {
			_, _, err := s.ChangeOrder(t.Context(), test.change)
			wantInvalid(t, test.what, err, test.field)
		}
		if orders, err := s.Orders(t.Context(), "ada"); err != nil || len(orders) != 0 {
			t.Errorf("Orders = %+v, %v, want none", orders, err)
		}
	}},
	{"an unknown order is not found", func(t *testing.T, s Store) {
		_, err := s.Order(t.Context(), "1")
		wantError(t, "Order", err, signalbox.ErrNotFound)
		_, _, err = s.History(t.Context(), "1", 10)
		wantError(t, "History", err, signalbox.ErrNotFound)
	}},
	{"an owner's orders are listed, the last changed first", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		for _, id := range []string{"b", "a", "c"} {
			change(t, s, signalbox.OrderChange{ID: id, OwnerID: "ada"})
		}
		change(t, s, signalbox.OrderChange{ID: "g", OwnerID: "grace"})
		change(t, s, signalbox.OrderChange{ID: "a", Progress: new(10)})
		orders, err := s.Orders(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"a", "c", "b"}; !slices.Equal(orderIDs(orders), want) {
			t.Errorf("Orders = %q, want %q", orderIDs(orders), want)
		}
		if one, err := s.Order(t.Context(), "a"); err != nil || one != orders[0] {
			t.Errorf("Order = %+v, %v, want what Orders says: %+v", one, err, orders[0])
		}
	}},
	{"each of many changes at once gets a version", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		const goroutines = 24
		atOnce(t, goroutines, func(i int) error {
			before, after, err := s.ChangeOrder(t.Context(), signalbox.OrderChange{ID: "1", OwnerID: "ada", Message: new(fmt.Sprint("change ", i))})
			if err == nil && after.Version != before.Version+1 {
				err = fmt.Errorf("version %d after %d", after.Version, before.Version)
			}
			return err
		})
		history, _, err := s.History(t.Context(), "1", 100)
		if err != nil || len(history) != goroutines {
			t.Fatalf("History has %d events, %v, want %d", len(history), err, goroutines)
		}
		for i, event := range history {
			if event.Version != int64(i+1) {
				t.Errorf("event %d has version %d", i, event.Version)
			}
		}
	}},
	{"a change is made if its precondition holds", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		do := func(what string, p *signalbox.OrderPrecondition, id string, progress int, want error) {
			t.Helper()
			before, _ := s.Order(t.Context(), id)
			_, after, err := s.ChangeOrder(t.Context(), signalbox.OrderChange{ID: id, OwnerID: "ada", Progress: &progress, If: p})
			if want != nil {
				wantError(t, what, err, want)
				if now, _ := s.Order(t.Context(), id); now != before {
					t.Errorf("%s: the order became %+v", what, now)
				}
			} else if err != nil || after.Progress != progress {
				t.Errorf("%s: %+v, %v", what, after, err)
			}
		}
		failed := signalbox.ErrPrecondition
		do("present, of none", &signalbox.OrderPrecondition{Present: true}, "1", 1, failed)
		do("version, of none", &signalbox.OrderPrecondition{Versions: []int64{0, 1}}, "1", 1, failed)
		do("absent, of none", &signalbox.OrderPrecondition{Absent: true}, "1", 1, nil)
		do("absent, of one", &signalbox.OrderPrecondition{Absent: true}, "1", 2, failed)
		do("present, of one", &signalbox.OrderPrecondition{Present: true}, "1", 2, nil)
		do("former version", &signalbox.OrderPrecondition{Versions: []int64{1}}, "1", 3, failed)
		do("no version", &signalbox.OrderPrecondition{Versions: []int64{}}, "1", 3, failed)
		do("one of two versions", &signalbox.OrderPrecondition{Versions: []int64{1, 2}}, "1", 3, nil)
		do("present and absent", &signalbox.OrderPrecondition{Present: true, Absent: true}, "1", 4, failed)
	}},
	{"of changes at once to one version one is made", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		made := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada"})
		var won atomic.Int64
		atOnce(t, 24, func(i int) error {
			_, _, err := s.ChangeOrder(t.Context(), signalbox.OrderChange{ID: "1", Message: new(fmt.Sprint("change ", i)),
				If: &signalbox.OrderPrecondition{Versions: []int64{made.Version}}})
			if errors.Is(err, signalbox.ErrPrecondition) {
				return nil
			}
			won.Add(1)
			return err
		})
		if o, err := s.Order(t.Context(), "1"); err != nil || won.Load() != 1 || o.Version != 2 {
			t.Errorf("%d changes were made, and the order is %+v, %v", won.Load(), o, err)
		}
	}},
	{"the latest of a history is kept", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		change(t, s, signalbox.OrderChange{ID: "2", OwnerID: "ada"})
		const beyond = 3
		for i := range signalbox.MaxOrderHistory + beyond {
			change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada", Progress: new(i % 101)})
		}
		history, kept, err := s.History(t.Context(), "1", 2*signalbox.MaxOrderHistory)
		if err != nil || len(history) != signalbox.MaxOrderHistory || kept != len(history) {
			t.Fatalf("History has %d events of %d, %v", len(history), kept, err)
		}
		if first, last := history[0].Version, history[len(history)-1].Version; first != beyond+1 || last != signalbox.MaxOrderHistory+beyond {
			t.Errorf("versions %d to %d are kept", first, last)
		}
		if _, kept, err := s.History(t.Context(), "2", 1); err != nil || kept != 1 {
			t.Errorf("of another order %d events are kept, %v", kept, err)
		}
	}},
}
