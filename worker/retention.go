package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// OldNotificationRemover is what [Retention] needs of a store.
type OldNotificationRemover interface {
	// RemoveOldNotifications removes a batch of the notifications that were stored before a time, and of each user all
	// but the newest keep; the zero time and 0 remove none. It says how many it removed: 0 when none are left to remove.
	RemoveOldNotifications(ctx context.Context, before time.Time, keep int) (removed int64, err error)
	// DeleteExpiredKeys removes the idempotency keys that count no more, and says how many.
	DeleteExpiredKeys(ctx context.Context) (int64, error)
}

// Retention removes old notifications, in batches, and idempotency keys that have expired. Whoever asks for what is gone
// is told of the gap.
type Retention struct {
	// Store is required.
	Store OldNotificationRemover
	// MaxAge is how long notifications are kept, MaxCount how many of each user; 0 means without limit.
	MaxAge   time.Duration
	MaxCount int
	// Interval is the time between two rounds; ten minutes when 0.
	Interval time.Duration
	// Log is slog's default when nil.
	Log *slog.Logger
}

// batchPause lets others write between two batches.
const batchPause = 10 * time.Millisecond

// Run removes what is too old, now and after each interval, until ctx ends. See the package's comment.
func (w *Retention) Run(ctx context.Context) error {
	if w.Store == nil {
		return errors.New("worker.Retention: Store is required")
	}
	every(ctx, orDefault(w.Interval, 10*time.Minute), logger(w.Log), "removing old notifications", w.remove)
	return nil
}

func (w *Retention) remove(ctx context.Context) error {
	if _, err := w.Store.DeleteExpiredKeys(ctx); err != nil {
		return err
	}
	if w.MaxAge <= 0 && w.MaxCount <= 0 {
		return nil
	}
	var before time.Time
	if w.MaxAge > 0 {
		before = time.Now().Add(-w.MaxAge)
	}
	var total int64
	for {
		n, err := w.Store.RemoveOldNotifications(ctx, before, w.MaxCount)
		if err != nil {
			return err
		}
		total += n
		if n == 0 || !sleep(ctx, batchPause) {
			break
		}
	}
	if total > 0 {
		logger(w.Log).InfoContext(ctx, "old notifications removed", "notifications", total)
	}
	return nil
}
