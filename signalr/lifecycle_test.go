package signalr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

const failedClose = `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`

// TestHandshake (F-054 to F-057).
func TestHandshake(t *testing.T) {
	const unexpected = `{"error":"An unexpected error occurred during connection handshake.`
	for _, row := range []struct {
		name, send string
		want       string // the answer; a connection whose handshake succeeds answers a call
		detailed   string // behind "unexpected", with detailed errors
	}{
		{name: "json", send: jsonHandshake, want: `{}`},
		{name: "other order, unknown members", send: `{"x":[{}],"version":1,"protocol":"json"}`, want: `{}`},
		{name: "name in another case", send: `{"protocol":"JSON","version":1}`, want: `{}`},
		{name: "version 2", send: `{"protocol":"json","version":2}`, want: `{}`},
		{name: "version 0", send: `{"protocol":"json","version":0}`, want: `{}`},
		{name: "negative version", send: `{"protocol":"json","version":-3}`, want: `{}`},
		{name: "the last of two counts", send: `{"protocol":"x","protocol":"json","version":1}`, want: `{}`},
		{name: "something behind the brace", send: jsonHandshake + " junk", want: `{}`},
		{name: "version 3", send: `{"protocol":"json","version":3}`, want: `{"error":"The server does not support version 3 of the 'json' protocol."}`},
		{name: "unknown protocol", send: `{"protocol":"smoke","version":1}`, want: `{"error":"The protocol 'smoke' is not supported."}`},
		{name: "not offered", send: `{"protocol":"messagepack","version":1}`, want: `{"error":"The protocol 'messagepack' is not supported."}`},
		{name: "no protocol", send: `{"version":1}`, want: unexpected, detailed: ` InvalidDataException: Missing required property 'protocol'. Message content: {\"version\":1}`},
		{name: "no version", send: `{"protocol":"json"}`, want: unexpected, detailed: ` InvalidDataException: Missing required property 'version'. Message content: {\"protocol\":\"json\"}`},
		{name: "key in another case", send: `{"Protocol":"json","version":1}`, want: unexpected, detailed: ` InvalidDataException: Missing required property 'protocol'.`},
		{name: "version is text", send: `{"protocol":"json","version":"1"}`, want: unexpected, detailed: ` InvalidDataException: Expected 'version' to be of type Number.`},
		{name: "array", send: `[]`, want: unexpected, detailed: ` InvalidDataException: Unexpected JSON Token Type 'Array'. Expected a JSON Object.`},
		{name: "not JSON", send: `hello`, want: unexpected},
		{name: "empty", send: ``, want: unexpected},
		{name: "too long", send: `{"protocol":"json","version":1,"x":"` + strings.Repeat("x", 40_000) + `"}`, want: `{"error":"Handshake was canceled."}`},
	} {
		for _, detailed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s detailed=%t", row.name, detailed), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					events := 0
					s := hubServer(t, &HubOptions{EnableDetailedErrors: detailed}, func(h *Hub) {
						h.OnConnected(func(context.Context, *Caller) error { events++; return nil })
						h.OnDisconnected(func(context.Context, *Caller, error) error { events++; return nil })
					})
					c := s.open("/hub")
					sent := make(chan struct{})
					go func() { // the server may stop reading
						defer close(sent)
						_ = c.ws.WriteMessage(websocket.TextMessage, []byte(row.send+"\x1e"))
					}()
					got := c.next()
					if row.want == `{}` {
						<-sent
						if got != row.want || c.call("Echo", "x") != result("c", `"x"`) {
							t.Errorf("got %s", got)
						}
						return
					}
					want := row.want
					if want == unexpected && !detailed {
						want += `"}`
					} else if want == unexpected {
						want += row.detailed
					}
					if !strings.HasPrefix(got, want) {
						t.Errorf("got  %s\nwant %s", got, want)
					}
					c.want("close 1000")
					synctest.Wait()
					if events != 0 {
						t.Errorf("%d hub events were raised", events)
					}
				})
			})
		}
	}
}

// TestHandshakeCut: the handshake, and what is pipelined behind it, in any pieces; nothing is read before OnConnected
// has returned (F-058).
func TestHandshakeCut(t *testing.T) {
	for _, n := range []int{1, 5, 31, 40, 1000} {
		bubble(t, func(t *testing.T) {
			release, connected := make(chan struct{}), false
			s := hubServer(t, nil, func(h *Hub) {
				h.OnConnected(func(context.Context, *Caller) error { <-release; connected = true; return nil })
				h.Handle("Connected", Func0(func(context.Context, *Caller) (bool, error) { return connected, nil }))
			})
			c := s.open("/hub")
			go func() {
				for rest := jsonHandshake + "\x1e" + invocation("1", "Connected") + "\x1e"; rest != ""; {
					k := min(n, len(rest))
					_ = c.ws.WriteMessage(websocket.TextMessage, []byte(rest[:k]))
					rest = rest[k:]
				}
			}()
			c.want(`{}`)
			synctest.Wait()
			close(release)
			c.want(result("1", "true"))
		})
	}
}

// TestHowConnectionsEnd: what the client gets last, and what OnDisconnected is told (F-110, F-111).
func TestHowConnectionsEnd(t *testing.T) {
	drop := func(c *client) { _ = c.ws.NetConn().Close() }
	for _, row := range []struct {
		name  string
		end   func(*client)
		want  []string // nil: the client has gone
		cause string   // "" for nil
	}{
		{"close frame", func(c *client) {
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Time{})
		}, []string{"close 1000"}, ""},
		{"drop", drop, nil, ""},
		{"Close message", func(c *client) { c.send(`{"type":7}`) }, []string{`{"type":7}`, "close 1000"}, ""},
		{"Close message with an error", func(c *client) { c.send(`{"type":7,"error":"my fault"}`) }, []string{`{"type":7}`, "close 1000"}, "*signalr.HubError my fault"},
		{"behind a Close message", func(c *client) { c.send(`{"type":7}`, invocation("1", "Echo", "x")) }, []string{`{"type":7}`, "close 1000"}, ""},
		{"Abort", func(c *client) { c.send(invocation("", "Abort")) }, []string{`{"type":7}`, "close 1000"}, ""},
		{"Abort in a call that wants an answer", func(c *client) { c.send(invocation("1", "Abort")) }, []string{`{"type":7}`, "close 1000"}, ""},
		{"malformed message", func(c *client) { c.send(`{"type":1`) }, []string{failedClose, "close 1000"}, "*protocol.DataError"},
		{"empty message", func(c *client) { c.send(``) }, []string{failedClose, "close 1000"}, "*protocol.DataError"},
		{"half a message", func(c *client) {
			_ = c.ws.WriteMessage(websocket.TextMessage, []byte(`{"type":`))
			drop(c)
		}, nil, "*protocol.DataError Connection terminated while reading a message."},
		{"too large", func(c *client) {
			go func() { _ = c.ws.WriteMessage(websocket.TextMessage, []byte(strings.Repeat(" ", 40_000))) }()
		}, []string{failedClose, "close 1000"}, "*protocol.DataError The maximum message size of 32768B was exceeded. The message size can be configured in AddHubOptions."},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				causes := make(chan error, 10)
				s := hubServer(t, nil, func(h *Hub) {
					h.OnDisconnected(func(ctx context.Context, c *Caller, cause error) error {
						if ctx.Err() != nil {
							t.Error("OnDisconnected's context has ended")
						}
						causes <- cause
						return nil
					})
					h.Handle("Abort", Action0(func(ctx context.Context, c *Caller) error {
						c.Abort()
						if ctx.Err() == nil {
							t.Error("a method's context goes on after Abort")
						}
						return nil
					}))
				})
				c := s.connect()
				row.end(c)
				if row.want != nil {
					c.want(row.want...)
				}
				got := ""
				if cause := <-causes; cause != nil {
					got = fmt.Sprintf("%T %v", cause, cause)
				}
				if !strings.HasPrefix(got, row.cause) || row.cause == "" && got != "" {
					t.Errorf("OnDisconnected got %q, want %q", got, row.cause)
				}
				time.Sleep(10 * time.Second)
				if len(causes) > 0 || s.Connections() != 0 {
					t.Errorf("OnDisconnected was called %d times more, %d connections are left", len(causes), s.Connections())
				}
			})
		})
	}
}

// TestMessageSizeLimit (F-063): counted with the record separator.
func TestMessageSizeLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, &HubOptions{MaximumReceiveMessageSize: 200, EnableDetailedErrors: true}, nil)
		echo := func(total int) string {
			empty := len(invocation("1", "Echo", "")) + 1
			return invocation("1", "Echo", strings.Repeat("x", total-empty))
		}
		c := s.connect()
		c.send(echo(200))
		if m := c.next(); !strings.Contains(m, "xxx") {
			t.Errorf("a message of just the limit: %s", m)
		}
		c.send(echo(150), echo(150)) // the limit is for each
		c.next()
		c.next()
		c.send(echo(201))
		c.want(`{"type":7,"error":"Connection closed with an error. InvalidDataException: The maximum message size of 200B was exceeded. The message size can be configured in AddHubOptions.","allowReconnect":true}`)
	})
	t.Run("none", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := hubServer(t, &HubOptions{MaximumReceiveMessageSize: -1}, nil)
			c := s.connect()
			c.send(invocation("1", "Echo", strings.Repeat("x", 500_000)))
			if m := c.next(); len(m) < 500_000 {
				t.Errorf("got %d bytes", len(m))
			}
		})
	})
}

// TestOnConnected: failures of it (F-110, F-112).
func TestOnConnected(t *testing.T) {
	for _, row := range []struct {
		name         string
		f            func(*Caller) error
		detailed     bool
		want         []string
		disconnected bool
	}{
		{"error", func(*Caller) error { return errors.New("secret") }, false, []string{`{"type":7,"error":"Connection closed with an error."}`, "close 1000"}, false},
		{"detailed error", func(*Caller) error { return errors.New("secret") }, true, []string{`{"type":7,"error":"Connection closed with an error. Error: secret"}`, "close 1000"}, false},
		{"HubError", func(*Caller) error { return Errorf("no entry") }, false, []string{`{"type":7,"error":"Connection closed with an error. HubException: no entry"}`, "close 1000"}, false},
		{"panic", func(*Caller) error { panic("boom") }, false, []string{`{"type":7,"error":"Connection closed with an error."}`, "close 1000"}, false},
		{"Abort", func(c *Caller) error { c.Abort(); return nil }, false, []string{`{"type":7}`, "close 1000"}, true},
		{"sends", func(c *Caller) error { return c.Clients().Caller().Send(context.Background(), "Hello", 1) }, false, []string{`{"type":1,"target":"Hello","arguments":[1]}`}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				disconnected := false
				s := hubServer(t, &HubOptions{EnableDetailedErrors: row.detailed}, func(h *Hub) {
					h.OnConnected(func(_ context.Context, c *Caller) error { return row.f(c) })
					h.OnDisconnected(func(context.Context, *Caller, error) error { disconnected = true; return nil })
				})
				c := s.connect()
				c.want(row.want...)
				synctest.Wait()
				if disconnected != row.disconnected {
					t.Errorf("OnDisconnected called: %t, want %t", disconnected, row.disconnected)
				}
			})
		})
	}
}

// failingManager is a lifetime manager that fails.
type failingManager struct {
	*MemoryLifetimeManager
	connected, disconnected error
}

func (m failingManager) OnConnected(ctx context.Context, c *Connection) error {
	return errors.Join(m.connected, m.MemoryLifetimeManager.OnConnected(ctx, c))
}

func (m failingManager) OnDisconnected(ctx context.Context, c *Connection) error {
	return errors.Join(m.disconnected, m.MemoryLifetimeManager.OnDisconnected(ctx, c))
}

// TestTransportEndsWithAnError (F-112).
func TestTransportEndsWithAnError(t *testing.T) {
	broken := errors.New("broken")
	t.Run("the manager's OnConnected", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := hubServer(t, &HubOptions{LifetimeManager: failingManager{NewMemoryLifetimeManager(), broken, nil}}, func(h *Hub) {
				h.OnConnected(func(context.Context, *Caller) error { t.Error("OnConnected called"); return nil })
				h.OnDisconnected(func(context.Context, *Caller, error) error { t.Error("OnDisconnected called"); return nil })
			})
			s.connect().want("close 1011")
		})
	})
	t.Run("the hub's OnDisconnected", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := hubServer(t, nil, func(h *Hub) {
				h.OnDisconnected(func(context.Context, *Caller, error) error { panic("boom") })
			})
			c := s.connect()
			c.send(`{"type":7}`)
			c.want(`{"type":7}`, "close 1011")
		})
	})
}

// TestOrderAtTheEnd (F-111): the client is told, then the hub, and only then the groups are gone.
func TestOrderAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		other := make(chan string, 10)
		s := hubServer(t, nil, func(h *Hub) {
			h.OnConnected(func(ctx context.Context, c *Caller) error { return c.Groups().Add(ctx, c.ConnectionID(), "g") })
			h.OnDisconnected(func(ctx context.Context, c *Caller, _ error) error {
				return c.Clients().Group("g").Send(ctx, "Left", c.ConnectionID() != "")
			})
		})
		a, b := s.connect(), s.connect()
		synctest.Wait() // OnConnected has returned
		go func() { other <- b.next() }()
		a.send(`{"type":7}`)
		a.want(`{"type":7}`, "close 1000")
		if got := <-other; got != `{"type":1,"target":"Left","arguments":[true]}` {
			t.Errorf("got %s", got)
		}
	})
}

// TestKeepAlive (F-116): every interval, whatever else is sent; not on long polling.
func TestKeepAlive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, nil)
		c := s.connect()
		start := time.Now()
		var at []time.Duration
		go func() {
			for range 50 {
				time.Sleep(time.Second)
				if c.ws.WriteMessage(websocket.TextMessage, []byte(invocation("1", "Echo", "x")+"\x1e")) != nil {
					return
				}
			}
		}()
		for len(at) < 3 {
			if c.nextOfAll() == `{"type":6}` {
				at = append(at, time.Since(start).Round(time.Second))
			}
		}
		want := []time.Duration{15 * time.Second, 30 * time.Second, 45 * time.Second}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("pings: -want +got\n%s", diff)
		}
		go closing(c)
		time.Sleep(time.Minute)
	})
}

// TestClientTimeout (F-118): armed by the client's first ping.
func TestClientTimeout(t *testing.T) {
	t.Run("silent after a ping", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			causes := make(chan error, 1)
			s := hubServer(t, &HubOptions{EnableDetailedErrors: true}, func(h *Hub) {
				h.OnDisconnected(func(_ context.Context, _ *Caller, cause error) error { causes <- cause; return nil })
			})
			c := s.connect()
			c.send(`{"type":6}`)
			start := time.Now()
			c.want(`{"type":7,"error":"Connection closed with an error. OperationCanceledException: Client hasn't sent a message/ping within the configured ClientTimeoutInterval.","allowReconnect":true}`, "close 1000")
			if d := time.Since(start); d < 30*time.Second || d > 32*time.Second {
				t.Errorf("closed after %v, want 30 s", d)
			}
			if err := <-causes; !errors.Is(err, ErrClientTimeout) {
				t.Errorf("cause %v", err)
			}
		})
	})
	t.Run("without a ping", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := hubServer(t, nil, nil)
			c := s.connect()
			go closing(c)
			time.Sleep(time.Hour)
			if s.Connections() != 1 {
				t.Error("closed")
			}
		})
	})
	t.Run("any message will do", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := hubServer(t, nil, nil)
			c := s.connect()
			go closing(c)
			c.send(`{"type":6}`)
			for range 10 {
				time.Sleep(25 * time.Second)
				c.send(invocation("", "Echo", "x"))
			}
			if s.Connections() != 1 {
				t.Error("closed")
			}
		})
	})
	t.Run("not while its messages wait", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			release := make(chan struct{})
			s := hubServer(t, nil, func(h *Hub) {
				h.Handle("Slow", Action0(func(context.Context, *Caller) error { <-release; return nil }))
			})
			c := s.connect()
			go closing(c)
			c.send(`{"type":6}`, invocation("", "Slow"), invocation("", "Slow"))
			time.Sleep(5 * time.Minute)
			if s.Connections() != 1 {
				t.Error("closed although what the client has sent waits for its turn")
			}
			close(release)
		})
	})
}

// TestHandshakeTimeout (F-119).
func TestHandshakeTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, nil)
		c := s.open("/hub")
		_ = c.ws.WriteMessage(websocket.TextMessage, []byte(`{"protocol":`))
		start := time.Now()
		c.want(`{"error":"Handshake was canceled."}`, "close 1000")
		if d := time.Since(start); d != 15*time.Second {
			t.Errorf("after %v, want 15 s", d)
		}
	})
}

// TestShutdown: clients get a Close message that lets them come back, hubs their OnDisconnected.
func TestShutdown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ended := 0
		s := hubServer(t, nil, func(h *Hub) {
			h.OnDisconnected(func(_ context.Context, _ *Caller, cause error) error {
				if cause != nil {
					t.Errorf("cause %v, want nil", cause)
				}
				ended++
				return nil
			})
		})
		a := s.connect()
		waiting := s.open("/hub") // has not shaken hands
		synctest.Wait()
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(context.Background()) }()
		a.want(`{"type":7,"allowReconnect":true}`, "close 1000")
		waiting.want("close 1000")
		if err := <-down; err != nil || ended != 1 || s.Connections() != 0 {
			t.Errorf("Shutdown: %v; OnDisconnected was called %d times, %d connections are left", err, ended, s.Connections())
		}
	})
	t.Run("handlers that run on", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			release := make(chan struct{})
			s := hubServer(t, nil, func(h *Hub) {
				h.Handle("Deaf", Action0(func(context.Context, *Caller) error { <-release; return nil }))
			})
			c := s.connect()
			c.send(invocation("", "Deaf"))
			go closing(c)
			synctest.Wait()
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Shutdown: %v, want that time was up", err)
			}
			close(release)
		})
	})
}

// TestNothingFollowsClose (F-113): a send waits for room when the connection is aborted, and finds some while the hub
// still says goodbye.
func TestNothingFollowsClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release, conns := make(chan struct{}), make(chan *Connection, 1)
		s := hubServer(t, &HubOptions{Connection: ConnectionOptions{SendQueueLimit: 1000}}, func(h *Hub) {
			h.OnConnected(func(_ context.Context, c *Caller) error { conns <- c.conn; return nil })
			h.OnDisconnected(func(context.Context, *Caller, error) error { <-release; return nil })
			h.Handle("Flood", Action0(func(ctx context.Context, c *Caller) error {
				for range 3 {
					if err := c.Clients().Caller().Send(context.WithoutCancel(ctx), "M", strings.Repeat("x", 600)); err != nil {
						return err
					}
				}
				return nil
			}))
		})
		c := s.connect()
		c.send(invocation("", "Flood"))
		synctest.Wait() // the second message waits for room
		(<-conns).Abort()
		var got []string
		for range 2 {
			m := c.next()
			got = append(got, m[:min(len(m), 20)])
		}
		synctest.Wait()
		close(release)
		for m := ""; !strings.HasPrefix(m, "close") && m != "lost"; {
			m = c.next()
			got = append(got, m[:min(len(m), 20)])
		}
		if n := len(got); got[n-2] != `{"type":7}` {
			t.Errorf("the client got %q: something follows the Close message", got)
		}
	})
}
