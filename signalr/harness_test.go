package signalr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// pipeListener is a network of its own: connections are [net.Pipe], which have no buffers and heed synctest's time.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "signalr.test" }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	server, client := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// testServer is a Server behind an HTTP server on a pipeListener. It ends with the test.
type testServer struct {
	*Server
	t    *testing.T
	mux  *http.ServeMux
	ln   *pipeListener
	http *http.Client
	ws   *websocket.Dialer
}

func newTestServer(t *testing.T, o *ServerOptions) *testServer {
	t.Helper()
	srv, err := NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	ln := newPipeListener()
	hs := &http.Server{Handler: asUser(srv.FoldPaths(mux)), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := hs.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("http server: %v", err)
		}
	}()
	tr := &http.Transport{DialContext: ln.dial}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx) // clients that are not there any more do not answer
		tr.CloseIdleConnections()
		_ = hs.Close()
		<-served
	})
	return &testServer{
		Server: srv, t: t, mux: mux, ln: ln, http: &http.Client{Transport: tr},
		ws: &websocket.Dialer{NetDialContext: ln.dial},
	}
}

// asUser stands for an application's authentication: who has the token NAME is the user NAME; the token "NAME until 30s"
// expires then.
func asUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, until, ok := strings.Cut(AccessToken(r), " until "); name != "" {
			id := Identity{UserID: name}
			if d, err := time.ParseDuration(until); ok && err == nil {
				id.Expires = time.Now().Add(d)
			}
			r = r.WithContext(WithIdentity(r.Context(), id))
		}
		next.ServeHTTP(w, r)
	})
}

// hub maps a hub at /hub.
func (s *testServer) hub(o *HubOptions) *Hub {
	h := NewHub(o)
	h.Handle("Echo", Func1(func(_ context.Context, _ *Caller, v string) (string, error) { return v, nil }))
	return h
}

// hubServer is a server with one hub at /hub, which has what register adds to Echo.
func hubServer(t *testing.T, o *HubOptions, register func(*Hub)) *testServer {
	t.Helper()
	s := newTestServer(t, nil)
	h := s.hub(o)
	if register != nil {
		register(h)
	}
	s.MapHub(s.mux, "/hub", h)
	return s
}

// bubble runs f in a synctest bubble. Servers tick, so that time never stands still there: a test that waits for what
// never comes would wait for ever.
func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		watchdog := time.AfterFunc(24*time.Hour, func() { panic(t.Name() + " hangs") })
		defer watchdog.Stop()
		f(t)
	})
}

// client is a client of a hub on a WebSocket.
type client struct {
	t    *testing.T
	ws   *websocket.Conn
	rest []string
}

// open opens a WebSocket. header is name, value, ...
func (s *testServer) open(target string, header ...string) *client {
	s.t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	ws, res, err := s.ws.Dial("ws://signalr.test"+target, h)
	if err != nil {
		status := ""
		if res != nil {
			status = res.Status
		}
		s.t.Fatalf("opening a WebSocket at %s: %v %s", target, err, status)
	}
	s.t.Cleanup(func() { _ = ws.Close() })
	return &client{t: s.t, ws: ws}
}

const jsonHandshake = `{"protocol":"json","version":1}`

// connect opens a WebSocket and shakes hands.
func (s *testServer) connect(header ...string) *client {
	s.t.Helper()
	c := s.open("/hub", header...)
	c.send(jsonHandshake)
	c.want(`{}`)
	return c
}

// user connects as a user.
func (s *testServer) user(name string) *client {
	s.t.Helper()
	return s.connect("Authorization", "Bearer "+name)
}

// send sends messages in one WebSocket message, each with its record separator.
func (c *client) send(msgs ...string) {
	c.t.Helper()
	var b strings.Builder
	for _, m := range msgs {
		b.WriteString(m)
		b.WriteByte(0x1E)
	}
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(b.String())); err != nil {
		c.t.Fatalf("sending %.200q: %v", msgs, err)
	}
}

// next returns the next message, without its record separator, or "close CODE" or "lost" at the end. Pings are passed
// over.
func (c *client) next() string {
	for {
		if m := c.nextOfAll(); m != `{"type":6}` {
			return m
		}
	}
}

// nextOfAll is next with pings.
func (c *client) nextOfAll() string {
	for len(c.rest) == 0 {
		_, p, err := c.ws.ReadMessage()
		if err != nil {
			if ce, ok := errors.AsType[*websocket.CloseError](err); ok && ce.Code != websocket.CloseAbnormalClosure {
				return fmt.Sprintf("close %d", ce.Code)
			}
			return "lost"
		}
		for m := range strings.SplitAfterSeq(string(p), "\x1e") {
			if m == "" {
				continue
			}
			whole, ok := strings.CutSuffix(m, "\x1e")
			if !ok {
				c.t.Errorf("a WebSocket message ends inside a hub message: %q (F-061)", p)
			}
			c.rest = append(c.rest, whole)
		}
	}
	m := c.rest[0]
	c.rest = c.rest[1:]
	return m
}

// want reads the messages that must come next.
func (c *client) want(msgs ...string) {
	c.t.Helper()
	for _, want := range msgs {
		if got := c.next(); got != want {
			c.t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// call invokes a method and returns its completion. Nothing else may come before it.
func (c *client) call(target string, args ...any) string {
	c.t.Helper()
	c.send(invocation("c", target, args...))
	return c.next()
}

// invocation is an Invocation in JSON; without an id it wants no answer.
func invocation(id, target string, args ...any) string {
	if args == nil {
		args = []any{}
	}
	b, err := json.Marshal(struct {
		Type int    `json:"type"`
		ID   string `json:"invocationId,omitempty"`
		To   string `json:"target"`
		Args []any  `json:"arguments"`
	}{1, id, target, args})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// result is the Completion of the invocation id.
func result(id, value string) string {
	return fmt.Sprintf(`{"type":3,"invocationId":%q,"result":%s}`, id, value)
}

// failure is the Completion of an invocation that failed.
func failure(id, text string) string {
	return fmt.Sprintf(`{"type":3,"invocationId":%q,"error":%q}`, id, text)
}

// newTestServerWithout is a server that serves nothing.
func newTestServerWithout(t *testing.T) *Server {
	t.Helper()
	s, err := NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// discardMux maps nothing.
type discardMux struct{}

func (discardMux) Handle(string, http.Handler) {}

// closing reads until the end.
func closing(c *client) {
	for {
		if m := c.next(); strings.HasPrefix(m, "close") || m == "lost" {
			return
		}
	}
}
