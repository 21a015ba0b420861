package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// SessionDeleter is what the cleaner needs of a store of sessions.
type SessionDeleter interface {
	// DeleteExpiredSessions removes the sessions that have expired and says how many.
	DeleteExpiredSessions(ctx context.Context) (int64, error)
}

// SessionCleaner removes expired sessions. Nobody can sign in with one that it has not come to yet: it only gives back
// the space.
type SessionCleaner struct {
	// Sessions is required.
	Sessions SessionDeleter
	// Interval is the time between two rounds; an hour when 0.
	Interval time.Duration
	// Log is slog's default when nil.
	Log *slog.Logger
}

// Run removes expired sessions, now and after each interval, until ctx ends. See the package's comment.
func (w *SessionCleaner) Run(ctx context.Context) error {
	if w.Sessions == nil {
		return errors.New("worker.SessionCleaner: Sessions is required")
	}
	log := logger(w.Log)
	every(ctx, orDefault(w.Interval, time.Hour), log, "removing expired sessions", func(ctx context.Context) error {
		n, err := w.Sessions.DeleteExpiredSessions(ctx)
		if n > 0 {
			log.DebugContext(ctx, "expired sessions removed", "sessions", n)
		}
		return err
	})
	return nil
}
