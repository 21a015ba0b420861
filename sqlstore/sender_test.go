//go:build unix

package sqlstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox"
	"signalbox/sqlstore"
)

// drain sends all that is due, and returns it.
func drain(t *testing.T, s *sqlstore.Store) []signalbox.Event {
	t.Helper()
	var all []signalbox.Event
	for deadline := time.Now().Add(time.Minute); ; {
		round, err := s.DeliverPending(t.Context(), func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
			results := make([]signalbox.Delivery, len(batch))
			for i, p := range batch {
				all = append(all, p.Events...)
				results[i].Sent = len(p.Events)
			}
			return results
		})
		if err != nil {
			t.Fatal(err)
		}
		state, err := s.OutboxState(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if state.Depth == 0 {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d events are left: %+v", state.Depth, round)
		}
	}
}

// TestKilledSender kills a process while it sends. What it sent last may be sent again by who comes next, and nothing is
// missing or out of order.
func TestKilledSender(t *testing.T) {
	if os.Getenv("SQLSTORE_TEST_SEND") != "" {
		sendSlowly(t, open(t, sqlstore.Options{Dir: os.Getenv("SQLSTORE_TEST_DIR"), URL: os.Getenv("SQLSTORE_TEST_URL")}))
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	onBoth(t, func(t *testing.T, o sqlstore.Options) {
		s := open(t, o)
		users := []string{"ada", "grace"}
		for _, user := range users {
			if _, err := s.CreateUser(t.Context(), user, "password"); err != nil {
				t.Fatal(err)
			}
		}
		const each = 200
		for range each {
			if _, err := s.Notify(t.Context(), users, signalbox.NotificationMessage{Title: "t"}); err != nil {
				t.Fatal(err)
			}
		}
		got := make(map[string][]int64)
		for range 3 {
			for user, list := range killedAfter(t, program, o, 120) {
				got[user] = append(got[user], list...)
			}
		}
		for _, e := range drain(t, s) {
			got[e.UserID] = append(got[e.UserID], e.Notification.Sequence)
		}
		for _, user := range users {
			repeated := 0
			next := int64(1)
			for _, sequence := range got[user] {
				switch {
				case sequence == next:
					next++
				case sequence < next: // A client drops it.
					repeated++
				default:
					t.Fatalf("%s was sent %d before %d", user, sequence, next)
				}
			}
			if next != each+1 {
				t.Errorf("%s was sent all up to %d, want %d", user, next-1, each)
			}
			if repeated > 3*50 {
				t.Errorf("%s was sent %d again, want at most what one round sends for each process killed", user, repeated)
			}
			t.Logf("%s: %d sent again", user, repeated)
		}
	})
}

// killedAfter starts a process that sends, kills it when it has said so many lines, and returns what it sent.
func killedAfter(t *testing.T, program string, o sqlstore.Options, lines int) map[string][]int64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestKilledSender$")
	cmd.Env = append(os.Environ(), "SQLSTORE_TEST_SEND=1", "SQLSTORE_TEST_DIR="+o.Dir, "SQLSTORE_TEST_URL="+o.URL)
	cmd.WaitDelay = time.Minute
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sent := make(map[string][]int64)
	n := 0
	for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
		var user string
		var sequence int64
		if _, err := fmt.Sscanf(scanner.Text(), "sent %s %d", &user, &sequence); err != nil {
			continue
		}
		sent[user] = append(sent[user], sequence)
		if n++; n == lines {
			_ = cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); err == nil || n < lines {
		t.Fatalf("it ended by itself after %d lines: %v", n, err)
	}
	return sent
}

// sendSlowly sends until it is killed, and says what.
func sendSlowly(t *testing.T, s *sqlstore.Store) {
	for t.Context().Err() == nil {
		_, err := s.DeliverPending(t.Context(), func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
			results := make([]signalbox.Delivery, len(batch))
			for i, p := range batch {
				for _, e := range p.Events {
					fmt.Printf("sent %s %d\n", e.UserID, e.Notification.Sequence)
					results[i].Sent++
				}
			}
			return results
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestSendersTakeTurns opens a database twice: with SQLite one of the two sends until it is closed, with PostgreSQL both
// do, and never for the same user at once.
func TestSendersTakeTurns(t *testing.T) {
	onBoth(t, func(t *testing.T, o sqlstore.Options) {
		first, second := open(t, o), open(t, o)
		for _, user := range []string{"ada", "grace"} {
			if _, err := first.CreateUser(t.Context(), user, "password"); err != nil {
				t.Fatal(err)
			}
		}
		notify := func(user string) {
			t.Helper()
			if _, err := second.Notify(t.Context(), []string{user}, signalbox.NotificationMessage{Title: "t"}); err != nil {
				t.Fatal(err)
			}
		}
		notify("ada")
		_, err := first.DeliverPending(t.Context(), func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
			notify("ada")
			notify("grace") // nobody who stores waits for who sends
			var inside []string
			round, err := second.DeliverPending(t.Context(), func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
				results := make([]signalbox.Delivery, len(batch))
				for i, p := range batch {
					inside = append(inside, p.UserID)
					results[i].Sent = len(p.Events)
				}
				return results
			})
			want := []string{"grace"}
			if o.URL == "" {
				want = nil
			}
			if err != nil || !slices.Equal(inside, want) {
				t.Errorf("meanwhile the other sent to %q, %v, want %q", inside, err, want)
			}
			if round, err = second.DeliverPending(t.Context(), nil); err != nil || o.URL != "" && !round.Busy {
				t.Errorf("then the other's round is %+v, %v", round, err)
			}
			return []signalbox.Delivery{{Sent: 1}}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Close(); err != nil { // and open's Cleanup closes it again, which is no error
			t.Fatal(err)
		}
		var left []string
		for _, e := range drain(t, second) {
			left = append(left, fmt.Sprint(e.UserID, e.Position))
		}
		if want := []string{"ada2"}; o.URL != "" && !slices.Equal(left, want) || o.URL == "" && strings.Join(left, " ") != "ada2 grace1" {
			t.Errorf("left were %q", left)
		}
	})
}

// TestSenderOutlivesItsContext: with SQLite who sends does so for all others until its store is closed, also when the
// context of the round that began it has ended.
func TestSenderOutlivesItsContext(t *testing.T) {
	o := sqlstore.Options{Dir: t.TempDir()}
	first, second := open(t, o), open(t, o)
	if _, err := first.CreateUser(t.Context(), "ada", "password"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := first.DeliverPending(ctx, nil); err != nil { // there is nothing to send
		t.Fatal(err)
	}
	cancel()
	if _, err := first.Notify(t.Context(), []string{"ada"}, signalbox.NotificationMessage{Title: "t"}); err != nil {
		t.Fatal(err)
	}
	inside := false
	_, err := first.DeliverPending(t.Context(), func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
		inside = true
		for range 20 { // the end of a context takes effect in the background
			_, err := second.DeliverPending(t.Context(), func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
				t.Error("both send at once")
				return make([]signalbox.Delivery, len(batch))
			})
			if err != nil {
				t.Error(err)
			}
			time.Sleep(time.Millisecond)
		}
		return []signalbox.Delivery{{Sent: 1}}
	})
	if err != nil || !inside {
		t.Errorf("DeliverPending: %v, sent %t", err, inside)
	}
}

// TestRoundWaitsNoLongerThanItsContext: with SQLite rounds of a store take turns, and whoever has to wait may give up.
func TestRoundWaitsNoLongerThanItsContext(t *testing.T) {
	s := open(t, sqlstore.Options{Dir: t.TempDir()})
	if _, err := s.CreateUser(t.Context(), "ada", "password"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Notify(t.Context(), []string{"ada"}, signalbox.NotificationMessage{Title: "t"}); err != nil {
		t.Fatal(err)
	}
	_, err := s.DeliverPending(t.Context(), func(context.Context, []signalbox.PendingEvents) []signalbox.Delivery {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			_, err := s.DeliverPending(ctx, nil)
			ended <- err
		}()
		select {
		case err := <-ended:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the round that has to wait ends with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the round that has to wait does not heed its context")
		}
		return []signalbox.Delivery{{Sent: 1}}
	})
	if err != nil {
		t.Fatal(err)
	}
}
