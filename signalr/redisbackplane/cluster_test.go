package redisbackplane_test

import (
	"strings"
	"testing"

	"signalbox/signalr"
	"signalbox/signalr/redisbackplane"
	"signalbox/signalr/signalrtest"
)

// startCluster starts a Redis Cluster of one node.
func startCluster(t *testing.T) *redisServer {
	t.Helper()
	r := startRedis(t, "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
	c := r.client()
	if err := c.Do(t.Context(), c.B().Arbitrary("CLUSTER", "ADDSLOTSRANGE", "0", "16383").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cluster is up", func() bool {
		info, err := c.Do(t.Context(), c.B().ClusterInfo().Build()).ToString()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	})
	return r
}

func TestScaleoutSharded(t *testing.T) {
	r := startCluster(t)
	signalrtest.TestScaleout(t, func(t *testing.T) signalrtest.Farm {
		return func() signalr.HubLifetimeManager {
			return newBackplane(t, r, func(o *redisbackplane.Options) { o.Sharded = true; o.HubName = "Hub " + t.Name() })
		}
	})
}

// TestShardedChannels: the channels are those of shards, and every one has the hub's name as its hash tag.
func TestShardedChannels(t *testing.T) {
	r := startCluster(t)
	n := newNode(t, r, func(o *redisbackplane.Options) { o.Sharded = true; o.ChannelPrefix = "app1:" })
	connected(n)
	a := n.connect("a", "ann", "json")
	n.join(a, "g")
	c := r.client()
	if got := channelsOf(t, c, "*"); len(got) != 0 {
		t.Errorf("channels that are not sharded: %q", got)
	}
	names, err := c.Do(t.Context(), c.B().PubsubShardchannels().Pattern("*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 9 {
		t.Errorf("%d channels: %q", len(names), names)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "app1:{"+hubName+"}:") {
			t.Errorf("channel %q", name)
		}
	}
	// A shard that moves elsewhere says so; the backplane places its subscriptions anew.
	if err := c.Do(t.Context(), c.B().Arbitrary("CLUSTER", "DELSLOTSRANGE", "0", "16383").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	away(n)
	n.sendHere(n.hub.Clients().All(), "alone")
	a.gets("alone")
	if err := c.Do(t.Context(), c.B().Arbitrary("CLUSTER", "ADDSLOTSRANGE", "0", "16383").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	connected(n)
	n.send(n.hub.Clients().Group("g"), "back")
	a.gets("back")
}
