package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"signalbox"
)

// missed says what Missed shows: users and sequences.
func missed(t *testing.T, s Store, after map[string]int64, since time.Time) string {
	t.Helper()
	text := ""
	err := s.Missed(t.Context(), after, since, func(_ context.Context, list []signalbox.Notification) error {
		for _, n := range list {
			text += fmt.Sprintf("%s %d ", n.UserID, n.Sequence)
		}
		return nil
	})
	if err != nil {
		t.Errorf("Missed: %v", err)
	}
	return text
}

var missedTests = []test{
	{"several users' missed notifications are found at once", func(t *testing.T, s Store) {
		for _, user := range []string{"ada", "grace", "joan"} {
			createUser(t, s, user)
			notify(t, s, user, 3)
		}
		deliver(t, s, allSent)
		late := notify(t, s, "ada", 1)[0].CreatedAt
		deliver(t, s, allSent)
		after := map[string]int64{"ada": 2, "grace": 0, "nobody": 0}
		for _, test := range []struct {
			after map[string]int64
			since time.Time
			want  string
		}{
			{after, time.Time{}, "ada 3 ada 4 grace 1 grace 2 grace 3 "},
			{after, late, "ada 4 "},
			{after, time.Now().Add(time.Hour), ""},
			{nil, time.Time{}, ""},
		} {
			if got := missed(t, s, test.after, test.since); got != test.want {
				t.Errorf("Missed(%v, %v) = %s, want %s", test.after, test.since, got, test.want)
			}
		}
		if err := s.Missed(t.Context(), after, late, func(context.Context, []signalbox.Notification) error { return errDead }); !errors.Is(err, errDead) {
			t.Errorf("Missed: %v, want the error of who is shown it", err)
		}
	}},
	{"many missed notifications are shown in order", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		const many = 1100
		want := ""
		for i := range many {
			if _, err := s.Notify(t.Context(), []string{"ada"}, hello); err != nil {
				t.Fatal(err)
			}
			want += fmt.Sprintf("ada %d ", i+1)
		}
		notify(t, s, "grace", 1)
		for round := (signalbox.OutboxRound{Sent: 1}); round.Sent > 0; {
			_, round = deliver(t, s, allSent)
		}
		if got := missed(t, s, map[string]int64{"ada": 0, "grace": 0}, time.Time{}); got != want+"grace 1 " {
			t.Errorf("Missed = %s", got)
		}
	}},
	{"what is in the outbox is not missed, and what was sent or given up is", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		notify(t, s, "ada", 6)
		all := map[string]int64{"ada": 0}
		if got := missed(t, s, all, time.Time{}); got != "" {
			t.Errorf("before anything was sent: %s", got)
		}
		deliver(t, s, func(signalbox.PendingEvents) signalbox.Delivery {
			return signalbox.Delivery{Sent: 2, Err: errDead, GiveUp: true}
		})
		began := time.Now()
		if got, want := missed(t, s, all, time.Time{}), "ada 1 ada 2 ada 3 "; got != want {
			t.Errorf("after two were sent and one given up: %s, want %s", got, want)
		}
		// It counts when they were sent, however long they have waited for that.
		if _, err := s.ReplayDeadLetters(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := missed(t, s, all, began); got != "" {
			t.Errorf("after one was put back: %s", got)
		}
		deliver(t, s, func(signalbox.PendingEvents) signalbox.Delivery { return signalbox.Delivery{Sent: 2} })
		if got, want := missed(t, s, all, began), "ada 3 ada 4 "; got != want {
			t.Errorf("after two more were sent: %s, want %s", got, want)
		}
		wantEvents(t, s, map[string][]string{"ada": {"notification 5", "notification 6"}})
	}},
	{"who shows what was missed and who sends take turns", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		notify(t, s, "ada", 2)
		all := map[string]int64{"ada": 0}
		deliver(t, s, func(signalbox.PendingEvents) signalbox.Delivery { return signalbox.Delivery{Sent: 1} })

		// Nothing is sent while something is shown.
		shown := 0
		err := s.Missed(t.Context(), all, time.Time{}, func(context.Context, []signalbox.Notification) error {
			shown++
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			round, err := s.DeliverPending(ctx, func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
				t.Errorf("%d events are sent meanwhile", len(batch[0].Events))
				return make([]signalbox.Delivery, len(batch))
			})
			if err == nil && !round.Busy || err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("DeliverPending = %+v, %v, want that it has to wait", round, err)
			}
			return nil
		})
		if err != nil || shown != 1 {
			t.Errorf("Missed: %v, %d times", err, shown)
		}

		// What is shown waits for what is being sent, and shows it: it was not in the outbox any more.
		got := make(chan string, 1)
		deliver(t, s, func(p signalbox.PendingEvents) signalbox.Delivery {
			go func() { got <- missed(t, s, all, time.Time{}) }()
			select {
			case text := <-got:
				t.Errorf("shown while the rest is sent: %s", text)
				got <- text
			case <-time.After(100 * time.Millisecond):
			}
			return allSent(p)
		})
		if text, want := <-got, "ada 1 ada 2 "; text != want {
			t.Errorf("shown after it: %s, want %s", text, want)
		}
	}},
	{"who shows what was missed does not wait for ever for who sends", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		stored := notify(t, s, "ada", 2)
		deliver(t, s, func(p signalbox.PendingEvents) signalbox.Delivery {
			// Whether they have been sent is not known yet.
			if got, want := missed(t, s, map[string]int64{"ada": 0}, stored[1].CreatedAt), "ada 2 "; got != want {
				t.Errorf("shown while they are sent: %s, want %s", got, want)
			}
			return allSent(p)
		})
	}},
}
