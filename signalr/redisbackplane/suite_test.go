package redisbackplane_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"signalbox/signalr"
	"signalbox/signalr/redisbackplane"
	"signalbox/signalr/signalrtest"
)

func TestMain(m *testing.M) {
	// A cluster client that is closed while it asks for the cluster's nodes leaves this behind, for a second at most.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		// One that has found out that nodes have gone closes what it had to them after five seconds.
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

const hubName = "RefServer.TestHub"

// newBackplane returns a backplane on a Redis server, which is closed with the test.
func newBackplane(t *testing.T, r *redisServer, change func(*redisbackplane.Options)) *redisbackplane.Backplane {
	t.Helper()
	return newBackplaneOn(t, rueidis.ClientOption{InitAddress: []string{r.Addr}}, change)
}

func newBackplaneOn(t *testing.T, redis rueidis.ClientOption, change func(*redisbackplane.Options)) *redisbackplane.Backplane {
	t.Helper()
	o := &redisbackplane.Options{HubName: hubName, ReconnectDelay: 50 * time.Millisecond}
	if change != nil {
		change(o)
	}
	b, err := redisbackplane.New(redis, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestLifetimeManager(t *testing.T) {
	signalrtest.TestLifetimeManager(t, func(t *testing.T) signalr.HubLifetimeManager {
		return newBackplane(t, startRedis(t), nil)
	})
}

func TestScaleout(t *testing.T) {
	for name, change := range map[string]func(*redisbackplane.Options){
		"plain":  nil,
		"prefix": func(o *redisbackplane.Options) { o.ChannelPrefix = "app1:" },
	} {
		t.Run(name, func(t *testing.T) {
			signalrtest.TestScaleout(t, func(t *testing.T) signalrtest.Farm {
				r := startRedis(t)
				return func() signalr.HubLifetimeManager { return newBackplane(t, r, change) }
			})
		})
	}
}
