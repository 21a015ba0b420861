package signalr

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/protocol"
)

// crowd is a hub with the clients a and b of ann, c of bob and d of nobody. a and c are in the group g, b and c in h.
type crowd struct {
	hub     *Hub
	clients map[string]*client
	ids     map[string]string // by name
}

func newCrowd(t *testing.T) *crowd {
	s := newTestServer(t, nil)
	cr := &crowd{hub: s.hub(nil), clients: map[string]*client{}, ids: map[string]string{}}
	h := cr.hub
	h.Handle("ID", Func0(func(_ context.Context, c *Caller) (string, error) { return c.ConnectionID(), nil }))
	h.Handle("Others", Action0(func(ctx context.Context, c *Caller) error { return c.Clients().Others().Send(ctx, "M") }))
	h.Handle("OthersInG", Action0(func(ctx context.Context, c *Caller) error { return c.Clients().OthersInGroup("g").Send(ctx, "M") }))
	h.Handle("Caller", Action0(func(ctx context.Context, c *Caller) error { return c.Clients().Caller().Send(ctx, "M") }))
	h.Handle("All", Action0(func(ctx context.Context, c *Caller) error { return c.Clients().All().Send(ctx, "M") }))
	h.Handle("Leave", Action1(func(ctx context.Context, c *Caller, g string) error {
		return c.Groups().Remove(ctx, c.ConnectionID(), g)
	}))
	s.MapHub(s.mux, "/hub", h)
	for name, user := range map[string]string{"a": "ann", "b": "ann", "c": "bob", "d": ""} {
		c := s.connect()
		if user != "" {
			_ = c.ws.Close()
			c = s.user(user)
		}
		id := strings.Trim(strings.TrimPrefix(c.call("ID"), `{"type":3,"invocationId":"c","result":`), `"}`)
		cr.clients[name], cr.ids[name] = c, id
	}
	for _, m := range []string{"ag", "cg", "cg", "bh", "ch"} {
		if err := h.Groups().Add(t.Context(), cr.ids[m[:1]], m[1:]); err != nil {
			t.Fatal(err)
		}
	}
	return cr
}

// got says who got how many messages by now: "a b2" when a got one and b two.
func (cr *crowd) got() string {
	var parts []string
	for _, name := range []string{"a", "b", "c", "d"} {
		c := cr.clients[name]
		c.send(invocation("mark", "Echo", ""))
		n := 0
		for m := c.next(); m != result("mark", `""`); m = c.next() {
			n++
		}
		switch n {
		case 0:
		case 1:
			parts = append(parts, name)
		default:
			parts = append(parts, fmt.Sprintf("%s%d", name, n))
		}
	}
	return strings.Join(parts, " ")
}

func TestTargets(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cr := newCrowd(t)
		to, id := cr.hub.Clients(), cr.ids
		for _, row := range []struct {
			name  string
			proxy ClientProxy
			want  string
		}{
			{"All", to.All(), "a b c d"},
			{"AllExcept", to.AllExcept(id["a"], id["d"], "nobody"), "b c"},
			{"Client", to.Client(id["b"]).ClientProxy, "b"},
			{"Client that is not there", to.Client("nobody").ClientProxy, ""},
			{"Clients", to.Clients(id["a"], id["c"], "nobody"), "a c"},
			{"no Clients", to.Clients(), ""},
			{"Group", to.Group("g"), "a c"},
			{"Group of nobody", to.Group("G"), ""},
			{"Groups", to.Groups("g", "h"), "a b c2"},
			{"GroupExcept", to.GroupExcept("g", id["c"]), "a"},
			{"User", to.User("ann"), "a b"},
			{"User in another case", to.User("Ann"), ""},
			{"User nobody", to.User(""), ""},
			{"Users", to.Users("ann", "bob", "carl"), "a b c"},
		} {
			if err := row.proxy.Send(t.Context(), "M"); err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
			if got := cr.got(); got != row.want {
				t.Errorf("%s: %q got it, want %q", row.name, got, row.want)
			}
		}
		for _, row := range []struct{ method, want string }{
			{"Others", "b c d"}, {"OthersInG", "c"}, {"Caller", "a"}, {"All", "a b c d"},
		} {
			cr.clients["a"].send(invocation("", row.method))
			synctest.Wait()
			if got := cr.got(); got != row.want {
				t.Errorf("%s of a: %q got it, want %q", row.method, got, row.want)
			}
		}
	})
}

func TestGroupMembership(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cr := newCrowd(t)
		m := cr.hub.manager.(*MemoryLifetimeManager)
		send := func(group, want string) {
			t.Helper()
			if err := cr.hub.Clients().Group(group).Send(t.Context(), "M"); err != nil {
				t.Error(err)
			}
			if got := cr.got(); got != want {
				t.Errorf("group %s: %q, want %q", group, got, want)
			}
		}
		cr.clients["c"].call("Leave", "g")
		cr.clients["c"].call("Leave", "g")       // twice is nothing
		cr.clients["d"].call("Leave", "nowhere") // nor is what never was
		send("g", "a")
		if err := cr.hub.Groups().Add(t.Context(), "nobody", "g"); err != nil {
			t.Errorf("adding a connection that is not there: %v", err)
		}
		if err := cr.hub.Groups().Remove(t.Context(), "nobody", "g"); err != nil {
			t.Errorf("removing a connection that is not there: %v", err)
		}
		send("g", "a")
		for _, c := range cr.clients {
			_ = c.ws.Close()
		}
		synctest.Wait()
		if len(m.conns)+len(m.groups)+len(m.users) != 0 {
			t.Errorf("%d connections, %d groups, %d users are kept of nobody", len(m.conns), len(m.groups), len(m.users))
		}
	})
}

// TestSendFails: an argument that cannot be encoded; nobody gets anything.
func TestSendFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cr := newCrowd(t)
		for name, v := range map[string]any{"channel": make(chan int), "panics": bomb{}} {
			if err := cr.hub.Clients().All().Send(t.Context(), "M", v); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if got := cr.got(); got != "" {
			t.Errorf("%q got something", got)
		}
	})
}

// TestOrderOfSends: what one sender sends arrives in order at each client, whatever target it was for.
func TestOrderOfSends(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const messages = 200
		cr := newCrowd(t)
		go func() {
			to := cr.hub.Clients()
			for i := range messages {
				p := []ClientProxy{to.All(), to.Group("g"), to.User("ann"), to.Client(cr.ids["a"]).ClientProxy}[i%4]
				if err := p.Send(context.Background(), "M", i); err != nil {
					t.Error(err)
				}
			}
		}()
		for _, other := range []string{"b", "c", "d"} {
			go closing(cr.clients[other])
		}
		for i := range messages {
			cr.clients["a"].want(fmt.Sprintf(`{"type":1,"target":"M","arguments":[%d]}`, i))
		}
	})
}

// TestSlowConsumer: what others send to a client that does not read closes it, with a reason, and holds up nobody; what
// it causes itself waits.
func TestSlowConsumer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		causes := make(chan error, 1)
		s := newTestServer(t, nil)
		h := s.hub(&HubOptions{EnableDetailedErrors: true, Connection: ConnectionOptions{SendQueueLimit: 10_000}})
		h.OnDisconnected(func(_ context.Context, _ *Caller, cause error) error { causes <- cause; return nil })
		s.MapHub(s.mux, "/hub", h)
		slow, fast := s.connect(), s.connect()
		synctest.Wait() // the hub knows them
		received := make(chan int, 100)
		go func() {
			for i := 0; ; i++ {
				if m := fast.next(); strings.HasPrefix(m, "close") || m == "lost" {
					return
				}
				received <- i
			}
		}()
		start := time.Now()
		for range 20 {
			if err := h.Clients().All().Send(t.Context(), "M", strings.Repeat("x", 1000)); err != nil {
				t.Fatal(err)
			}
			<-received
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("sending took %v because of a client that does not read", d)
		}
		var got []string
		for {
			m := slow.next()
			got = append(got, m[:min(len(m), 200)])
			if strings.HasPrefix(m, "close") || m == "lost" {
				break
			}
		}
		const want = `{"type":7,"error":"Connection closed with an error. SlowConsumerException: The client did not read fast enough: its send queue is full.","allowReconnect":true}`
		if n := len(got); n > 12 || n < 2 || got[n-2] != want || got[n-1] != "close 1000" {
			t.Errorf("the slow client got %d messages, the last %q: want at most what the queue holds, and the Close message", n, got[max(n-2, 0):])
		}
		if err := <-causes; err != ErrSlowConsumer {
			t.Errorf("cause %v", err)
		}
	})
	t.Run("its own", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			sent := 0
			s := hubServer(t, &HubOptions{Connection: ConnectionOptions{SendQueueLimit: 10_000}}, func(h *Hub) {
				h.Handle("Flood", Action0(func(ctx context.Context, c *Caller) error {
					for i := range 100 {
						if err := c.Clients().All().Send(ctx, "M", i, strings.Repeat("x", 1000)); err != nil {
							return err
						}
						sent++
					}
					return nil
				}))
			})
			c := s.connect()
			c.send(invocation("1", "Flood"))
			synctest.Wait()
			if sent > 12 {
				t.Errorf("%d kB were queued, 10 may be", sent)
			}
			for i := range 100 {
				if m := c.next(); !strings.HasPrefix(m, fmt.Sprintf(`{"type":1,"target":"M","arguments":[%d,`, i)) {
					t.Fatalf("message %d is %.60s", i, m)
				}
			}
			c.want(result("1", "null"))
		})
	})
	t.Run("pings do not count", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := hubServer(t, &HubOptions{Connection: ConnectionOptions{SendQueueLimit: 1000, TransportSendTimeout: -1}}, func(h *Hub) {
				h.HandleStream("Endless", Stream0(func(context.Context, *Caller) Seq { return count(1 << 30) }))
			})
			c := s.connect()
			c.send(streamInvocation("s", "Endless"))
			time.Sleep(time.Minute) // the queue is full all the time
			for i := range 100 {
				c.want(item("s", i))
			}
		})
	})
}

// TestSerializedMessage: encoded once per protocol, also by many at once.
func TestSerializedMessage(t *testing.T) {
	h := NewHub(nil)
	p := h.opts.Protocols[0]
	msg := NewSerializedMessage(&protocol.Ping{})
	a, err := msg.Bytes(p)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := msg.Bytes(p)
	if &a[0] != &b[0] {
		t.Error("encoded twice")
	}
	if diff := cmp.Diff("{\"type\":6}\x1e", string(a)); diff != "" {
		t.Error(diff)
	}
}
