package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox"
)

var errDead = errors.New("the line is dead")

// deliver does one round, and returns what each user was to be sent, as kind names it.
func deliver(t *testing.T, s Store, answer func(signalbox.PendingEvents) signalbox.Delivery) (sent map[string][]string, round signalbox.OutboxRound) {
	t.Helper()
	sent = make(map[string][]string)
	round, err := s.DeliverPending(t.Context(), func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
		var results []signalbox.Delivery
		for _, p := range batch {
			for _, e := range p.Events {
				sent[p.UserID] = append(sent[p.UserID], kind(e))
			}
			results = append(results, answer(p))
		}
		return results
	})
	if err != nil {
		t.Fatalf("DeliverPending: %v", err)
	}
	return sent, round
}

// kind says what an event is about.
func kind(e signalbox.Event) string {
	switch {
	case e.Notification != nil:
		return fmt.Sprint("notification ", e.Notification.Sequence)
	case e.Order != nil:
		return fmt.Sprintf("order %s version %d after %d", e.Order.After.ID, e.Order.After.Version, e.Order.Before.Version)
	case len(e.Read) > 0:
		return fmt.Sprint("read ", len(e.Read))
	case e.Lost != "":
		return "lost " + e.Lost
	case e.Access:
		return "access"
	case e.Unread:
		return "unread"
	case e.SignedOut:
		return "signed out"
	}
	return "nothing"
}

func allSent(p signalbox.PendingEvents) signalbox.Delivery {
	return signalbox.Delivery{Sent: len(p.Events)}
}

// wantEvents fails the test unless a round sends this and the next nothing.
func wantEvents(t *testing.T, s Store, want map[string][]string) {
	t.Helper()
	sent, round := deliver(t, s, allSent)
	if fmt.Sprint(sent) != fmt.Sprint(want) {
		t.Errorf("sent %v, want %v", sent, want)
	}
	n := 0
	for _, list := range sent {
		n += len(list)
	}
	if round.Sent != n || round.Dead != 0 {
		t.Errorf("the round is %+v, want %d sent", round, n)
	}
	if sent, _ := deliver(t, s, allSent); len(sent) > 0 {
		t.Errorf("sent once more: %v", sent)
	}
}

var outboxTests = []test{
	{"every change has its event, in the order of the changes", func(t *testing.T, s Store) {
		ctx := t.Context()
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		stored := notify(t, s, "ada", 2)
		change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada"})
		change(t, s, signalbox.OrderChange{ID: "1", Progress: new(10)})
		change(t, s, signalbox.OrderChange{ID: "1", Progress: new(10)}) // no change
		if _, err := s.MarkAsRead(ctx, "ada", stored[0].ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.MarkAsRead(ctx, "ada", stored[0].ID); err != nil { // no change
			t.Fatal(err)
		}
		if _, err := s.MarkAllAsRead(ctx, "ada"); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second changes nothing
			if err := s.Subscribe(ctx, "grace", "news"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.NotifyTopic(ctx, "news", hello); err != nil {
			t.Fatal(err)
		}
		if err := s.Unsubscribe(ctx, "grace", "news"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SetRoles(ctx, "grace", "admin"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.TransferOrder(ctx, "1", "grace"); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, s, map[string][]string{
			"ada":   {"notification 1", "notification 2", "order 1 version 1 after 0", "order 1 version 2 after 1", "read 1", "read 1", "lost 1"},
			"grace": {"access", "notification 1", "access", "access"},
		})
	}},
	{"what failed leaves no event", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		if _, err := s.Notify(t.Context(), []string{"ada", "nobody"}, hello); err == nil {
			t.Fatal("Notify did not fail")
		}
		if sent, _ := deliver(t, s, allSent); len(sent) > 0 {
			t.Errorf("sent %v", sent)
		}
	}},
	{"an announcement has its event", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		o := change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada"})
		wantAnnounced(t, s, o, true)
		wantAnnounced(t, s, o, false)
		wantEvents(t, s, map[string][]string{"ada": {"order 1 version 1 after 0", "notification 1"}})
	}},
	{"changes signal", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		select {
		case <-s.OutboxChanged():
			t.Error("there is a signal and no event")
		default:
		}
		notify(t, s, "ada", 3)
		select {
		case <-s.OutboxChanged():
		default:
			t.Error("there is no signal")
		}
		select {
		case <-s.OutboxChanged():
			t.Error("there is another signal")
		default:
		}
	}},
	{"what fails is due later, with what is behind it, and others are not held up", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		notify(t, s, "ada", 3)
		notify(t, s, "grace", 1)
		later := time.Now().Add(time.Hour).Truncate(time.Microsecond).UTC()
		var attempts []int
		fail := func(p signalbox.PendingEvents) signalbox.Delivery {
			if p.UserID != "ada" {
				return allSent(p)
			}
			attempts = append(attempts, p.Attempts)
			sent := 0
			if len(attempts) == 2 {
				sent = 1
			}
			return signalbox.Delivery{Sent: sent, Err: errDead, RetryAt: later}
		}
		_, round := deliver(t, s, fail)
		if round.Sent != 1 || round.Dead != 0 {
			t.Errorf("the round is %+v, want one sent", round)
		}
		notify(t, s, "ada", 1)
		sent, round := deliver(t, s, fail)
		if len(sent) > 0 || !round.Next.Equal(later) {
			t.Errorf("sent %v before it was due; next at %v, want %v", sent, round.Next, later)
		}
		for range 2 {
			if err := s.RetryOutbox(t.Context()); err != nil {
				t.Fatal(err)
			}
			deliver(t, s, fail)
		}
		if want := []int{0, 1, 1}; !slices.Equal(attempts, want) {
			t.Errorf("attempts %v, want %v: that one was sent begins the count anew", attempts, want)
		}
		if err := s.RetryOutbox(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, s, map[string][]string{"ada": {"notification 2", "notification 3", "notification 4"}})
	}},
	{"what is given up is a dead letter, and can be replayed first", func(t *testing.T, s Store) {
		ctx := t.Context()
		createUser(t, s, "ada")
		notify(t, s, "ada", 3)
		giveUp := func(p signalbox.PendingEvents) signalbox.Delivery {
			return signalbox.Delivery{Sent: 1, Err: errDead, GiveUp: true}
		}
		if _, round := deliver(t, s, giveUp); round.Sent != 1 || round.Dead != 1 {
			t.Errorf("the round is %+v, want one sent and one dead", round)
		}
		letters, err := s.DeadLetters(ctx, 10)
		if err != nil || len(letters) != 1 {
			t.Fatalf("DeadLetters = %+v, %v, want one", letters, err)
		}
		d := letters[0]
		if d.ID != "ada/2" || kind(d.Event) != "notification 2" || d.Attempts != 1 || d.Reason != errDead.Error() || d.DiedAt.Before(d.CreatedAt) {
			t.Errorf("dead letter %+v", d)
		}
		state, err := s.OutboxState(ctx)
		if err != nil || state.Depth != 1 || state.DeadLetters != 1 || !state.Oldest.After(d.CreatedAt) {
			t.Errorf("OutboxState = %+v, %v", state, err)
		}
		for _, id := range []string{"ada/1", "ada/x", "ada", "nobody/2", ""} {
			_, err := s.ReplayDeadLetters(ctx, "ada/2", id)
			wantError(t, "replaying "+id, err, signalbox.ErrNotFound)
		}
		if n, err := s.ReplayDeadLetters(ctx, "ada/2"); err != nil || n != 1 {
			t.Errorf("ReplayDeadLetters = %d, %v, want 1", n, err)
		}
		wantEvents(t, s, map[string][]string{"ada": {"notification 2", "notification 3"}})
		if n, err := s.ReplayDeadLetters(ctx); err != nil || n != 0 {
			t.Errorf("ReplayDeadLetters = %d, %v, want 0", n, err)
		}
		if state, err := s.OutboxState(ctx); err != nil || state != (signalbox.OutboxState{}) {
			t.Errorf("OutboxState = %+v, %v, want nothing", state, err)
		}
	}},
	{"what was given up since a time is sent after all", func(t *testing.T, s Store) {
		ctx := t.Context()
		createUser(t, s, "ada")
		giveUp := func(signalbox.PendingEvents) signalbox.Delivery {
			return signalbox.Delivery{Err: errDead, GiveUp: true}
		}
		notify(t, s, "ada", 1)
		deliver(t, s, giveUp)
		letters, err := s.DeadLetters(ctx, 1)
		if err != nil || len(letters) != 1 {
			t.Fatalf("DeadLetters = %+v, %v", letters, err)
		}
		after := letters[0].DiedAt.Add(time.Microsecond)
		time.Sleep(2 * time.Millisecond) // the store counts microseconds
		notify(t, s, "ada", 1)
		deliver(t, s, giveUp)
		if n, err := s.ReviveDeadLetters(ctx, after); err != nil || n != 1 {
			t.Errorf("ReviveDeadLetters = %d, %v, want the second", n, err)
		}
		wantEvents(t, s, map[string][]string{"ada": {"notification 2"}})
		if n, err := s.ReviveDeadLetters(ctx, time.Time{}); err != nil || n != 1 {
			t.Errorf("ReviveDeadLetters = %d, %v, want the first", n, err)
		}
		wantEvents(t, s, map[string][]string{"ada": {"notification 1"}})
	}},
	{"what was sent is noted though the sender is stopped", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		notify(t, s, "ada", 2)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.DeliverPending(ctx, func(ctx context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
			cancel()
			if ctx.Err() == nil {
				t.Error("the sender is not told to stop")
			}
			return []signalbox.Delivery{{Sent: 1}}
		})
		if err != nil {
			t.Fatal(err)
		}
		wantEvents(t, s, map[string][]string{"ada": {"notification 2"}})
	}},
	{"rounds are bounded, and come to an end", func(t *testing.T, s Store) {
		// More users than a round takes, and one of them with more events than it takes of one.
		var users []string
		for i := range 103 {
			users = append(users, createUser(t, s, fmt.Sprintf("user%03d", i)).ID)
		}
		const busy, many = "user050", 120
		want := map[string]int{}
		for range many {
			notify(t, s, busy, 1)
		}
		if _, err := s.Notify(t.Context(), users, hello); err != nil {
			t.Fatal(err)
		}
		for _, user := range users {
			want[user] = 1
		}
		want[busy] += many
		got := make(map[string][]string)
		rounds := 0
		for {
			sent, round := deliver(t, s, allSent)
			if round.Sent == 0 {
				break
			}
			rounds++
			for user, list := range sent {
				got[user] = append(got[user], list...)
			}
			if len(sent) > 100 || len(sent[busy]) > 50 {
				t.Errorf("%d users and %d events of one in a round", len(sent), len(sent[busy]))
			}
		}
		for user, n := range want {
			if len(got[user]) != n {
				t.Fatalf("%s was sent %d events, want %d", user, len(got[user]), n)
			}
			for i, what := range got[user] {
				if what != fmt.Sprint("notification ", i+1) {
					t.Fatalf("%s was sent %q at place %d", user, what, i)
				}
			}
		}
		if rounds < 3 {
			t.Errorf("it took %d rounds", rounds)
		}
	}},
	{"senders at once send each event once, and each user's in order", func(t *testing.T, s Store) {
		users := []string{"ada", "grace", "joan"}
		for _, user := range users {
			createUser(t, s, user)
		}
		const each = 40
		var mu sync.Mutex
		got := make(map[string][]string)
		done := make(chan struct{})
		var senders sync.WaitGroup
		for range 4 {
			senders.Go(func() {
				for last := false; ; {
					round, err := s.DeliverPending(t.Context(), func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
						var results []signalbox.Delivery
						mu.Lock()
						defer mu.Unlock()
						for _, p := range batch {
							for _, e := range p.Events {
								got[p.UserID] = append(got[p.UserID], kind(e))
							}
							results = append(results, allSent(p))
						}
						return results
					})
					if err != nil {
						t.Error(err)
						return
					}
					if round.Sent > 0 || round.Busy {
						continue
					}
					if last {
						return
					}
					select {
					case <-done:
						last = true
					case <-time.After(time.Millisecond):
					}
				}
			})
		}
		atOnce(t, len(users), func(i int) error {
			for range each {
				if _, err := s.Notify(t.Context(), []string{users[i], users[(i+1)%len(users)]}, hello); err != nil {
					return err
				}
			}
			return nil
		})
		close(done)
		senders.Wait()
		for _, user := range users {
			var want []string
			for i := range 2 * each {
				want = append(want, fmt.Sprint("notification ", i+1))
			}
			if !slices.Equal(got[user], want) {
				t.Errorf("%s was sent %s", user, strings.Join(got[user], ", "))
			}
		}
	}},
}
