package worker

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox"
)

// fakeOutbox keeps events in memory. All who are due are in one round.
type fakeOutbox struct {
	signalbox.Outbox // nobody asks for the rest

	mu      sync.Mutex
	start   time.Time
	changed chan struct{}
	waiting map[string][]signalbox.Event
	failed  map[string]int
	dueAt   map[string]time.Time
	busy    bool  // another process is sending
	err     error // the database is down
	rounds  []time.Duration
	dead    []string
}

func newFakeOutbox() *fakeOutbox {
	return &fakeOutbox{
		start: time.Now(), changed: make(chan struct{}, 1), waiting: map[string][]signalbox.Event{},
		failed: map[string]int{}, dueAt: map[string]time.Time{},
	}
}

// add adds events as this process does, and addElsewhere as another does.
func (f *fakeOutbox) add(user string, ids ...string) {
	f.addElsewhere(user, ids...)
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *fakeOutbox) addElsewhere(user string, ids ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		f.waiting[user] = append(f.waiting[user], signalbox.Event{UserID: user, Read: []string{id}})
	}
}

func (f *fakeOutbox) OutboxChanged() <-chan struct{} { return f.changed }

func (f *fakeOutbox) DeliverPending(ctx context.Context, deliver func(context.Context, []signalbox.PendingEvents) []signalbox.Delivery) (signalbox.OutboxRound, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rounds = append(f.rounds, time.Since(f.start))
	if f.err != nil || f.busy {
		return signalbox.OutboxRound{Busy: f.busy}, f.err
	}
	var batch []signalbox.PendingEvents
	var round signalbox.OutboxRound
	for user, events := range f.waiting {
		switch at := f.dueAt[user]; {
		case at.After(time.Now()):
			if round.Next.IsZero() || at.Before(round.Next) {
				round.Next = at
			}
		case len(events) > 0:
			batch = append(batch, signalbox.PendingEvents{UserID: user, Attempts: f.failed[user], Events: slices.Clone(events)})
		}
	}
	if len(batch) == 0 {
		return round, nil
	}
	f.mu.Unlock()
	results := deliver(ctx, batch)
	f.mu.Lock()
	round = signalbox.OutboxRound{}
	for i, r := range results {
		user := batch[i].UserID
		f.waiting[user] = f.waiting[user][r.Sent:]
		round.Sent += r.Sent
		if r.Sent > 0 {
			f.failed[user] = 0
		}
		switch {
		case r.GiveUp:
			f.dead = append(f.dead, f.waiting[user][0].Read[0])
			f.waiting[user], f.failed[user] = f.waiting[user][1:], 0
			round.Dead++
		case r.Err != nil:
			f.failed[user]++
			f.dueAt[user] = r.RetryAt
		}
	}
	return round, nil
}

// fakeSender notes what it sends and when; it fails for users as broken says.
type fakeSender struct {
	mu     sync.Mutex
	start  time.Time
	broken func(user string) error
	sent   []string
	tried  []time.Duration
}

func (f *fakeSender) Deliver(ctx context.Context, events []signalbox.Event) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried = append(f.tried, time.Since(f.start))
	for i, e := range events {
		if f.broken != nil {
			if err := f.broken(e.UserID); err != nil {
				return i, err
			}
		}
		f.sent = append(f.sent, e.Read[0])
	}
	return len(events), ctx.Err()
}

func TestPublisherSendsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outbox, live := newFakeOutbox(), &fakeSender{start: time.Now()}
		outbox.addElsewhere("ada", "left over")
		go func() {
			time.Sleep(300 * time.Millisecond)
			outbox.add("ada", "1", "2")
			time.Sleep(time.Millisecond)
			outbox.add("ada", "3")
		}()
		runFor(t, 500*time.Millisecond, (&Publisher{Outbox: outbox, Live: live}).Run)
		if want := []string{"left over", "1", "2", "3"}; !slices.Equal(live.sent, want) {
			t.Errorf("sent %q, want %q", live.sent, want)
		}
		wantTimes(t, live.tried, 0, 300*time.Millisecond, 301*time.Millisecond)
	})
}

func TestPublisherFindsWhatOthersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outbox, live := newFakeOutbox(), &fakeSender{start: time.Now()}
		go func() {
			time.Sleep(1500 * time.Millisecond)
			outbox.addElsewhere("ada", "1")
		}()
		runFor(t, 3*time.Second, (&Publisher{Outbox: outbox, Live: live}).Run)
		wantTimes(t, live.tried, 2*time.Second)
		wantTimes(t, outbox.rounds, 0, time.Second, 2*time.Second, 2*time.Second, 3*time.Second)
	})
}

func TestPublisherRetriesWithGrowingPausesAndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		outbox, live := newFakeOutbox(), &fakeSender{start: time.Now()}
		live.broken = func(user string) error {
			if user == "ada" && !slices.Contains(outbox.dead, "1") { // Deliver runs while nobody else uses the outbox.
				return errBroken
			}
			return nil
		}
		outbox.add("ada", "1", "2")
		outbox.add("ben", "3")
		w := &Publisher{Outbox: outbox, Live: live, MinDelay: time.Second, MaxDelay: 4 * time.Second, MaxAttempts: 5, Log: logTo(&log)}
		runFor(t, time.Minute, w.Run)
		if !slices.Equal(outbox.dead, []string{"1"}) || !slices.Equal(live.sent, []string{"3", "2"}) {
			t.Errorf("dead %q and sent %q; want 1 dead, then 2 sent, and 3 before that", outbox.dead, live.sent)
		}
		// ada's attempts, with ben's among the first.
		tried := slices.DeleteFunc(slices.Clone(live.tried), func(d time.Duration) bool { return d == 0 })
		tried = append([]time.Duration{0}, tried...)
		for i, most := range []time.Duration{1, 2, 4, 4} {
			most *= time.Second
			if pause := tried[i+1] - tried[i]; pause < most/2 || pause > most {
				t.Errorf("pause %d is %v, want %v or up to half less", i+1, pause, most)
			}
		}
		if len(tried) != 6 || tried[5] != tried[4] {
			t.Errorf("tried at %v, want what is behind the dead letter tried at once", tried)
		}
		if warned, failed := strings.Count(log.String(), "level=WARN"), strings.Count(log.String(), "level=ERROR"); warned != 4 || failed != 1 {
			t.Errorf("%d warnings and %d errors, want 4 and 1:\n%s", warned, failed, &log)
		}
	})
}

func TestPublisherWaitsForAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outbox, live := newFakeOutbox(), &fakeSender{start: time.Now()}
		outbox.busy = true
		outbox.add("ada", "1")
		go func() {
			time.Sleep(90 * time.Millisecond)
			outbox.mu.Lock()
			outbox.busy = false
			outbox.mu.Unlock()
		}()
		runFor(t, 200*time.Millisecond, (&Publisher{Outbox: outbox, Live: live}).Run)
		wantTimes(t, live.tried, 100*time.Millisecond)
	})
}

func TestPublisherGoesOnWhenTheStoreIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		outbox, live := newFakeOutbox(), &fakeSender{start: time.Now()}
		outbox.err = errBroken
		go func() {
			time.Sleep(1500 * time.Millisecond)
			outbox.mu.Lock()
			outbox.err = nil
			outbox.mu.Unlock()
			outbox.addElsewhere("ada", "1")
		}()
		runFor(t, 2500*time.Millisecond, (&Publisher{Outbox: outbox, Live: live, Log: logTo(&log)}).Run)
		wantTimes(t, live.tried, 2*time.Second)
		if n := strings.Count(log.String(), errBroken.Error()); n != 2 {
			t.Errorf("%d errors logged, want 2:\n%s", n, &log)
		}
	})
}

// TestPublisherStopped stops it while it sends: that is no failure of what it sends.
func TestPublisherStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outbox, live := newFakeOutbox(), &fakeSender{start: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		live.broken = func(string) error {
			cancel()
			return context.Canceled
		}
		outbox.add("ada", "1")
		if err := (&Publisher{Outbox: outbox, Live: live}).Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
		if outbox.failed["ada"] != 0 || len(outbox.waiting["ada"]) != 1 {
			t.Errorf("%d failures, %d waiting; want none and what could not be sent", outbox.failed["ada"], len(outbox.waiting["ada"]))
		}
	})
}

func TestPublisherFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outbox, live := newFakeOutbox(), &fakeSender{start: time.Now()}
		w := &Publisher{Outbox: outbox, Live: live}
		outbox.add("ada", "1")
		outbox.add("ben", "2")
		if err := w.Flush(t.Context()); err != nil || len(live.sent) != 2 {
			t.Errorf("Flush = %v, sent %q", err, live.sent)
		}
		outbox.busy = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush while another process sends = %v", err)
		}
	})
}

type fakeRetention struct {
	start  time.Time
	left   int64
	before []time.Duration // relative to when it was asked
	keep   []int
	calls  []time.Duration
	err    error
}

func (f *fakeRetention) RemoveOldNotifications(_ context.Context, before time.Time, keep int) (int64, error) {
	f.calls = append(f.calls, time.Since(f.start))
	if !before.IsZero() {
		f.before = append(f.before, time.Since(before))
	}
	f.keep = append(f.keep, keep)
	n := min(f.left, 100)
	f.left -= n
	return n, f.err
}

func (f *fakeRetention) DeleteExpiredKeys(context.Context) (int64, error) { return 0, f.err }

func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeRetention{start: time.Now(), left: 250}
		runFor(t, 10*time.Minute+time.Second, (&Retention{Store: store, MaxAge: 48 * time.Hour, MaxCount: 7, Log: logTo(&bytes.Buffer{})}).Run)
		const pause = 10 * time.Millisecond // lets others write
		wantTimes(t, store.calls, 0, pause, 2*pause, 3*pause, 10*time.Minute+3*pause)
		if store.before[0] != 48*time.Hour || store.keep[0] != 7 {
			t.Errorf("asked for older than %v and more than %d", store.before[0], store.keep[0])
		}
	})
	synctest.Test(t, func(t *testing.T) {
		store := &fakeRetention{start: time.Now()}
		runFor(t, time.Hour, (&Retention{Store: store}).Run)
		wantTimes(t, store.calls) // without a limit nothing is removed
	})
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		store := &fakeRetention{start: time.Now(), err: errBroken}
		runFor(t, 15*time.Minute, (&Retention{Store: store, MaxCount: 1, Log: logTo(&log)}).Run)
		if n := strings.Count(log.String(), errBroken.Error()); n != 2 {
			t.Errorf("%d errors logged, want 2:\n%s", n, &log)
		}
	})
}
