package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/redis/rueidis"

	"signalbox/signalr/redisbackplane"
)

// farm is the hub's backplane. A nil farm is none.
type farm struct {
	backplane *redisbackplane.Backplane
	changes   chan struct{} // closed at the first change of state
}

// newFarm returns a backplane on the Redis at an address, which need not be there yet.
func newFarm(address, prefix, hub string, log *slog.Logger) (*farm, error) {
	f := &farm{changes: make(chan struct{})}
	b, err := redisbackplane.New(rueidis.ClientOption{InitAddress: []string{address}}, &redisbackplane.Options{
		HubName: hub, ChannelPrefix: prefix, Logger: log,
		OnStateChange: func(c redisbackplane.StateChange) {
			if c.From == redisbackplane.Connecting {
				close(f.changes)
			}
		},
	})
	f.backplane = b
	return f, err
}

// await waits until Redis was reached or was found to be away, so that whoever reads that the server listens can count on
// the rest of the farm.
func (f *farm) await(ctx context.Context) {
	if f == nil {
		return
	}
	t := time.NewTimer(2 * time.Second)
	defer t.Stop()
	select {
	case <-f.changes:
	case <-t.C:
	case <-ctx.Done():
	}
}

func (f *farm) close(ctx context.Context) error {
	if f == nil {
		return nil
	}
	return f.backplane.Close(ctx)
}
