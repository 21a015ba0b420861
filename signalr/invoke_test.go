package signalr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// asked is the question number n of a hub: the manager's ids count from 1.
func asked(n int, target, args string) string {
	return fmt.Sprintf(`{"type":1,"invocationId":"s%d","target":%q,"arguments":[%s]}`, n, target, args)
}

// TestClientResults: asked by a hub method of its own client, with a limit of 1 (F-094, F-106, F-107).
func TestClientResults(t *testing.T) {
	const invoking = "An unexpected error occurred invoking 'Ask' on the server."
	for _, row := range []struct {
		name, answer string
		want         string
	}{
		{"result", result("s1", "42"), result("1", "42")},
		{"client's error", failure("s1", "no idea"), failure("1", invoking+" HubException: no idea")},
		{"nothing", completed("s1"), failure("1", invoking+" HubException: Exception of type 'Microsoft.AspNetCore.SignalR.HubException' was thrown.")},
		{"first of two", result("s1", "1") + "\x1e" + result("s1", "2"), result("1", "1")},
		{"unknown first", result("s99", "1") + "\x1e" + completed("other") + "\x1e" + result("s1", "5"), result("1", "5")},
		{"other calls meanwhile", invocation("2", "Nope") + "\x1e" + result("s1", "5"), failure("2", "Failed to invoke 'Nope' due to an error on the server. HubException: Method does not exist.")},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := hubServer(t, nil, func(h *Hub) {
					h.Handle("Ask", Func1(func(ctx context.Context, c *Caller, q string) (int, error) {
						return Invoke[int](ctx, c.Clients().Caller(), "Question", q)
					}))
				})
				c := s.connect()
				c.send(invocation("1", "Ask", "why"))
				c.want(asked(1, "Question", `"why"`))
				c.send(row.answer)
				c.want(row.want)
			})
		})
	}
	t.Run("wrong type", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := hubServer(t, nil, func(h *Hub) {
				h.Handle("Ask", Func0(func(ctx context.Context, c *Caller) (int, error) {
					return Invoke[int](ctx, c.Clients().Caller(), "Question")
				}))
			})
			c := s.connect()
			c.send(invocation("1", "Ask"))
			c.want(asked(1, "Question", ""))
			c.send(result("s1", `"text"`))
			if got, want := c.next(), invoking+" HubException: Error trying to deserialize result to Int32. "; !strings.Contains(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	})
	t.Run("given up", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := hubServer(t, nil, func(h *Hub) {
				h.Handle("Ask", Func0(func(ctx context.Context, c *Caller) (int, error) {
					ctx, cancel := context.WithTimeout(ctx, time.Second)
					defer cancel()
					return Invoke[int](ctx, c.Clients().Caller(), "Question")
				}))
			})
			c := s.connect()
			c.send(invocation("1", "Ask"))
			c.want(asked(1, "Question", ""), failure("1", invoking+" HubException: Invocation canceled by the server."))
			c.send(result("s1", "1")) // too late
			if got := c.call("Echo", "x"); got != result("c", `"x"`) {
				t.Errorf("afterwards: %s", got)
			}
		})
	})
	t.Run("in OnConnected", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := hubServer(t, &HubOptions{EnableDetailedErrors: true}, func(h *Hub) {
				h.OnConnected(func(ctx context.Context, c *Caller) error {
					_, err := Invoke[int](ctx, c.Clients().Caller(), "Question")
					return err
				})
			})
			c := s.connect()
			c.want(`{"type":7,"error":"Connection closed with an error. InvalidOperationException: Client results inside OnConnectedAsync Hub methods are not allowed."}`, "close 1000")
		})
	})
}

// TestClientResultsFromOutside: asked through the hub's context.
func TestClientResultsFromOutside(t *testing.T) {
	// ask asks the connection id and returns what came of it.
	ask := func(h *Hub, id string) (func() error, chan int) {
		answers, done := make(chan int, 1), make(chan error, 1)
		go func() {
			n, err := Invoke[int](context.Background(), h.Clients().Client(id), "Question")
			answers <- n
			done <- err
		}()
		return func() error { return <-done }, answers
	}
	setup := func(t *testing.T) (*testServer, *Hub, chan string) {
		s := newTestServer(t, nil)
		h, ids := s.hub(nil), make(chan string, 10)
		h.OnConnected(func(_ context.Context, c *Caller) error { ids <- c.ConnectionID(); return nil })
		s.MapHub(s.mux, "/hub", h)
		return s, h, ids
	}
	t.Run("result", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s, h, ids := setup(t)
			c := s.connect()
			done, answers := ask(h, <-ids)
			c.want(asked(1, "Question", ""))
			c.send(result("s1", "7"))
			if n, err := <-answers, done(); n != 7 || err != nil {
				t.Errorf("answer %d, %v", n, err)
			}
		})
	})
	t.Run("unknown connection", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			_, h, _ := setup(t)
			done, _ := ask(h, "nobody")
			if err := done(); !errors.Is(err, ErrConnectionClosed) || err.Error() != "Connection 'nobody' does not exist." {
				t.Errorf("error %v", err)
			}
		})
	})
	for _, row := range []struct {
		name string
		lose func(*client)
	}{
		{"dropped", func(c *client) { _ = c.ws.Close() }},
		{"Close message", func(c *client) { c.send(`{"type":7}`); closing(c) }},
		{"bad message", func(c *client) { c.send(`{`); closing(c) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, h, ids := setup(t)
				c := s.connect()
				id := <-ids
				done, _ := ask(h, id)
				c.want(asked(1, "Question", ""))
				row.lose(c)
				if err := done(); !errors.Is(err, ErrConnectionClosed) || err.Error() != "Connection '"+id+"' disconnected." {
					t.Errorf("error %v", err)
				}
			})
		})
	}
	t.Run("answer of another connection", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s, h, ids := setup(t)
			c := s.connect()
			done, answers := ask(h, <-ids)
			c.want(asked(1, "Question", ""))
			evil := s.connect()
			evil.send(result("s1", "666"))
			evil.want(`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`, "close 1000")
			c.send(result("s1", "7"))
			if n, err := <-answers, done(); n != 7 || err != nil {
				t.Errorf("answer %d, %v", n, err)
			}
		})
	})
	t.Run("nothing is left", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s, h, ids := setup(t)
			s.connect()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			id := <-ids
			go func() {
				_, err := Invoke[int](ctx, h.Clients().Client(id), "Question")
				done <- err
			}()
			synctest.Wait()
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want the context's", err)
			}
			if n := len(h.manager.(*MemoryLifetimeManager).pending); n != 0 {
				t.Errorf("%d questions are kept", n)
			}
		})
	})
}

// TestInvokeOfOneselfInOnDisconnected (F-109).
func TestInvokeOfOneselfInOnDisconnected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		failed := make(chan error, 1)
		s := hubServer(t, nil, func(h *Hub) {
			h.OnDisconnected(func(_ context.Context, c *Caller, _ error) error {
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				_, err := Invoke[int](ctx, c.Clients().Caller(), "Ask")
				failed <- err
				return nil
			})
		})
		c := s.connect()
		_ = c.ws.Close()
		if err := <-failed; !errors.Is(err, ErrConnectionClosed) {
			t.Errorf("asking the connection that has ended: %v, want ErrConnectionClosed", err)
		}
	})
}
