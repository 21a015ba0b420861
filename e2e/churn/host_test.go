package churn

import (
	"context"
	"fmt"
	"iter"
	"log"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
	"signalbox/signalr/transport"
)

// host is the server under test, and what it counts.
type host struct {
	t       *testing.T
	server  *signalr.Server
	hub     *signalr.Hub
	manager *signalr.MemoryLifetimeManager
	web     *httptest.Server

	active    gauge // as the metrics have it
	connected gauge // as the hub's events have it
	handlers  gauge // hub methods and streams that run
	members   sync.Map
	closings  atomic.Int64 // how many connections were closed from outside, at most
}

// gauge is a number that goes up and down, and remembers its highest value.
type gauge struct{ now, peak atomic.Int64 }

func (g *gauge) up() {
	n := g.now.Add(1)
	for p := g.peak.Load(); n > p && !g.peak.CompareAndSwap(p, n); p = g.peak.Load() {
	}
}

func (g *gauge) down() { g.now.Add(-1) }

// ConnectionStarted implements [signalr.Metrics].
func (h *host) ConnectionStarted(transport.Type) { h.active.up() }

// ConnectionStopped implements [signalr.Metrics].
func (h *host) ConnectionStopped(transport.Type, signalr.CloseStatus, time.Duration) { h.active.down() }

// expectedPanic is what a hub method panics with when it is asked to.
const expectedPanic = "churn"

// newHost starts a server. disconnect is how long connections are kept whose client does not come back.
func newHost(t *testing.T, disconnect time.Duration) *host {
	h := &host{t: t, manager: signalr.NewMemoryLifetimeManager()}
	alarm := slog.New(&alarmHandler{t})
	server, err := signalr.NewServer(&signalr.ServerOptions{DisconnectTimeout: disconnect, Metrics: h, Logger: alarm})
	if err != nil {
		t.Fatal(err)
	}
	h.server = server
	h.hub = signalr.NewHub(&signalr.HubOptions{
		HandshakeTimeout: 3 * time.Minute, ClientTimeoutInterval: 3 * time.Minute, KeepAliveInterval: 2 * time.Second,
		Protocols:       []protocol.HubProtocol{jsonprotocol.New(nil), msgpackprotocol.New(nil)},
		LifetimeManager: h.manager, Logger: alarm,
		Filters:    []signalr.HubFilter{h.counting()},
		Connection: signalr.ConnectionOptions{AllowStatefulReconnects: true, SendQueueLimit: 32 << 10},
	})
	h.methods()
	mux := http.NewServeMux()
	server.MapHub(mux, "/hub", h.hub, identify)
	h.web = httptest.NewUnstartedServer(mux)
	h.web.Config.ErrorLog = log.New(alarmWriter{t}, "", 0)
	h.web.Start()
	return h
}

// identify takes the token NAME for the user NAME.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := signalr.AccessToken(r); name != "" {
			r = r.WithContext(signalr.WithIdentity(r.Context(), signalr.Identity{UserID: name}))
		}
		next.ServeHTTP(w, r)
	})
}

// counting counts connections and handlers.
func (h *host) counting() signalr.HubFilter {
	return signalr.HubFilter{
		InvokeMethod: func(ctx context.Context, inv *signalr.Invocation, next signalr.HandlerFunc) (any, error) {
			h.handlers.up()
			defer h.handlers.down()
			return next(ctx, inv)
		},
		InvokeStream: func(
			ctx context.Context, inv *signalr.Invocation, next signalr.StreamHandlerFunc,
		) (iter.Seq2[any, error], error) {
			seq, err := next(ctx, inv)
			return func(yield func(any, error) bool) {
				h.handlers.up()
				defer h.handlers.down()
				seq(yield)
			}, err
		},
		OnConnected: func(ctx context.Context, c *signalr.Caller, next func(context.Context, *signalr.Caller) error) error {
			h.connected.up()
			h.members.Store(c.ConnectionID(), struct{}{})
			return next(ctx, c)
		},
		OnDisconnected: func(
			ctx context.Context, c *signalr.Caller, cause error, next func(context.Context, *signalr.Caller, error) error,
		) error {
			h.members.Delete(c.ConnectionID())
			h.connected.down()
			return next(ctx, c, cause)
		},
	}
}

// methods are what clients call.
func (h *host) methods() {
	hub := h.hub
	hub.Handle("Echo", signalr.Func1(func(_ context.Context, _ *signalr.Caller, s string) (string, error) { return s, nil }))
	hub.Handle("Join", signalr.Action1(func(ctx context.Context, c *signalr.Caller, group string) error {
		return c.Groups().Add(ctx, c.ConnectionID(), group)
	}))
	hub.Handle("Leave", signalr.Action1(func(ctx context.Context, c *signalr.Caller, group string) error {
		return c.Groups().Remove(ctx, c.ConnectionID(), group)
	}))
	hub.Handle("TellGroup", signalr.Action2(func(ctx context.Context, c *signalr.Caller, group, text string) error {
		return c.Clients().Group(group).Send(ctx, "Told", text)
	}))
	hub.Handle("TellUser", signalr.Action1(func(ctx context.Context, c *signalr.Caller, text string) error {
		return c.Clients().User(c.UserID()).Send(ctx, "Told", text)
	}))
	hub.Handle("Ask", signalr.Func1(func(ctx context.Context, c *signalr.Caller, n int) (int, error) {
		return signalr.Invoke[int](ctx, c.Clients().Caller(), "Double", n)
	}))
	hub.Handle("AskAnybody", signalr.Func1(func(ctx context.Context, c *signalr.Caller, n int) (int, error) {
		ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		return signalr.Invoke[int](ctx, c.Clients().Client(h.anybody()), "Double", n)
	}))
	hub.Handle("Fail", signalr.Action1(func(_ context.Context, _ *signalr.Caller, text string) error { return signalr.Errorf("%s", text) }))
	hub.Handle("Panic", signalr.Action0(func(context.Context, *signalr.Caller) error { panic(expectedPanic) }))
	hub.Handle("Abort", signalr.Action0(func(_ context.Context, c *signalr.Caller) error {
		c.Abort()
		return nil
	}))
	hub.Handle("Wait", signalr.Action0(func(ctx context.Context, _ *signalr.Caller) error {
		<-ctx.Done()
		return ctx.Err()
	}))
	hub.HandleStream("Count", signalr.Stream2(func(ctx context.Context, _ *signalr.Caller, n int, forever bool) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
			if forever {
				<-ctx.Done()
			}
		}
	}))
	hub.Register(signalr.Method{Name: "Sum", StreamArgs: 1, Invoke: func(_ context.Context, inv *signalr.Invocation) (any, error) {
		if err := inv.Decode(); err != nil {
			return nil, err
		}
		sum := 0
		for n, err := range signalr.StreamArg[int](inv, 0) {
			if err != nil {
				return nil, err
			}
			sum += n
		}
		return sum, nil
	}})
	mirror := func(_ context.Context, inv *signalr.Invocation) (iter.Seq2[any, error], error) {
		if err := inv.Decode(); err != nil {
			return nil, err
		}
		return signalr.Items(signalr.StreamArg[int](inv, 0)), nil
	}
	hub.Register(signalr.Method{Name: "Mirror", StreamArgs: 1, Stream: mirror})
}

// anybody returns the id of some connection, or of none.
func (h *host) anybody() string {
	id := ""
	n := rand.IntN(50)
	h.members.Range(func(key, _ any) bool {
		id = key.(string)
		n--
		return n > 0
	})
	return id
}

// disturb does to connections what comes from outside their hub methods, until ctx ends: it broadcasts numbers, and
// closes connections.
func (h *host) disturb(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n%5 == 0 {
			if err := h.hub.Clients().All().Send(ctx, "Tick", n); err != nil && ctx.Err() == nil {
				h.t.Errorf("sending to all: %v", err)
			}
		}
		h.closings.Add(1)
		if err := h.hub.Clients().Client(h.anybody()).Close(ctx, true); err != nil && ctx.Err() == nil {
			h.t.Errorf("closing a connection: %v", err)
		}
	}
}

// left says what is left of the clients; empty when nothing is.
func (h *host) left() string {
	counts := h.manager.Counts()
	left := [...]int64{
		int64(h.server.Connections()), h.active.now.Load(), h.connected.now.Load(), h.handlers.now.Load(),
		int64(counts.Connections), int64(counts.Groups), int64(counts.Users), int64(counts.ClientResults),
	}
	if left == [len(left)]int64{} {
		return ""
	}
	return fmt.Sprintf("%d connections, %d in the metrics, %d in the hub's events, %d handlers; in the lifetime manager %+v",
		left[0], left[1], left[2], left[3], counts)
}

// stop ends the server.
func (h *host) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := h.server.Shutdown(ctx); err != nil {
		h.t.Errorf("shutting down: %v", err)
	}
	h.web.Close()
}

// alarmHandler fails the test when the server logs an error that nobody asked for.
type alarmHandler struct{ t *testing.T }

func (*alarmHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (a *alarmHandler) WithAttrs([]slog.Attr) slog.Handler         { return a }
func (a *alarmHandler) WithGroup(string) slog.Handler              { return a }

func (a *alarmHandler) Handle(_ context.Context, r slog.Record) error {
	var text strings.Builder
	expected := false
	r.Attrs(func(attr slog.Attr) bool {
		fmt.Fprintf(&text, " %v", attr)
		expected = expected || attr.Key == "panic" && attr.Value.String() == expectedPanic
		return true
	})
	if !expected {
		a.t.Errorf("the server has logged: %s%s", r.Message, text.String())
	}
	return nil
}

// alarmWriter does so for net/http, which writes of panics alone what matters here.
type alarmWriter struct{ t *testing.T }

func (a alarmWriter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "panic") {
		a.t.Errorf("net/http has logged: %s", p)
	}
	return len(p), nil
}
