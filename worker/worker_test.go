package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"signalbox"
)

var (
	_ OrderAnnouncer = signalbox.OrderService(nil)
	_ OrderChanger   = signalbox.OrderService(nil)
)

var errBroken = errors.New("broken")

// runFor runs a worker in a synctest bubble until that much of the bubble's time has passed, what is due at that very
// moment included, and checks that it ends when it should and not before.
func runFor(t *testing.T, d time.Duration, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	time.Sleep(d)
	synctest.Wait()
	if len(ended) != 0 {
		t.Errorf("Run ended by itself: %v", <-ended)
		return
	}
	cancel()
	synctest.Wait()
	if len(ended) == 0 {
		t.Fatal("Run goes on after its context has ended")
	}
	if err := <-ended; err != nil {
		t.Errorf("Run = %v after its context has ended, want nil", err)
	}
}

// logTo returns a logger that writes text into the buffer.
func logTo(buf *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(buf, nil)) }

func TestRequiredFields(t *testing.T) {
	for name, run := range map[string]func(context.Context) error{
		"OrderProcessingNotifier without Orders": (&OrderProcessingNotifier{}).Run,
		"Publisher without Live":                 (&Publisher{Outbox: newFakeOutbox()}).Run,
		"Publisher without Outbox":               (&Publisher{Live: &fakeSender{}}).Run,
		"Retention without Store":                (&Retention{}).Run,
		"DemoOrders without Orders":              (&DemoOrders{OwnerID: "ada"}).Run,
		"DemoOrders without OwnerID":             (&DemoOrders{Orders: newFakeOrders()}).Run,
		"SessionCleaner without Sessions":        (&SessionCleaner{}).Run,
	} {
		if err := run(t.Context()); err == nil {
			t.Errorf("%s: Run did not fail", name)
		}
	}
}

type fakeSessions struct {
	calls []time.Duration
	start time.Time
	err   error
}

func (f *fakeSessions) DeleteExpiredSessions(context.Context) (int64, error) {
	f.calls = append(f.calls, time.Since(f.start))
	return 1, f.err
}

func TestSessionCleaner(t *testing.T) {
	for name, err := range map[string]error{"works": nil, "goes on when the store is broken": errBroken} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				sessions := &fakeSessions{start: time.Now(), err: err}
				runFor(t, 150*time.Minute, (&SessionCleaner{Sessions: sessions, Log: logTo(&log)}).Run)
				wantTimes(t, sessions.calls, 0, time.Hour, 2*time.Hour)
				if logged := log.Len() > 0; logged != (err != nil) {
					t.Errorf("logged: %s", &log)
				}
			})
		})
	}
}

func wantTimes(t *testing.T, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("calls at %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("calls at %v, want %v", got, want)
			return
		}
	}
}
