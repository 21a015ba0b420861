package farm

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/rueidis"

	"signalbox/signalr/redisbackplane/redistest"
)

// Redis is the nodes' Redis server, which keeps nothing on disk.
type Redis struct{ *redistest.Server }

func startRedis(ctx context.Context, dir string) (*Redis, error) {
	var err error
	for range portAttempts {
		var s *redistest.Server
		if s, err = redistest.New(dir); err != nil {
			return nil, err
		}
		if err = s.Start(ctx); err == nil {
			return &Redis{s}, nil
		}
		if ctx.Err() != nil || errors.Is(err, redistest.ErrNotInstalled) {
			break
		}
	}
	return nil, err
}

// Channels returns the names of the channels that somebody has subscribed to, sorted.
func (r *Redis) Channels(ctx context.Context) ([]string, error) {
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{r.Addr}, DisableCache: true, ForceSingleClient: true,
	})
	if err != nil {
		return nil, fmt.Errorf("asking Redis for its channels: %w", err)
	}
	defer c.Close()
	names, err := c.Do(ctx, c.B().PubsubChannels().Build()).AsStrSlice()
	if err != nil {
		return nil, fmt.Errorf("asking Redis for its channels: %w", err)
	}
	slices.Sort(names)
	return names, nil
}
