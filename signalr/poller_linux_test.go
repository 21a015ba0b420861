package signalr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// newPolledServer serves a hub on a socket of the system, which alone can be polled.
func newPolledServer(t *testing.T) (s *Server, address string) {
	t.Helper()
	s, err := NewServer(&ServerOptions{Poller: true})
	if err != nil {
		t.Fatal(err)
	}
	h := NewHub(&HubOptions{Connection: ConnectionOptions{CloseTimeout: time.Second}})
	h.Handle("Echo", Func1(func(_ context.Context, _ *Caller, v string) (string, error) { return v, nil }))
	h.Handle("AskMe", Func0(func(ctx context.Context, c *Caller) (int, error) {
		return Invoke[int](ctx, c.Clients().Caller(), "Answer")
	}))
	h.Handle("UntilTheEnd", Action0(func(ctx context.Context, _ *Caller) error { <-ctx.Done(); return nil }))
	h.Handle("Pause", Action0(func(context.Context, *Caller) error { time.Sleep(100 * time.Millisecond); return nil }))
	h.Handle("Leave", Action0(func(_ context.Context, c *Caller) error { c.Abort(); return nil }))
	mux := http.NewServeMux()
	s.MapHub(mux, "/hub", h)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: mux}
	served := make(chan error, 1)
	go func() { served <- web.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		_ = web.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

func polledClient(t *testing.T, address string) *client {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+address+"/hub", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	c := &client{t: t, ws: ws}
	c.send(jsonHandshake)
	c.want(`{}`)
	return c
}

// becomes waits until the server has n connections.
func becomes(t *testing.T, s *Server, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); s.Connections() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there are %d connections, want %d", s.Connections(), n)
		}
	}
}

func TestPoller(t *testing.T) {
	t.Run("messages of every size, many at once", func(t *testing.T) {
		_, address := newPolledServer(t)
		a, b := polledClient(t, address), polledClient(t, address)
		for _, size := range []int{0, 1, 125, 126, 8 << 10, 8<<10 + 1, 30 << 10} {
			text := strings.Repeat("x", size)
			for _, c := range []*client{a, b} {
				if got := c.call("Echo", text); got != result("c", `"`+text+`"`) {
					t.Errorf("%d bytes: got %.100s", size, got)
				}
			}
		}
		var calls, answers []string
		for i := range 500 {
			id := fmt.Sprint(i)
			calls, answers = append(calls, invocation(id, "Echo", id)), append(answers, result(id, `"`+id+`"`))
		}
		a.send(calls...)
		a.want(answers...)
	})
	t.Run("ends", func(t *testing.T) {
		s, address := newPolledServer(t)
		for name, end := range map[string]func(c *client){
			"by the client's close frame": func(c *client) {
				if err := c.ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "")); err != nil {
					t.Fatal(err)
				}
				if got := c.next(); !strings.HasPrefix(got, `{"type":7`) && got != "close 1000" {
					t.Errorf("got %s", got)
				}
			},
			"by the client's silence after ours": func(c *client) {
				c.send(invocation("", "Leave"))
			},
			"by the socket's end":   func(c *client) { _ = c.ws.UnderlyingConn().Close() },
			"by the socket's reset": func(c *client) { reset(c.ws.UnderlyingConn()) },
		} {
			c := polledClient(t, address)
			becomes(t, s, 1)
			end(c)
			t.Log(name)
			becomes(t, s, 0)
		}
	})
	t.Run("ends behind the last bytes", func(t *testing.T) {
		s, address := newPolledServer(t)
		for range 50 {
			c := polledClient(t, address)
			nc := c.ws.NetConn().(*net.TCPConn)
			cork(t, nc)                                                              // what is sent leaves with the end, in one piece: that is one edge
			if _, err := nc.Write([]byte("\x81\x81\x00\x00\x00\x00x")); err != nil { // the beginning of a message
				t.Fatal(err)
			}
			if err := nc.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(10 * time.Second); s.Connections() != 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) { // long before the server would ping
					t.Fatal("the end was not noticed")
				}
			}
		}
	})
	t.Run("busy, then idle, then busy again", func(t *testing.T) {
		s, address := newPolledServer(t)
		c := polledClient(t, address)
		for range 2 {
			for i := range 100 { // it has a reader of its own now
				if got, want := c.call("Echo", fmt.Sprint(i)), result("c", fmt.Sprintf("%q", fmt.Sprint(i))); got != want {
					t.Fatalf("got %s, want %s", got, want)
				}
			}
			c.send(invocation("", "Pause"), invocation("1", "Echo", "behind")) // another reads on
			c.want(result("1", `"behind"`))
			time.Sleep(1500 * time.Millisecond) // nobody reads it any more
		}
		_ = c.ws.UnderlyingConn().Close()
		becomes(t, s, 0)
	})
	t.Run("a client that does not read for a while", func(t *testing.T) {
		_, address := newPolledServer(t)
		c := polledClient(t, address)
		if err := c.ws.NetConn().(*net.TCPConn).SetReadBuffer(256 << 10); err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("x", 30<<10)
		const calls = 250
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range calls {
				c.send(invocation(fmt.Sprint(i), "Echo", text))
			}
		}()
		time.Sleep(200 * time.Millisecond)
		for i := range calls {
			c.want(result(fmt.Sprint(i), `"`+text+`"`))
		}
		<-sent
	})
	t.Run("a shutdown with clients that go on", func(t *testing.T) {
		s, address := newPolledServer(t)
		for range 20 {
			polledClient(t, address)
		}
		becomes(t, s, 20)
	})
}

// cork has the system keep what is written until the socket ends.
func cork(t *testing.T, nc *net.TCPConn) {
	t.Helper()
	raw, err := nc.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 1)
	})
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
}

// reset closes a socket so that its peer gets a reset.
func reset(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		panic("not a TCP connection")
	}
	_ = tcp.SetLinger(0)
	_ = tcp.Close()
}

// TestPollerAndShutdown: sockets become readable at the moment in which the server goes down.
func TestPollerAndShutdown(t *testing.T) {
	for range 20 {
		s, address := newPolledServer(t)
		var clients []*client
		for range 5 {
			clients = append(clients, polledClient(t, address))
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			for _, c := range clients {
				_ = c.ws.Close()
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		<-gone
	}
}
