package redisbackplane_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/rueidis"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
	"signalbox/signalr/redisbackplane"
)

// cost is what a conversation costs Redis: commands, and the bytes of what was published.
type cost struct{ Publish, Subscribe, Unsubscribe, Bytes int }

// dotnetCosts adds up what real servers have sent in each of the recorded conversations. A channel is a command there.
func dotnetCosts(t *testing.T) map[string]cost {
	t.Helper()
	text, err := os.ReadFile("testdata/sequences.txt")
	if err != nil {
		t.Fatal(err)
	}
	costs := map[string]cost{}
	name := ""
	for line := range strings.Lines(string(text)) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		c := costs[name]
		switch {
		case strings.HasPrefix(line, "@ "):
			name = strings.TrimPrefix(columns[0], "@ ")
			continue
		case columns[0] == "P":
			c.Publish++
			c.Bytes += len(redisbackplane.Unhex(t, columns[3]))
		case columns[0] == "S":
			c.Subscribe++
		case columns[0] == "U":
			c.Unsubscribe++
		default:
			continue
		}
		costs[name] = c
	}
	return costs
}

// TestCost holds conversations and compares the commands with those of ASP.NET Core's servers in the same conversations.
// Joining a connection elsewhere asks, beyond that, whether the connection exists; several channels are one command.
func TestCost(t *testing.T) {
	dotnet := dotnetCosts(t)
	r := startRedis(t)
	one, two := newNode(t, r, nil), newNode(t, r, nil)
	connected(one, two)
	admin := r.client()
	measure := func(name string, do func()) cost {
		sent := func() (messages, bytes int) {
			a, b := one.b.Stats(), two.b.Stats()
			return int(a.Published + b.Published), int(a.PublishedBytes + b.PublishedBytes)
		}
		if err := admin.Do(t.Context(), admin.B().ConfigResetstat().Build()).Error(); err != nil {
			t.Fatal(err)
		}
		messages, bytes := sent()
		do()
		got := cost{commandCalls(t, admin, "publish"), commandCalls(t, admin, "subscribe"), commandCalls(t, admin, "unsubscribe"), 0}
		eventually(t, "what Redis has taken is counted", func() bool {
			m, b := sent()
			got.Bytes = b - bytes
			return m-messages == got.Publish
		})
		return got
	}
	var a1, a2, b1, b2 *client
	clients := one.hub.Clients()
	connect := measure("connect", func() {
		a1, a2, b1 = one.connect("a1", "", "messagepack"), one.connect("a2", "bob", "json"), two.connect("b1", "", "messagepack")
		b2 = two.connect("b2", "bob", "json")
	})
	// .NET: a command for each channel. Here those of one connection go together.
	if want, dotnet := (cost{Subscribe: 4}), (cost{Subscribe: 6}); connect != want || dotnet != dotnetCosts(t)["connect"] {
		t.Errorf("connecting four clients, two of a user: %+v, want %+v, and %+v with .NET", connect, want, dotnet)
	}
	// The payloads have the length of the golden ones: ids have 22 characters. The server's name is longer or shorter.
	server := len(one.b.ServerName()) - len("vm_6e3b630e9fce447194d5e148b7c08d04")
	for _, row := range []struct {
		name  string
		extra int // bytes of the server's name
		do    func()
	}{
		{"all", 0, func() { one.send(clients.All(), "hello") }},
		{"all-noargs", 0, func() {
			if err := clients.All().Send(one.ctx(), "Ping"); err != nil {
				t.Fatal(err)
			}
		}},
		{"all-long", 0, func() { one.send(clients.All(), strings.Repeat("x", 300)) }},
		{"allexcept-one", 0, func() { one.send(clients.AllExcept(a1.id), "x") }},
		{"client-remote", 0, func() { one.send(clients.Client(b1.id).ClientProxy, "x") }},
		{"client-local", 0, func() { one.send(clients.Client(a1.id).ClientProxy, "x") }},
		{"client-unknown", 0, func() { one.send(clients.Client("nobody").ClientProxy, "x") }},
		{"clients", 0, func() { one.send(clients.Clients(a1.id, b1.id, "nobody"), "x") }},
		{"group-join-local", 0, func() { one.join(a1, "g1"); one.join(a2, "g1"); two.join(b1, "g1") }},
		{"group", 0, func() { one.send(clients.Group("g1"), "x") }},
		{"group-empty", 0, func() { one.send(clients.Group("nogroup"), "x") }},
		{"groupexcept", 0, func() { one.send(clients.GroupExcept("g1", a1.id), "x") }},
		{"user", 0, func() { one.send(clients.User("bob"), "x") }},
		{"user-unknown", 0, func() { one.send(clients.User("zoe"), "x") }},
		{"users", 0, func() { one.send(clients.Users("bob", "", "zoe"), "x") }},
		{"group-add-local", 0, func() { one.join(a1, "gl") }},
		{"group-add-remote", server, func() { one.join(b1, "g2") }},
		{"group-add-remote-again", server, func() { one.join(b1, "g2"); one.send(clients.Group("g2"), "x") }},
		{"group-remove-remote", server, func() {
			if err := one.hub.Groups().Remove(one.ctx(), b1.id, "g2"); err != nil {
				t.Fatal(err)
			}
		}},
		{"group-remove-remote-notmember", server, func() {
			if err := one.hub.Groups().Remove(one.ctx(), b1.id, "g9"); err != nil {
				t.Fatal(err)
			}
		}},
		{"group-leave-last", 0, func() {
			for _, c := range []*client{a1, a2} {
				if err := one.hub.Groups().Remove(one.ctx(), c.id, "g1"); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"result-string-json", server, func() {
			answered := make(chan error, 1)
			go func() {
				_, err := signalr.Invoke[string](one.ctx(), clients.Client(b2.id), "AskText", "q")
				answered <- err
			}()
			question := b2.next()
			for !strings.Contains(question, "AskText") { // what it was sent before
				question = b2.next()
			}
			_, id, _ := strings.Cut(question, `"invocationId":"`)
			id, _, _ = strings.Cut(id, `"`)
			b2.write(`{"type":3,"invocationId":"` + id + `","result":"\u00e9<x>"}`)
			if err := <-answered; err != nil {
				t.Fatal(err)
			}
		}},
		{"result-unknown-connection", server, func() {
			_, _ = signalr.Invoke[int](one.ctx(), clients.Client("nobody"), "AskInt", 7) // fails
		}},
	} {
		want := dotnet[row.name]
		if want.Publish > 0 {
			want.Bytes += row.extra
		}
		got := measure(row.name, row.do)
		t.Logf("%-24s %+v", row.name, got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s costs otherwise than with .NET:\n%s", row.name, diff)
		}
	}
}

// TestExistenceIsAsked: adding a connection elsewhere asks once whether it exists, for however many groups.
func TestExistenceIsAsked(t *testing.T) {
	r := startRedis(t)
	one, two := newNode(t, r, nil), newNode(t, r, nil)
	connected(one, two)
	a := two.connectJSON("a")
	if err := one.hub.Groups().AddAll(one.ctx(), a.id, "g1", "g2", "g3"); err != nil {
		t.Fatal(err)
	}
	if got := commandCalls(t, r.client(), "pubsub|numsub"); got != 1 {
		t.Errorf("it was asked %d times, want once", got)
	}
}

// counter counts what goes over the connections of a client.
type counter struct{ written, read atomic.Int64 }

func (c *counter) dial(ctx context.Context, addr string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &countedConn{conn, c}, nil
}

type countedConn struct {
	net.Conn
	c *counter
}

func (c *countedConn) Write(p []byte) (int, error) {
	c.c.written.Add(int64(len(p))) // first: what it causes may be seen before it returns
	return c.Conn.Write(p)
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.c.read.Add(int64(n))
	return n, err
}

// TestBytesPerMessage: nothing goes to Redis but the PUBLISH command, and nothing comes back but its reply and the message.
// The numbers are those of the documentation.
func TestBytesPerMessage(t *testing.T) {
	r := startRedis(t)
	for _, row := range []struct {
		name                string
		protocols           []protocol.HubProtocol
		payload, to, fromIt int
	}{
		{"JSON and MessagePack", both(), 97, 149, 153},
		{"JSON alone", both()[:1], 62, 114, 118},
	} {
		t.Run(row.name, func(t *testing.T) {
			var bytes counter
			b := newBackplaneOn(t, rueidis.ClientOption{
				InitAddress: []string{r.Addr}, DialCtxFn: bytes.dial, Dialer: net.Dialer{KeepAlive: time.Hour}, // no pings meanwhile
			}, nil)
			n := newNodeWith(t, b, row.protocols)
			connected(n)
			a := n.connectJSON("a")
			n.send(n.hub.Clients().All(), "warm")
			a.gets("warm")
			const messages = 100
			written, read, payloads := bytes.written.Load(), bytes.read.Load(), b.Stats().PublishedBytes
			for range messages {
				n.send(n.hub.Clients().All(), "hello")
				a.gets("hello")
			}
			written, read, payloads = bytes.written.Load()-written, bytes.read.Load()-read, b.Stats().PublishedBytes-payloads
			got := [3]int{int(payloads), int(written), int(read)}
			if want := [3]int{messages * row.payload, messages * row.to, messages * row.fromIt}; got != want {
				t.Errorf("%d messages: payloads, bytes to Redis and bytes from it are %d, want %d", messages, got, want)
			}
			channel, payload := hubName+":all", strings.Repeat("x", row.payload)
			command := fmt.Sprintf("*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(channel), channel, len(payload), payload)
			push := fmt.Sprintf(">3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(channel), channel, len(payload), payload)
			if len(command) != row.to || len(push)+len(":1\r\n") != row.fromIt {
				t.Errorf("the commands alone have %d bytes, and %d", len(command), len(push)+len(":1\r\n"))
			}
		})
	}
}

// TestPings: the client library sends one with each UNSUBSCRIBE, and each Timeout one on a connection that is idle.
func TestPings(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, func(o *redisbackplane.Options) { o.Timeout = time.Hour })
	connected(n)
	admin := r.client()
	a := n.connectJSON("a")
	before := commandCalls(t, admin, "ping")
	const groups = 5
	for i := range groups {
		n.join(a, fmt.Sprint(i))
		if err := n.hub.Groups().Remove(n.ctx(), a.id, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := commandCalls(t, admin, "ping") - before; got != groups {
		t.Errorf("%d UNSUBSCRIBEs came with %d PINGs", groups, got)
	}
	idle := newNode(t, r, func(o *redisbackplane.Options) { o.Timeout = 50 * time.Millisecond })
	connected(idle)
	before = commandCalls(t, admin, "ping")
	eventually(t, "idle connections are tried again and again", func() bool { return commandCalls(t, admin, "ping") >= before+6 })
}

// TestJoinsArePipelined: ten thousand groups are joined in a few commands, by one call and by many at once.
func TestJoinsArePipelined(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	admin := r.client()
	a := n.connectJSON("a")
	const groups = 10_000
	names := make([]string, groups)
	for i := range names {
		names[i] = fmt.Sprint("one ", i)
	}
	before := commandCalls(t, admin, "subscribe")
	if err := n.hub.Groups().AddAll(n.ctx(), a.id, names...); err != nil {
		t.Fatal(err)
	}
	calls := commandCalls(t, admin, "subscribe") - before
	if calls > groups/100 { // 20, and some more for those that are on their way before all are named
		t.Errorf("joining %d groups at once took %d commands", groups, calls)
	}
	t.Logf("AddAll of %d groups: %d commands", groups, calls)
	before = commandCalls(t, admin, "subscribe")
	var wg sync.WaitGroup
	for i := range groups {
		wg.Go(func() {
			if err := n.hub.Groups().Add(n.ctx(), a.id, fmt.Sprint("many ", i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	calls = commandCalls(t, admin, "subscribe") - before
	if calls > groups/50 { // few dozen, unless the machine has no time for the callers
		t.Errorf("joining %d groups one by one, but at the same time, took %d commands", groups, calls)
	}
	t.Logf("%d calls of Add: %d commands", groups, calls)
	if got := len(channelsOf(t, admin, hubName+":group:*")); got != 2*groups {
		t.Errorf("%d groups are heard", got)
	}
	a.close()
	eventually(t, "no group is heard any more", func() bool { return len(channelsOf(t, admin, hubName+":group:*")) == 0 })
	if s := n.b.Stats(); s.Subscriptions != 0 {
		t.Errorf("%d subscriptions are left", s.Subscriptions)
	}
}
