package signalrtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
)

// patience is how long a test waits for what must come. Nothing is waited for that must not.
const patience = 20 * time.Second

// server is a server of a farm: a hub with the manager that is tested.
type server struct {
	t       *testing.T
	manager signalr.HubLifetimeManager
	hub     *signalr.Hub
	http    *httptest.Server
}

// newServer returns a server that runs until the test ends.
func newServer(t *testing.T, m signalr.HubLifetimeManager) *server {
	t.Helper()
	srv, err := signalr.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	hub := signalr.NewHub(&signalr.HubOptions{
		LifetimeManager: m, Protocols: []protocol.HubProtocol{jsonprotocol.New(nil), msgpackprotocol.New(nil)},
	})
	hub.Handle("Me", signalr.Func0(func(_ context.Context, c *signalr.Caller) (string, error) { return c.ConnectionID(), nil }))
	mux := http.NewServeMux()
	srv.MapHub(mux, "/hub", hub, asUser)
	s := &server{t, m, hub, httptest.NewServer(mux)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("shutting down: %v", err)
		}
		s.http.Close()
	})
	if h, ok := m.(interface{ Healthy() bool }); ok {
		eventually(t, "the manager is healthy", h.Healthy)
	}
	return s
}

// asUser stands for authentication: the query names the user.
func asUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user := r.URL.Query().Get("user"); user != "" {
			r = r.WithContext(signalr.WithIdentity(r.Context(), signalr.Identity{UserID: user}))
		}
		next.ServeHTTP(w, r)
	})
}

// ctx is for one call: it ends when that takes too long.
func (s *server) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	s.t.Cleanup(cancel)
	return ctx
}

// send sends Hello with a text.
func (s *server) send(p signalr.ClientProxy, text string) {
	s.t.Helper()
	if err := p.Send(s.ctx(), "Hello", text); err != nil {
		s.t.Fatalf("sending %q: %v", text, err)
	}
}

// end closes connections.
func (s *server) end(p signalr.ClientProxy) {
	s.t.Helper()
	if err := p.Close(s.ctx(), true); err != nil {
		s.t.Fatalf("closing: %v", err)
	}
}

func (s *server) join(c *client, group string) {
	s.t.Helper()
	if err := s.hub.Groups().Add(s.ctx(), c.id, group); err != nil {
		s.t.Fatalf("adding to group %q: %v", group, err)
	}
}

func (s *server) leave(c *client, group string) {
	s.t.Helper()
	if err := s.hub.Groups().Remove(s.ctx(), c.id, group); err != nil {
		s.t.Fatalf("removing from group %q: %v", group, err)
	}
}

// invoked is what came of asking a client for a result.
type invoked struct {
	value int
	err   error
}

// ask asks a connection for a number, and returns at once.
func (s *server) ask(ctx context.Context, connectionID string) <-chan invoked {
	done := make(chan invoked, 1)
	go func() {
		n, err := signalr.Invoke[int](ctx, s.hub.Clients().Client(connectionID), "Result")
		done <- invoked{n, err}
	}()
	return done
}

// await waits for what ask has started.
func await(t *testing.T, done <-chan invoked) invoked {
	t.Helper()
	select {
	case r := <-done:
		return r
	case <-time.After(patience):
		t.Fatal("a client result was waited for in vain")
		return invoked{}
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("it never happened that %s", what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
