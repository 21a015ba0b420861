package worker

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"signalbox"
)

// Sender shows events to those who are connected.
type Sender interface {
	// Deliver sends the events of one user to the user's connections, in order, and says how many of them, from the
	// first, need not be sent again. That nobody is connected is no error.
	Deliver(ctx context.Context, events []signalbox.Event) (sent int, err error)
}

// Publisher sends what the outbox holds: at once when this process has added to it, and now and then to find what others
// have left. Each user's events are sent in order, users independently of each other. What fails is tried again with
// growing pauses, and with it what is behind it; after a number of attempts it becomes a dead letter.
type Publisher struct {
	// Outbox and Live are required.
	Outbox signalbox.Outbox
	Live   Sender
	// Poll is how often it looks for events of other processes; a second when 0.
	Poll time.Duration
	// MaxAttempts is how often an event is tried; 20 when 0, which takes four to six minutes.
	MaxAttempts int
	// MinDelay is the pause after the first failure, 100 milliseconds when 0. It doubles with each one up to MaxDelay, 30
	// seconds when 0. A pause is made shorter at random, by up to half.
	MinDelay, MaxDelay time.Duration
	// SendTimeout is how long sending a user's events may take; 10 seconds when 0.
	SendTimeout time.Duration
	// Concurrency is how many users' events are sent at once; 16 when 0.
	Concurrency int
	// Log is slog's default when nil.
	Log *slog.Logger
}

// busyDelay is the pause when another process is sending what is due.
const busyDelay = 25 * time.Millisecond

// Run sends what there is, now and whenever there is more, until ctx ends. See the package's comment.
func (w *Publisher) Run(ctx context.Context) error {
	if w.Outbox == nil || w.Live == nil {
		return errors.New("worker.Publisher: Outbox and Live are required")
	}
	poll := orDefault(w.Poll, time.Second)
	changed := w.Outbox.OutboxChanged()
	for ctx.Err() == nil {
		delay := poll
		switch round, err := w.round(ctx); {
		case err != nil:
			if ctx.Err() == nil {
				logger(w.Log).ErrorContext(ctx, "sending events failed", "error", err, "retryIn", delay)
			}
		case round.Sent+round.Dead > 0:
			continue
		case round.Busy:
			delay = min(delay, busyDelay)
		case !round.Next.IsZero():
			delay = min(delay, max(time.Until(round.Next), time.Millisecond))
		}
		timer := time.NewTimer(delay)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// Flush sends what is due until nothing is or ctx ends, such as before a server ends. Run may be running.
func (w *Publisher) Flush(ctx context.Context) error {
	for {
		round, err := w.round(ctx)
		if err != nil {
			return err
		}
		if round.Busy {
			if !sleep(ctx, busyDelay) {
				return ctx.Err()
			}
		} else if round.Sent+round.Dead == 0 {
			return nil
		}
	}
}

func (w *Publisher) round(ctx context.Context) (signalbox.OutboxRound, error) {
	return w.Outbox.DeliverPending(ctx, w.deliver)
}

// deliver sends a batch, several users at a time.
func (w *Publisher) deliver(ctx context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
	results := make([]signalbox.Delivery, len(batch))
	var sending errgroup.Group
	sending.SetLimit(cmp.Or(w.Concurrency, 16))
	for i, p := range batch {
		sending.Go(func() error {
			results[i] = w.deliverTo(ctx, p)
			return nil
		})
	}
	_ = sending.Wait() // They return none.
	return results
}

// deliverTo sends one user's events.
func (w *Publisher) deliverTo(ctx context.Context, p signalbox.PendingEvents) signalbox.Delivery {
	limited, cancel := context.WithTimeout(ctx, orDefault(w.SendTimeout, 10*time.Second))
	defer cancel()
	sent, err := w.Live.Deliver(limited, p.Events)
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return signalbox.Delivery{Sent: sent} // Being stopped is no failure: the rest is sent by who comes next.
	}
	failures := p.Attempts + 1
	if sent > 0 {
		failures = 1
	}
	d := signalbox.Delivery{Sent: sent, Err: err, GiveUp: failures >= cmp.Or(w.MaxAttempts, 20)}
	d.RetryAt = time.Now().Add(w.pause(failures))
	level, text := slog.LevelWarn, "an event could not be sent and will be tried again"
	if d.GiveUp {
		level, text = slog.LevelError, "an event could not be sent and is now a dead letter"
	}
	logger(w.Log).Log(ctx, level, text, "user", p.UserID, "position", p.Events[sent].Position, "attempt", failures, "error", err)
	return d
}

// pause is how long to wait after so many failures.
func (w *Publisher) pause(failures int) time.Duration {
	d, most := orDefault(w.MinDelay, 100*time.Millisecond), orDefault(w.MaxDelay, 30*time.Second)
	for range failures - 1 {
		if d *= 2; d >= most {
			break
		}
	}
	d = min(d, most)
	return d - rand.N(d/2+1)
}
