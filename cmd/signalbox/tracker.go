package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/redis/rueidis"

	"signalbox"
	"signalbox/presence"
)

// tracker is who keeps track of connections.
type tracker struct {
	signalbox.ConnectionTracker
	close    func(context.Context) error // nil when there is nothing to end
	degraded func() string               // what it does not know, or nothing
}

// newTracker makes the tracker: in Redis when there is one, else in memory.
func newTracker(redisURL string, log *slog.Logger) (*tracker, error) {
	told := func(c presence.Change) { log.Debug("presence changed", "user", c.UserID, "online", c.Online) }
	if redisURL == "" {
		return &tracker{
			ConnectionTracker: presence.NewMemory(&presence.MemoryOptions{OnChange: told}),
			degraded:          func() string { return "" },
		}, nil
	}
	client, err := rueidis.ParseURL(redisURL)
	if err != nil {
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err // without the URL, which may have a password
		}
		return nil, fmt.Errorf("--redis-url: %w", err)
	}
	r, err := presence.NewRedis(client, &presence.RedisOptions{OnChange: told, Logger: log})
	if err != nil {
		return nil, err
	}
	degraded := func() string {
		if r.Err() != nil {
			return "presence is known for this node alone"
		}
		return ""
	}
	return &tracker{ConnectionTracker: r, close: r.Close, degraded: degraded}, nil
}

// trackerCloseTime is how long the tracker may take to take back what is left, which is nothing after a drain.
const trackerCloseTime = 5 * time.Second

// Close ends the tracker. That Redis is away is no failure of this server: what it left ends with its lease.
func (t *tracker) Close(ctx context.Context, log *slog.Logger) {
	if t.close == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), trackerCloseTime)
	defer cancel()
	if err := t.close(ctx); err != nil {
		log.Warn("ending presence failed", "error", err)
	}
}
