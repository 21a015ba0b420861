package signalr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// TestSendArrays: an array is one argument and not many.
func TestSendArrays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, func(h *Hub) {
			h.Handle("Tell", Action0(func(ctx context.Context, c *Caller) error {
				return c.Clients().All().Send(ctx, "Numbers", []int{1, 2, 3})
			}))
		})
		a, b := s.connect(), s.connect()
		a.send(invocation("", "Tell"))
		for _, c := range []*client{a, b} {
			c.want(`{"type":1,"target":"Numbers","arguments":[[1,2,3]]}`)
		}
	})
}

// TestSendAfterTheCall: what reaches the caller in a method does so when the method has long returned.
func TestSendAfterTheCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ended := make(chan error, 1)
		s := hubServer(t, nil, func(h *Hub) {
			h.Handle("Later", Action0(func(_ context.Context, c *Caller) error {
				clients := c.Clients()
				time.AfterFunc(time.Minute, func() { ended <- clients.Caller().Send(context.Background(), "Late", 1) })
				return nil
			}))
		})
		c := s.connect()
		c.send(invocation("1", "Later"))
		c.want(result("1", "null"), `{"type":1,"target":"Late","arguments":[1]}`)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestSendFromOnConnected: a newcomer's OnConnected reaches those who are there.
func TestSendFromOnConnected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, func(h *Hub) {
			h.OnConnected(func(ctx context.Context, c *Caller) error { return c.Clients().Others().Send(ctx, "Came") })
		})
		a := s.connect()
		s.connect()
		a.want(`{"type":1,"target":"Came","arguments":[]}`)
	})
}

// TestSendsEndWithTheirContext: a client that does not read fills its queue by its own calls; a send of theirs that waits
// for room ends with its context, whatever target it has.
func TestSendsEndWithTheirContext(t *testing.T) {
	for name, target := range map[string]func(*Caller) ClientProxy{
		"All":         func(c *Caller) ClientProxy { return c.Clients().All() },
		"AllExcept":   func(c *Caller) ClientProxy { return c.Clients().AllExcept("nobody") },
		"Client":      func(c *Caller) ClientProxy { return c.Clients().Client(c.ConnectionID()).ClientProxy },
		"Clients":     func(c *Caller) ClientProxy { return c.Clients().Clients.Clients(c.ConnectionID()) },
		"Group":       func(c *Caller) ClientProxy { return c.Clients().Group("g") },
		"GroupExcept": func(c *Caller) ClientProxy { return c.Clients().GroupExcept("g", "nobody") },
		"Groups":      func(c *Caller) ClientProxy { return c.Clients().Groups("g") },
		"User":        func(c *Caller) ClientProxy { return c.Clients().User("ann") },
		"Users":       func(c *Caller) ClientProxy { return c.Clients().Users("ann") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ended := make(chan error, 1)
				s := hubServer(t, nil, func(h *Hub) {
					h.Handle("Fill", Action0(func(ctx context.Context, c *Caller) error {
						if err := c.Groups().Add(ctx, c.ConnectionID(), "g"); err != nil {
							return err
						}
						ctx, cancel := context.WithTimeout(ctx, time.Second)
						defer cancel()
						text := strings.Repeat("x", 10_000)
						for range 1000 {
							if err := target(c).Send(ctx, "Much", text); err != nil {
								ended <- err
								return nil
							}
						}
						ended <- nil
						return nil
					}))
				})
				s.user("ann").send(invocation("", "Fill"))
				if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the send ended with %v", err)
				}
			})
		})
	}
}

// TestHalfAHandshake: a client that leaves in the middle of its handshake was never there (F-057).
func TestHalfAHandshake(t *testing.T) {
	bubble(t, func(t *testing.T) {
		events := 0
		s := hubServer(t, nil, func(h *Hub) {
			h.OnConnected(func(context.Context, *Caller) error { events++; return nil })
			h.OnDisconnected(func(context.Context, *Caller, error) error { events++; return nil })
		})
		c := s.open("/hub")
		if err := c.ws.WriteMessage(websocket.TextMessage, []byte(`{"protocol":"js`)); err != nil {
			t.Fatal(err)
		}
		_ = c.ws.NetConn().Close()
		time.Sleep(time.Minute)
		if events != 0 || s.Connections() != 0 {
			t.Errorf("%d hub events, %d connections", events, s.Connections())
		}
	})
}

// TestClientTimeoutWhileACallRuns: with turns to spare, a call that runs does not stand in for the client's messages.
func TestClientTimeoutWhileACallRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, &HubOptions{MaximumParallelInvocationsPerClient: 2}, func(h *Hub) {
			h.Handle("Slow", Action0(func(ctx context.Context, _ *Caller) error { <-ctx.Done(); return nil }))
		})
		c := s.connect()
		start := time.Now()
		c.send(`{"type":6}`, invocation("", "Slow"))
		c.want(`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`, "close 1000")
		if d := time.Since(start); d > 33*time.Second {
			t.Errorf("closed after %v", d)
		}
	})
}

// TestFilterVariants: filters that lack functions, swallow errors, or do not pass on.
func TestFilterVariants(t *testing.T) {
	hide := HubFilter{OnConnected: func(ctx context.Context, c *Caller, next func(context.Context, *Caller) error) error {
		_ = next(ctx, c)
		return nil
	}}
	skip := HubFilter{OnConnected: func(context.Context, *Caller, func(context.Context, *Caller) error) error { return nil }}
	answer := HubFilter{InvokeMethod: func(context.Context, *Invocation, HandlerFunc) (any, error) { return "instead", nil }}
	for _, row := range []struct {
		name   string
		filter HubFilter
		want   string
	}{
		{"no functions", HubFilter{}, "close"},
		{"OnConnected's error is swallowed", hide, `"x"`},
		{"OnConnected is not called", skip, `"x"`},
		{"the method is not called", HubFilter{OnConnected: skip.OnConnected, InvokeMethod: answer.InvokeMethod}, `"instead"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := hubServer(t, &HubOptions{Filters: []HubFilter{row.filter}}, func(h *Hub) {
					h.OnConnected(func(context.Context, *Caller) error { return errors.New("full") })
				})
				c := s.connect()
				if row.want == "close" { // the hub's own OnConnected counts
					c.want(`{"type":7,"error":"Connection closed with an error."}`, "close 1000")
					return
				}
				if got := c.call("Echo", "x"); got != result("c", row.want) {
					t.Errorf("got %s", got)
				}
			})
		})
	}
}

// TestClientResultsOutsideTheCall: a goroutine that outlives its method asks the caller.
func TestClientResultsOutsideTheCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		answers := make(chan string, 1)
		s := hubServer(t, nil, func(h *Hub) {
			h.Handle("AskLater", Action0(func(_ context.Context, c *Caller) error {
				caller := c.Clients().Caller()
				go func() {
					n, err := Invoke[int](context.Background(), caller, "Question")
					answers <- fmt.Sprint(n, err)
				}()
				return nil
			}))
		})
		c := s.connect()
		c.send(invocation("", "AskLater"))
		c.want(asked(1, "Question", ""))
		c.send(result("s1", "42"))
		if got := <-answers; got != "42 <nil>" {
			t.Errorf("got %s", got)
		}
		synctest.Wait()
	})
}
