package redisbackplane_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr"
	"signalbox/signalr/redisbackplane"
)

// changes collects the changes of a backplane's state.
type changes struct {
	mu   sync.Mutex
	list []redisbackplane.StateChange
}

func (c *changes) add(s redisbackplane.StateChange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, s)
}

// states are the states that were reached, one after the other.
func (c *changes) states() []redisbackplane.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	var states []redisbackplane.State
	for _, s := range c.list {
		states = append(states, s.To)
	}
	return states
}

// away waits until a node knows that Redis is.
func away(nodes ...*node) {
	for _, n := range nodes {
		n.t.Helper()
		eventually(n.t, "Redis is away", func() bool { return n.b.State() == redisbackplane.Disconnected })
	}
}

// sendHere sends what must reach this node alone.
func (n *node) sendHere(p signalr.ClientProxy, text string) {
	n.t.Helper()
	if err := p.Send(n.ctx(), "Receive", text); !errors.Is(err, redisbackplane.ErrBackplaneUnavailable) {
		n.t.Fatalf("sending %q without Redis: %v", text, err)
	}
}

// TestStartsWithoutRedis: everything works on the node itself, and on the farm once Redis is there.
func TestStartsWithoutRedis(t *testing.T) {
	r := awayRedis(t)
	var seen changes
	n := newNode(t, r, func(o *redisbackplane.Options) { o.OnStateChange = seen.add })
	away(n)
	a := n.connect("a", "ann", "json")
	n.join(a, "g")
	clients := n.hub.Clients()
	for text, p := range map[string]signalr.ClientProxy{
		"all": clients.All(), "group": clients.Groups("g", "other"), "user": clients.User("ann"),
		"connections": clients.Clients(a.id, "nobody"),
		"elsewhere":   clients.Client("nobody").ClientProxy,
	} {
		n.sendHere(p, text)
		if text != "elsewhere" {
			a.gets(text)
		}
	}
	n.send(clients.Client(a.id).ClientProxy, "direct")
	n.send(clients.Clients(a.id, a.id), "nobody is elsewhere")
	a.gets("direct", "nobody is elsewhere")
	_, err := signalr.Invoke[int](n.ctx(), clients.Client("nobody"), "Ask")
	if !errors.Is(err, redisbackplane.ErrBackplaneUnavailable) {
		t.Errorf("asking a connection elsewhere: %v", err)
	}
	if err := n.hub.Groups().Add(n.ctx(), "nobody", "g"); !errors.Is(err, redisbackplane.ErrBackplaneUnavailable) {
		t.Errorf("adding a connection elsewhere: %v", err)
	}
	if _, err := n.b.Count(n.ctx()); !errors.Is(err, redisbackplane.ErrBackplaneUnavailable) {
		t.Errorf("counting: %v", err)
	}
	r.start()
	other := newNode(t, r, nil)
	connected(n, other)
	for text, p := range map[string]signalr.ClientProxy{
		"all": other.hub.Clients().All(), "group": other.hub.Clients().Group("g"), "user": other.hub.Clients().User("ann"),
		"connection": other.hub.Clients().Client(a.id).ClientProxy,
	} {
		other.send(p, text)
		a.gets(text)
	}
	want := []redisbackplane.State{redisbackplane.Disconnected, redisbackplane.Connected}
	if diff := cmp.Diff(want, seen.states()); diff != "" {
		t.Errorf("the states were otherwise:\n%s", diff)
	}
}

// TestRedisStopsAndComesBackEmpty: no connection ends, nothing is delivered twice, and every subscription is back before
// the node says that it is healthy.
func TestRedisStopsAndComesBackEmpty(t *testing.T) {
	r := startRedis(t)
	admin := r.client()
	var seen changes
	placed := make(chan int, 2) // channels of the node's groups, whenever it became healthy
	const groups = 3000
	one := newNode(t, r, func(o *redisbackplane.Options) {
		o.OnStateChange = func(s redisbackplane.StateChange) {
			seen.add(s)
			if s.To == redisbackplane.Connected {
				placed <- len(channelsOf(t, admin, hubName+":group:*"))
			}
		}
	})
	two := newNode(t, r, nil)
	connected(one, two)
	a, b := one.connect("a", "ann", "json"), two.connect("b", "ann", "json")
	var names []string
	for i := range groups {
		names = append(names, fmt.Sprintf("g%d", i))
	}
	if err := one.hub.Groups().AddAll(one.ctx(), a.id, names...); err != nil {
		t.Fatal(err)
	}
	before := channelsOf(t, admin, hubName+":*")
	one.send(one.hub.Clients().User("ann"), "before")
	a.gets("before")
	b.gets("before")

	r.Stop()
	away(one, two)
	one.sendHere(one.hub.Clients().User("ann"), "one alone")
	two.sendHere(two.hub.Clients().All(), "two alone")
	a.gets("one alone")
	b.gets("two alone")
	late := two.connectJSON("late") // a new connection, and its groups
	two.join(late, "late", "g7")
	b.close() // and one that ends
	two.sendHere(two.hub.Clients().Group("late"), "to late")
	late.gets("to late")

	r.start()
	connected(one, two)
	one.send(one.hub.Clients().Groups("late", "g7"), "back")
	late.gets("back", "back")
	a.gets("back")
	two.send(two.hub.Clients().User("ann"), "user")
	two.send(two.hub.Clients().Group("g2999"), "last group")
	a.gets("user", "last group")

	want := []redisbackplane.State{redisbackplane.Connected, redisbackplane.Disconnected, redisbackplane.Connected}
	if diff := cmp.Diff(want, seen.states()); diff != "" {
		t.Errorf("the states were otherwise:\n%s", diff)
	}
	if first, second := <-placed, <-placed; first != 0 || second < groups {
		t.Errorf("the node was healthy with %d groups, and then with %d, want 0 and at least %d", first, second, groups)
	}
	eventually(t, "only what ended is gone", func() bool {
		after := channelsOf(t, admin, hubName+":*")
		after = slices.DeleteFunc(after, func(c string) bool {
			return c == hubName+":connection:"+late.id || c == hubName+":group:late"
		})
		gone := slices.DeleteFunc(slices.Clone(before), func(c string) bool { return c == hubName+":connection:"+b.id })
		slices.Sort(after)
		slices.Sort(gone)
		return slices.Equal(after, gone)
	})
}

// TestSubscriberIsKilled: the connection that hears is cut, and comes back with all that it heard.
func TestSubscriberIsKilled(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	a := n.connectJSON("a")
	n.join(a, "g")
	admin := r.client()
	for range 3 {
		times := n.b.Stats().Connects
		if err := admin.Do(t.Context(), admin.B().Arbitrary("CLIENT", "KILL", "TYPE", "pubsub").Build()).Error(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it has connected again", func() bool { return n.b.Stats().Connects == times+1 })
		connected(n)
		n.send(n.hub.Clients().Group("g"), "x")
		a.gets("x")
	}
}

// TestPublisherIsKilled: nothing was on its way, and so nothing is lost or delivered twice.
func TestPublisherIsKilled(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	a := n.connectJSON("a")
	admin := r.client()
	if err := admin.Do(t.Context(), admin.B().Arbitrary("CLIENT", "KILL", "TYPE", "normal").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 50 {
		text := fmt.Sprint(i)
		err := n.hub.Clients().All().Send(n.ctx(), "Receive", text)
		switch {
		case err == nil, errors.Is(err, redisbackplane.ErrBackplaneUnavailable):
			want = append(want, text)
		case !errors.Is(err, redisbackplane.ErrOutcomeUnknown):
			t.Fatal(err)
		}
	}
	connected(n)
	n.send(n.hub.Clients().All(), "end")
	a.gets(append(want, "end")...)
}

// TestRedisHangs: Redis takes what it is sent and does not answer. A send fails within the bound and is not delivered by
// the node; those that follow do not wait; sends that need no Redis never do.
func TestRedisHangs(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, func(o *redisbackplane.Options) { o.Timeout = 300 * time.Millisecond })
	connected(n)
	a := n.connectJSON("a")
	other := n.connectJSON("b")
	r.signal(syscall.SIGSTOP)
	failed := make(chan error, 10)
	for range cap(failed) {
		go func() { failed <- n.hub.Clients().AllExcept(other.id).Send(n.ctx(), "Receive", "unknown") }()
	}
	n.send(n.hub.Clients().Client(a.id).ClientProxy, "direct")
	a.gets("direct")
	unknown := 0
	for range cap(failed) {
		switch err := <-failed; { // patience bounds it
		case errors.Is(err, redisbackplane.ErrOutcomeUnknown):
			unknown++
		case !errors.Is(err, redisbackplane.ErrBackplaneUnavailable):
			t.Errorf("a send while Redis hangs: %v", err)
		}
	}
	if unknown == 0 {
		t.Error("no outcome was unknown")
	}
	away(n)
	n.sendHere(n.hub.Clients().AllExcept(a.id), "known")
	for m := range 20 { // those that found the link given up already were delivered here
		if got := a.pending(); got == "" {
			break
		} else if m >= cap(failed)-unknown {
			t.Errorf("a message of unknown outcome was delivered by the node: %q", got)
		}
	}
	other.gets("known")
	r.signal(syscall.SIGCONT)
	connected(n)
	n.send(n.hub.Clients().AllExcept(a.id), "end")
	other.gets("end")
}

// TestCallerGivesUp: the caller's context ends while Redis hangs. The others' link stays as it is.
func TestCallerGivesUp(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	r.signal(syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(n.ctx(), 50*time.Millisecond)
	defer cancel()
	err := n.hub.Clients().All().Send(ctx, "Receive", "x")
	r.signal(syscall.SIGCONT)
	if !errors.Is(err, redisbackplane.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	a := n.connectJSON("a")
	ended, cancel := context.WithCancel(t.Context())
	cancel() // as when the connection has left whose handler sends
	if err := n.hub.Clients().All().Send(ended, "Receive", "y"); err != nil {
		t.Errorf("a send whose context is canceled: %v", err)
	}
	for got := a.next(); !strings.Contains(got, `"y"`); got = a.next() {
		if !strings.Contains(got, `"x"`) { // whose outcome was unknown
			t.Fatalf("got %q", got)
		}
	}
	if got := n.b.Stats().Connects; got != 1 || !n.b.Healthy() {
		t.Errorf("connected %d times, healthy %v", got, n.b.Healthy())
	}
}

// TestWaitsEndWithTheLink: who waits for another server is told when Redis is lost.
func TestWaitsEndWithTheLink(t *testing.T) {
	r := startRedis(t)
	one, two := newNode(t, r, nil), newNode(t, r, nil)
	connected(one, two)
	a := one.connectJSON("a")
	asked := make(chan error, 1)
	go func() {
		_, err := signalr.Invoke[int](two.ctx(), two.hub.Clients().Client(a.id), "Ask")
		asked <- err
	}()
	a.question()
	// A connection of a server that does not confirm: somebody else hears its channel.
	r.listen(hubName + ":connection:silent")
	added := make(chan error, 1)
	go func() { added <- two.hub.Groups().Add(two.ctx(), "silent", "g") }()
	admin := r.client()
	eventually(t, "the command was published", func() bool { return commandCalls(t, admin, "publish") >= 2 })
	r.Stop()
	for _, c := range []chan error{asked, added} {
		if err := <-c; !errors.Is(err, redisbackplane.ErrOutcomeUnknown) {
			t.Errorf("got %v", err)
		}
	}
}

// TestNoAck: a server that has the connection and does not confirm (F-172).
func TestNoAck(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, func(o *redisbackplane.Options) { o.AckTimeout = 50 * time.Millisecond })
	connected(n)
	r.listen(hubName + ":connection:silent")
	if err := n.hub.Groups().Add(n.ctx(), "silent", "g"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestClose: a closed backplane reaches its own connections alone, and its goroutine has ended.
func TestClose(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	a := n.connectJSON("a")
	for range 2 {
		if err := n.b.Close(n.ctx()); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.b.State(); got != redisbackplane.Closed {
		t.Errorf("the state is %v", got)
	}
	n.sendHere(n.hub.Clients().All(), "alone")
	a.gets("alone")

	unused := newBackplane(t, r, nil)
	if err := unused.Close(t.Context()); err != nil || unused.State() != redisbackplane.Closed {
		t.Errorf("closing a backplane without a hub: %v, %v", err, unused.State())
	}
}

// TestCloseWhileRedisHangs: whatever Redis does, closing ends.
func TestCloseWhileRedisHangs(t *testing.T) {
	r := startRedis(t)
	r.signal(syscall.SIGSTOP)
	n := newNode(t, r, func(o *redisbackplane.Options) { o.Timeout = time.Minute })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.b.Close(ctx); err != nil {
		t.Error(err)
	}
}
