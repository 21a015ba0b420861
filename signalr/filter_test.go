package signalr

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/transport"
)

// TestFilters checks order and reach of filters (F-145 to F-148).
func TestFilters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		var seen []string
		note := func(s string) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, s)
		}
		named := func(name string) HubFilter {
			return HubFilter{
				InvokeMethod: func(ctx context.Context, inv *Invocation, next HandlerFunc) (any, error) {
					note(name + " before " + inv.Target())
					r, err := next(ctx, inv)
					note(name + " after " + inv.Target())
					return r, err
				},
				InvokeStream: func(ctx context.Context, inv *Invocation, next StreamHandlerFunc) (iter.Seq2[any, error], error) {
					note(name + " stream " + inv.Target())
					return next(ctx, inv)
				},
				OnConnected: func(ctx context.Context, c *Caller, next func(context.Context, *Caller) error) error {
					note(name + " connected")
					return next(ctx, c)
				},
				OnDisconnected: func(ctx context.Context, c *Caller, cause error, next func(context.Context, *Caller, error) error) error {
					note(name + " disconnected")
					return next(ctx, c, cause)
				},
			}
		}
		guard := HubFilter{InvokeMethod: func(ctx context.Context, inv *Invocation, next HandlerFunc) (any, error) {
			switch inv.Target() {
			case "Forbidden":
				return nil, Errorf("not for you")
			case "Changed":
				r, err := next(ctx, inv)
				return r.(string) + "!", err
			}
			return next(ctx, inv)
		}}
		s := hubServer(t, &HubOptions{Filters: []HubFilter{named("outer"), named("inner"), guard}}, func(h *Hub) {
			h.Handle("Forbidden", Action0(func(context.Context, *Caller) error { note("forbidden ran"); return nil }))
			h.Handle("Changed", Func0(func(context.Context, *Caller) (string, error) { return "hello", nil }))
			h.HandleStream("Count", Stream0(func(context.Context, *Caller) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) { yield(1, nil) }
			}))
		})
		c := s.connect()
		c.send(invocation("1", "forbidden"))
		c.want(failure("1", "An unexpected error occurred invoking 'Forbidden' on the server. HubException: not for you"))
		c.send(invocation("2", "Changed"))
		c.want(result("2", `"hello!"`))
		c.send(invocation("3", "Echo", 5)) // an argument that does not fit comes out of next and is told as ever
		c.want(failure("3", "Failed to invoke 'Echo' due to an error on the server."))
		c.send(invocation("4", "NoSuch")) // reaches no filter
		c.want(failure("4", "Failed to invoke 'NoSuch' due to an error on the server. HubException: Method does not exist."))
		c.send(strings.Replace(invocation("5", "Count"), `"type":1`, `"type":4`, 1))
		c.want(`{"type":2,"invocationId":"5","item":1}`, `{"type":3,"invocationId":"5"}`)
		_ = c.ws.Close()
		synctest.Wait()
		want := []string{
			"outer connected", "inner connected",
			"outer before Forbidden", "inner before Forbidden", "inner after Forbidden", "outer after Forbidden",
			"outer before Changed", "inner before Changed", "inner after Changed", "outer after Changed",
			"outer before Echo", "inner before Echo", "inner after Echo", "outer after Echo",
			"outer stream Count", "inner stream Count",
			"outer disconnected", "inner disconnected",
		}
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// TestFilterThatRefusesConnections ends the connection as the hub's own OnConnected would.
func TestFilterThatRefusesConnections(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, &HubOptions{Filters: []HubFilter{{
			OnConnected: func(context.Context, *Caller, func(context.Context, *Caller) error) error { return errors.New("full") },
		}}}, nil)
		c := s.connect()
		c.want(`{"type":7,"error":"Connection closed with an error."}`, "close 1000")
	})
}

// TestCloseFromOutside ends connections that something other than their own hub methods does not want any more.
func TestCloseFromOutside(t *testing.T) {
	for _, row := range []struct {
		name      string
		close     func(h *Hub, id string) error
		want      string
		reconnect bool
	}{
		{"one connection", func(h *Hub, id string) error { return h.Clients().Client(id).Close(context.Background(), false) }, `{"type":7}`, false},
		{"a user", func(h *Hub, _ string) error { return h.Clients().User("ann").Close(context.Background(), true) }, `{"type":7,"allowReconnect":true}`, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ids := make(chan string, 1)
				gone := make(chan error, 1)
				var hub *Hub
				s := hubServer(t, nil, func(h *Hub) {
					hub = h
					h.OnConnected(func(_ context.Context, c *Caller) error {
						if c.UserID() == "ann" {
							ids <- c.ConnectionID()
						}
						return nil
					})
					h.OnDisconnected(func(_ context.Context, c *Caller, cause error) error {
						if c.UserID() == "ann" {
							gone <- cause
						}
						return nil
					})
				})
				ann, bob := s.user("ann"), s.user("bob")
				if err := row.close(hub, <-ids); err != nil {
					t.Fatal(err)
				}
				ann.want(row.want, "close 1000")
				if cause := <-gone; cause != nil {
					t.Errorf("OnDisconnected got %v, want nil", cause)
				}
				if got, want := bob.call("Echo", "here"), result("c", `"here"`); got != want {
					t.Errorf("the other connection: got %s, want %s", got, want)
				}
			})
		})
	}
}

// countingMetrics counts what it is told.
type countingMetrics struct {
	mu     sync.Mutex
	active map[transport.Type]int
	ended  []string
}

func (m *countingMetrics) ConnectionStarted(t transport.Type) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.active[t]++
}

func (m *countingMetrics) ConnectionStopped(t transport.Type, status CloseStatus, lasted time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.active[t]--
	m.ended = append(m.ended, t.String()+" "+string(status)+" "+lasted.String())
}

// TestMetrics (F-149, F-150).
func TestMetrics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &countingMetrics{active: make(map[transport.Type]int)}
		s := newTestServer(t, &ServerOptions{Metrics: m})
		s.MapHub(s.mux, "/hub", s.hub(nil))
		a, b := s.connect(), s.connect()
		time.Sleep(5 * time.Second)
		m.mu.Lock()
		if m.active[transport.WebSockets] != 2 {
			t.Errorf("%d active connections, want 2", m.active[transport.WebSockets])
		}
		m.mu.Unlock()
		_ = a.ws.Close()
		synctest.Wait()
		go func() {
			for b.next() != "lost" {
				_ = b.ws.Close()
			}
		}()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if diff := cmp.Diff([]string{"WebSockets normal_closure 5s", "WebSockets app_shutdown 5s"}, m.ended); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if m.active[transport.WebSockets] != 0 {
			t.Errorf("%d active connections at the end", m.active[transport.WebSockets])
		}
	})
}
