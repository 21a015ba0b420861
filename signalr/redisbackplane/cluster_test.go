package redisbackplane_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"signalbox/signalr"
	"signalbox/signalr/redisbackplane"
	"signalbox/signalr/redisbackplane/redistest"
	"signalbox/signalr/signalrtest"
)

// startClusterNode starts a node of a Redis Cluster that has no slots.
func startClusterNode(t *testing.T) *redisServer {
	t.Helper()
	bus, err := redistest.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(bus)
	if err != nil {
		t.Fatal(err)
	}
	return startRedis(t, "--cluster-enabled", "yes", "--cluster-port", port, "--cluster-node-timeout", "1000",
		"--cluster-require-full-coverage", "no")
}

// busPort is where the other nodes of a cluster reach the server.
func (r *redisServer) busPort() string {
	return r.tell("CONFIG", "GET", "cluster-port")[1]
}

// tell sends a command and returns the elements of the reply, which must not be an error.
func (r *redisServer) tell(words ...string) []string {
	r.t.Helper()
	c := r.client()
	result := c.Do(r.t.Context(), c.B().Arbitrary(words...).Build())
	if m, err := result.AsStrMap(); err == nil {
		var elements []string
		for k, v := range m {
			elements = append(elements, k, v)
		}
		return elements
	}
	if text, err := result.ToString(); err == nil {
		return []string{text}
	}
	r.t.Fatalf("%q: %v", words, result.Error())
	return nil
}

// startCluster starts a Redis Cluster of so many masters, which share the slots.
func startCluster(t *testing.T, masters int) []*redisServer {
	t.Helper()
	const slots = 1 << 14
	var nodes []*redisServer
	for i := range masters {
		n := startClusterNode(t)
		n.tell("CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1))
		n.tell("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i*slots/masters), fmt.Sprint((i+1)*slots/masters-1))
		nodes = append(nodes, n)
	}
	for _, n := range nodes[1:] {
		_, port, _ := net.SplitHostPort(n.Addr)
		nodes[0].tell("CLUSTER", "MEET", "127.0.0.1", port, n.busPort())
	}
	for _, n := range nodes {
		eventually(t, "the cluster is up", func() bool {
			info := n.tell("CLUSTER", "INFO")[0]
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_size:%d\r\n", masters))
		})
	}
	return nodes
}

// TestScaleoutCluster: the suite on a cluster of three masters, each server of the farm by another.
func TestScaleoutCluster(t *testing.T) {
	t.Parallel()
	masters := startCluster(t, 3)
	for name, sharded := range map[string]bool{"plain": false, "sharded": true} {
		t.Run(name, func(t *testing.T) {
			signalrtest.TestScaleout(t, func(t *testing.T) signalrtest.Farm {
				next := 0
				return func() signalr.HubLifetimeManager {
					next++
					return newBackplane(t, masters[next%len(masters)], func(o *redisbackplane.Options) {
						o.Sharded = sharded
						o.HubName = "Hub " + t.Name() // which spreads them over the shards
					})
				}
			})
		})
	}
}

// TestShardedChannels: the channels are those of shards, and every one has the hub's name as its hash tag.
func TestShardedChannels(t *testing.T) {
	t.Parallel()
	r := startCluster(t, 1)[0]
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
	// A shard that nobody has says so; the backplane places its subscriptions anew when somebody has.
	r.tell("CLUSTER", "DELSLOTSRANGE", "0", "16383")
	away(n)
	n.sendHere(n.hub.Clients().All(), "alone")
	a.gets("alone")
	r.tell("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	connected(n)
	n.send(n.hub.Clients().Group("g"), "back")
	a.gets("back")
}

// TestShardMoves: the hub's slot goes to another master, and the nodes of the farm follow it.
func TestShardMoves(t *testing.T) {
	t.Parallel()
	masters := startCluster(t, 3)
	sharded := func(o *redisbackplane.Options) { o.Sharded = true }
	one, two := newNode(t, masters[0], sharded), newNode(t, masters[1], sharded)
	connected(one, two)
	a, b := one.connectJSON("a"), two.connectJSON("b")
	one.join(b, "g")
	slot := masters[0].client()
	number, err := slot.Do(t.Context(), slot.B().ClusterKeyslot().Key("{"+hubName+"}:all").Build()).AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	from := int(number) * len(masters) >> 14
	to := (from + 1) % len(masters)
	id := masters[to].tell("CLUSTER", "MYID")[0]
	connects := one.b.Stats().Connects + two.b.Stats().Connects
	masters[to].tell("CLUSTER", "SETSLOT", fmt.Sprint(number), "IMPORTING", masters[from].tell("CLUSTER", "MYID")[0])
	for _, i := range []int{to, from, (from + 2) % len(masters)} {
		masters[i].tell("CLUSTER", "SETSLOT", fmt.Sprint(number), "NODE", id)
	}
	eventually(t, "both have followed", func() bool {
		return one.b.Stats().Connects+two.b.Stats().Connects >= connects+2 && one.b.Healthy() && two.b.Healthy()
	})
	one.send(one.hub.Clients().Group("g"), "group")
	b.gets("group")
	two.send(two.hub.Clients().All(), "all")
	a.gets("all")
	b.gets("all")
	admin := masters[to].client()
	names, err := admin.Do(t.Context(), admin.B().PubsubShardchannels().Pattern("*").Build()).AsStrSlice()
	if err != nil || !slices.Contains(names, "{"+hubName+"}:group:g") {
		t.Errorf("the master to which the slot has gone has channels %q, %v", names, err)
	}
}

// TestClusterLosesNode: without shards any node of the cluster will do. Those that are connected to the one that dies go
// to another; whether a connection exists is not known while one is away.
func TestClusterLosesNode(t *testing.T) {
	t.Parallel()
	masters := startCluster(t, 3)
	var addrs []string
	for _, m := range masters {
		addrs = append(addrs, m.Addr)
	}
	var nodes []*node
	var clients []*client
	for i := range 4 { // two of them at least are connected to the same node of the cluster
		n := newNodeWith(t, newBackplaneOn(t, rueidis.ClientOption{InitAddress: addrs}, nil), both())
		connected(n)
		nodes, clients = append(nodes, n), append(clients, n.connect(fmt.Sprint("c", i), "ann", "json"))
	}
	sendAll := func(text string) {
		for i, n := range nodes {
			text := fmt.Sprint(text, " from ", i)
			n.send(n.hub.Clients().User("ann"), text)
			for _, c := range clients {
				c.gets(text)
			}
		}
	}
	sendAll("before")
	if got, err := nodes[0].b.Count(nodes[0].ctx()); err != nil || got.Total != 4 || len(got.Servers) != 4 {
		t.Errorf("counting: %+v, %v", got, err)
	}
	used := slices.IndexFunc(masters, func(m *redisServer) bool { return len(channelsOf(t, m.client(), hubName+":*")) > 0 })
	masters[used].Stop()
	admin := masters[(used+1)%3].client()
	other := masters[(used+2)%3].client()
	eventually(t, "every server is heard by one of those that are left", func() bool {
		return len(channelsOf(t, admin, hubName+":internal:return:*"))+len(channelsOf(t, other, hubName+":internal:return:*")) == 4
	})
	connected(nodes...)
	sendAll("after")
	if got, err := nodes[0].b.Count(nodes[0].ctx()); err != nil || got.Total != 4 {
		t.Errorf("counting with a node of the cluster away: %+v, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := signalr.Invoke[int](ctx, nodes[0].hub.Clients().Client("nobody"), "Ask")
	if errors.Is(err, signalr.ErrConnectionClosed) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("asking nobody with a node of the cluster away: %v", err)
	}
}
