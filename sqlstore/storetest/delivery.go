package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

func sequences(list []signalbox.Notification) []int64 {
	var all []int64
	for _, n := range list {
		all = append(all, n.Sequence)
	}
	return all
}

// removeOld removes all but the newest keep of each user, and returns how many that were.
func removeOld(t *testing.T, s Store, before time.Time, keep int) (total int64) {
	t.Helper()
	for {
		n, err := s.RemoveOldNotifications(t.Context(), before, keep)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return total
		}
		total += n
	}
}

var deliveryTests = []test{
	{"who catches up gets what came after, in order, a part at a time", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		stored := notify(t, s, "ada", 5)
		notify(t, s, "grace", 2)
		if _, err := s.MarkAsRead(t.Context(), "ada", stored[4].ID); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			after     int64
			limit     int
			want      []int64
			more, gap bool
		}{
			{0, 10, []int64{1, 2, 3, 4, 5}, false, false},
			{0, 5, []int64{1, 2, 3, 4, 5}, false, false},
			{0, 4, []int64{1, 2, 3, 4}, true, false},
			{4, 4, []int64{5}, false, false},
			{5, 4, nil, false, false},
			{6, 4, nil, false, true}, // such as from before a backup was restored
			{3, 0, nil, true, false},
		} {
			c, err := s.CatchUp(t.Context(), "ada", test.after, test.limit)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(sequences(c.Notifications), test.want) || c.More != test.more || c.Gap != test.gap {
				t.Errorf("CatchUp(after %d, limit %d) = %v, more %t, gap %t", test.after, test.limit, sequences(c.Notifications), c.More, c.Gap)
			}
			if want := (signalbox.InboxState{LastSequence: 5, FirstSequence: 1, Unread: 4}); c.Inbox != want {
				t.Errorf("inbox %+v, want %+v", c.Inbox, want)
			}
			if test.limit == 10 && c.Notifications[4].ReadAt == nil {
				t.Error("what was read is not")
			}
		}
		c, err := s.CatchUp(t.Context(), "nobody", 0, 10)
		if want := (signalbox.CatchUp{Inbox: signalbox.InboxState{FirstSequence: 1}}); err != nil || !cmp.Equal(want, c) {
			t.Errorf("CatchUp of nobody = %+v, %v", c, err)
		}
	}},
	{"retention leaves the newest, says where they begin, and keeps the count true", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		stored := notify(t, s, "ada", 6)
		notify(t, s, "grace", 2)
		if _, err := s.MarkAsRead(t.Context(), "ada", stored[0].ID); err != nil {
			t.Fatal(err)
		}
		deliver(t, s, allSent)
		if n := removeOld(t, s, time.Time{}, 4); n != 2 {
			t.Errorf("%d removed, want 2", n)
		}
		want := signalbox.InboxState{LastSequence: 6, FirstSequence: 3, Unread: 4}
		for after, gap := range map[int64]bool{0: true, 1: true, 2: false, 3: false} {
			c, err := s.CatchUp(t.Context(), "ada", after, 10)
			if err != nil || c.Gap != gap || c.Inbox != want || c.Notifications[0].Sequence != max(after+1, 3) {
				t.Errorf("CatchUp(after %d) = %v, gap %t, %+v, %v, want gap %t and %+v", after, sequences(c.Notifications), c.Gap, c.Inbox, err, gap, want)
			}
		}
		wantUnread(t, s, "grace", 2)
		wantEvents(t, s, map[string][]string{"ada": {"unread"}})

		if n := removeOld(t, s, stored[5].CreatedAt, 0); n != 3 { // grace's are newer
			t.Errorf("%d removed by age, want 3", n)
		}
		if got := sequences(inbox(t, s, "ada")); !slices.Equal(got, []int64{6}) {
			t.Errorf("left %v", got)
		}
		if n := removeOld(t, s, time.Now().Add(time.Hour), 0); n != 3 {
			t.Errorf("%d removed, want the other 3", n)
		}
		wantUnread(t, s, "ada", 0)
		if state, err := s.InboxState(t.Context(), "ada"); err != nil || state != (signalbox.InboxState{LastSequence: 6, FirstSequence: 7}) {
			t.Errorf("InboxState = %+v, %v", state, err)
		}
		if n := notify(t, s, "ada", 1); n[0].Sequence != 7 {
			t.Errorf("the next sequence is %d, want 7", n[0].Sequence)
		}
		if n := removeOld(t, s, time.Time{}, 0); n != 0 {
			t.Errorf("%d removed without a limit", n)
		}
	}},
	{"a receipt says what has become of a notification", func(t *testing.T, s Store) {
		ctx := t.Context()
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		n := notify(t, s, "ada", 2)[0]
		receipt := func() signalbox.Receipt {
			t.Helper()
			r, err := s.Receipt(ctx, n.ID)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		if diff := cmp.Diff(signalbox.Receipt{Notification: n}, receipt()); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		deliver(t, s, func(signalbox.PendingEvents) signalbox.Delivery { return signalbox.Delivery{Sent: 1} })
		sent := receipt()
		if sent.SentAt == nil || sent.SentAt.Before(n.CreatedAt) || sent.DeliveredAt != nil {
			t.Errorf("sent: %+v", sent)
		}
		if err := s.ConfirmDelivered(ctx, "grace", []string{n.ID}); err != nil { // it is not hers
			t.Fatal(err)
		}
		if r := receipt(); r.DeliveredAt != nil {
			t.Errorf("somebody else has confirmed it: %+v", r)
		}
		var first signalbox.Receipt
		for i := range 2 {
			if err := s.ConfirmDelivered(ctx, "ada", []string{"nothing", n.ID}); err != nil {
				t.Fatal(err)
			}
			if r := receipt(); i == 0 {
				first = r
			} else if diff := cmp.Diff(first, r); diff != "" {
				t.Errorf("confirming it again changes it (-first +second):\n%s", diff)
			}
		}
		if first.DeliveredAt == nil || first.ReadAt != nil {
			t.Errorf("delivered: %+v", first)
		}
		if _, err := s.MarkAsRead(ctx, "ada", n.ID); err != nil {
			t.Fatal(err)
		}
		if r := receipt(); r.ReadAt == nil || r.SentAt == nil || r.DeliveredAt == nil {
			t.Errorf("read: %+v", r)
		}
		_, err := s.Receipt(ctx, "nothing")
		wantError(t, "Receipt", err, signalbox.ErrNotFound)
		if err := s.ConfirmDelivered(ctx, "nobody", []string{n.ID}); err != nil {
			t.Errorf("ConfirmDelivered by nobody: %v", err)
		}
	}},
	{"a request that is repeated is answered as before", func(t *testing.T, s Store) {
		ctx := t.Context()
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		key := &signalbox.IdempotencyKey{Owner: "shop", Key: "k", RequestHash: "h"}
		p := signalbox.Publication{Users: []string{"grace", "ada"}, Message: hello, Idempotency: key}
		first, replayed, err := s.Publish(ctx, p)
		if err != nil || replayed || len(first) != 2 || first[0].UserID != "grace" || first[1].Sequence != 1 {
			t.Fatalf("Publish = %+v, %t, %v", first, replayed, err)
		}
		again, replayed, err := s.Publish(ctx, p)
		if diff := cmp.Diff(first, again); diff != "" || err != nil || !replayed {
			t.Errorf("again: %t, %v (-first +second):\n%s", replayed, err, diff)
		}
		wantUnread(t, s, "ada", 1)
		wantUnread(t, s, "grace", 1)

		other := p
		other.Idempotency = &signalbox.IdempotencyKey{Owner: "shop", Key: "k", RequestHash: "other"}
		_, _, err = s.Publish(ctx, other)
		wantError(t, "another request", err, signalbox.ErrIdempotencyMismatch)
		for _, key := range []*signalbox.IdempotencyKey{nil, {Owner: "shop", Key: "K", RequestHash: "h"}, {Owner: "shed", Key: "k", RequestHash: "other"}} {
			other.Idempotency = key
			if _, replayed, err := s.Publish(ctx, other); err != nil || replayed {
				t.Errorf("under %+v: replayed %t, %v", key, replayed, err)
			}
		}
		wantUnread(t, s, "ada", 4)

		// What fails is not remembered.
		failing := signalbox.Publication{Users: []string{"joan"}, Message: hello, Idempotency: &signalbox.IdempotencyKey{Owner: "shop", Key: "f", RequestHash: "h"}}
		_, _, err = s.Publish(ctx, failing)
		wantInvalid(t, "a user who does not exist", err, "users")
		createUser(t, s, "joan")
		if stored, replayed, err := s.Publish(ctx, failing); err != nil || replayed || len(stored) != 1 {
			t.Errorf("once the user exists: %+v, %t, %v", stored, replayed, err)
		}
		// To nobody is an answer too.
		empty := signalbox.Publication{Topic: "news", Message: hello, Idempotency: &signalbox.IdempotencyKey{Owner: "shop", Key: "e", RequestHash: "h"}}
		for i := range 2 {
			stored, replayed, err := s.Publish(ctx, empty)
			if stored == nil || len(stored) > 0 || replayed != (i == 1) || err != nil {
				t.Errorf("to nobody: %#v, %t, %v", stored, replayed, err)
			}
		}
		if n, err := s.DeleteExpiredKeys(ctx); err != nil || n != 0 {
			t.Errorf("DeleteExpiredKeys = %d, %v: none has expired", n, err)
		}
	}},
	{"of requests under one key at once one publishes", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		var published, repeated, refused atomic.Int32
		atOnce(t, 16, func(int) error {
			_, replayed, err := s.Publish(t.Context(), signalbox.Publication{
				Users: []string{"ada"}, Message: hello, Idempotency: &signalbox.IdempotencyKey{Owner: "shop", Key: "k", RequestHash: "h"},
			})
			switch {
			case errors.Is(err, signalbox.ErrInFlight):
				refused.Add(1)
				return nil
			case err == nil && replayed:
				repeated.Add(1)
			case err == nil:
				published.Add(1)
			}
			return err
		})
		if published.Load() != 1 || repeated.Load()+refused.Load() != 15 {
			t.Errorf("%d published, %d repeated, %d refused; want 1 and 15 others", published.Load(), repeated.Load(), refused.Load())
		}
		wantUnread(t, s, "ada", 1)
	}},
	{"unread counts equal a recount at all times", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		const readers, writers, each = 50, 50, 4
		var writing sync.WaitGroup
		stop := make(chan struct{})
		var recounts atomic.Int32
		errs := make(chan error, readers+writers)
		for range readers {
			writing.Go(func() {
				for {
					// All at one moment: the count as it is kept, and what it counts.
					c, err := s.CatchUp(t.Context(), "ada", 0, 10_000)
					if err != nil {
						errs <- err
						return
					}
					unread := 0
					for _, n := range c.Notifications {
						if n.ReadAt == nil {
							unread++
						}
					}
					if unread != c.Inbox.Unread {
						errs <- fmt.Errorf("the count is %d and %d are unread", c.Inbox.Unread, unread)
						return
					}
					recounts.Add(1)
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		var at sync.WaitGroup
		for i := range writers {
			at.Go(func() {
				for j := range each {
					var err error
					switch (i + j) % 5 {
					case 0, 1:
						_, err = s.Notify(t.Context(), []string{"ada"}, hello)
					case 2:
						var list []signalbox.Notification
						if list, err = s.Notifications(t.Context(), "ada", 0, 20); err == nil && len(list) > 0 {
							_, err = s.MarkAsRead(t.Context(), "ada", list[rand.N(len(list))].ID)
							if errors.Is(err, signalbox.ErrNotFound) {
								err = nil // Retention was faster.
							}
						}
					case 3:
						_, err = s.RemoveOldNotifications(t.Context(), time.Time{}, 15)
					case 4:
						_, err = s.MarkAllAsRead(t.Context(), "ada")
					}
					if err != nil {
						errs <- err
						return
					}
				}
			})
		}
		at.Wait()
		close(stop)
		writing.Wait()
		close(errs)
		for err := range errs {
			t.Error(err)
		}
		if recounts.Load() < readers {
			t.Errorf("only %d recounts", recounts.Load())
		}
	}},
}

var accessTests = []test{
	{"roles are set", func(t *testing.T, s Store) {
		ctx := t.Context()
		createUser(t, s, "ada", "admin")
		if err := s.Subscribe(ctx, "ada", "ops"); err != nil {
			t.Fatal(err)
		}
		u, err := s.SetRoles(ctx, "ada", "staff", "clerk", "staff")
		if err != nil || !slices.Equal(u.Roles, []string{"clerk", "staff"}) {
			t.Errorf("SetRoles = %+v, %v", u, err)
		}
		if read, err := s.User(ctx, "ada"); err != nil || !cmp.Equal(u, read) {
			t.Errorf("User = %+v, %v, want %+v", read, err, u)
		}
		if list, err := s.Subscriptions(ctx, "ada"); err != nil || len(list) > 0 {
			t.Errorf("Subscriptions = %q, %v, want none", list, err)
		}
		if u, err := s.SetRoles(ctx, "ada"); err != nil || len(u.Roles) > 0 {
			t.Errorf("SetRoles = %+v, %v, want none", u, err)
		}
		_, err = s.SetRoles(ctx, "nobody", "staff")
		wantError(t, "SetRoles of nobody", err, signalbox.ErrNotFound)
		_, err = s.SetRoles(ctx, "ada", " ")
		wantInvalid(t, "a blank role", err, "roles")
	}},
	{"an order is given to another owner", func(t *testing.T, s Store) {
		ctx := t.Context()
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		made := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada", Status: new(signalbox.StatusShipped), Progress: new(60)})
		want := made
		want.OwnerID, want.Version = "grace", 2
		given, err := s.TransferOrder(ctx, "1", "grace")
		want.UpdatedAt = given.UpdatedAt
		if err != nil || given != want {
			t.Errorf("TransferOrder = %+v, %v, want %+v", given, err, want)
		}
		if read, err := s.Order(ctx, "1"); err != nil || read != given {
			t.Errorf("Order = %+v, %v, want %+v", read, err, given)
		}
		if again, err := s.TransferOrder(ctx, "1", "grace"); err != nil || again != given {
			t.Errorf("to its owner: %+v, %v, want no change", again, err)
		}
		if history, _, err := s.History(ctx, "1", 10); err != nil || len(history) != 2 {
			t.Errorf("History = %+v, %v, want two events", history, err)
		}
		_, err = s.TransferOrder(ctx, "1", "nobody")
		wantInvalid(t, "to nobody", err, "owner")
		_, err = s.TransferOrder(ctx, "2", "ada")
		wantError(t, "an unknown order", err, signalbox.ErrNotFound)
	}},
}
