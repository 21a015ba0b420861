// Package worker holds what the server does by itself: it sends what was stored, announces order changes, removes what
// is old, and moves the demo's orders. It knows the domain, not how things are stored or shown.
//
// Each worker is a struct to be filled in and run; its fields must not change while Run runs. The caller of Run owns
// the goroutine: Run works in it until the context ends, leaves no other behind, and then returns nil, for being stopped is
// how a worker ends. It returns an error only at once, when a required field is missing.
package worker

import (
	"context"
	"log/slog"
	"time"
)

// sleep waits and says whether the context is still alive after that.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// every calls do now and after each interval until the context ends. What goes wrong is logged; the next call is the
// next attempt.
func every(ctx context.Context, interval time.Duration, log *slog.Logger, what string, do func(context.Context) error) {
	for {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, what+" failed", "error", err, "retryIn", interval)
		}
		if !sleep(ctx, interval) {
			return
		}
	}
}

func orDefault(d, byDefault time.Duration) time.Duration {
	if d <= 0 {
		return byDefault
	}
	return d
}

func logger(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.Default()
	}
	return log
}
