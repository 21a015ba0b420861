package signalr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"signalbox/signalr/internal/httpconn"
	"signalbox/signalr/transport"
)

// Server owns all that is per process: the table of connections, the keys of their tokens, the workers that run
// handlers, and the drain. Hubs and raw connection handlers belong to one. Several servers live in one process without
// knowing of each other. A Server is safe for concurrent use.
type Server struct {
	conns     *httpconn.Manager
	log       *slog.Logger
	suspended budget

	mu     sync.Mutex
	routes map[string]string // by lower-case path: the path as it was mapped
	hubs   map[string]string // by path: the hub's name
}

// ServerOptions are the settings of a [Server]. The zero value is ready.
type ServerOptions struct {
	// TokenKeys sign connection tokens; the first one signs, all are accepted. Servers that share them accept each
	// other's tokens. Default: one that is made anew for this server.
	TokenKeys []TokenKey
	// Farm makes the server one of several that look like one. Default: it is alone.
	Farm *FarmOptions
	// DisconnectTimeout is how long a connection is kept whose client has negotiated and not come, or does not poll any
	// more, to the second (F-005). Default 15 s.
	DisconnectTimeout time.Duration
	// SuspendedBufferLimit is how many bytes all connections that wait for their client to resume them may keep
	// together. A connection that would go beyond it is closed. Default 64 MiB.
	SuspendedBufferLimit int
	// Poller has one goroutine wait for all WebSockets by epoll, instead of a goroutine for each: an idle connection then
	// needs a quarter of the memory. It works on Linux for plain TCP, such as behind a proxy that speaks TLS; other
	// connections have goroutines all the same. The [net.Conn] that the HTTP server has accepted is closed when the
	// WebSocket has taken its socket over. Default: a goroutine for each.
	Poller bool
	// TrimMemory gives memory back to the system once things are quiet after at least a thousand connections have come or
	// gone, by [runtime/debug.FreeOSMemory]: what opening them left behind is several times what idle connections need. It is a
	// garbage collection of the whole process, which is why the program decides. Default: the runtime does as it likes.
	TrimMemory bool
	// Metrics is told when connections begin and end, to be counted as signalr.server.active_connections and
	// signalr.server.connection.duration. Default: nobody is. Spans of invocations are the business of a [HubFilter].
	Metrics Metrics
	// Logger gets what operators should know. Default: nothing is logged.
	Logger *slog.Logger
}

// Metrics is told when connections begin and end.
type Metrics = httpconn.Metrics

// CloseStatus says how a connection ended.
type CloseStatus = httpconn.CloseStatus

// The ways in which a connection ends.
const (
	NormalClosure = httpconn.NormalClosure
	TimedOut      = httpconn.TimedOut
	AppShutdown   = httpconn.AppShutdown
)

// TokenKey signs connection tokens.
type TokenKey = httpconn.TokenKey

// NewServer returns a server without connections; nil options are the defaults. No goroutine runs before there is a
// connection. It fails when the keys will not do, or another option cannot be meant.
func NewServer(o *ServerOptions) (*Server, error) {
	if o == nil {
		o = &ServerOptions{}
	}
	if o.DisconnectTimeout < 0 || o.SuspendedBufferLimit < 0 {
		return nil, errors.New("signalr: DisconnectTimeout and SuspendedBufferLimit must not be negative")
	}
	log := httpconn.RedactingLogger(o.Logger)
	farm, err := o.Farm.options(o.TokenKeys)
	if err != nil {
		return nil, fmt.Errorf("signalr: %w", err)
	}
	conns, err := httpconn.NewManager(httpconn.ManagerOptions{
		TokenKeys: o.TokenKeys, DisconnectTimeout: o.DisconnectTimeout, Farm: farm, Poller: o.Poller, TrimMemory: o.TrimMemory,
		Metrics: o.Metrics, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("signalr: %w", err)
	}
	s := &Server{conns: conns, log: log, routes: make(map[string]string), hubs: make(map[string]string)}
	s.suspended.limit = or(o.SuspendedBufferLimit, 64<<20)
	return s, nil
}

// Mux is where routes are mapped: an [http.ServeMux] is one, a chi.Router another. Patterns name paths alone, all methods
// go to the handler.
type Mux interface {
	Handle(pattern string, handler http.Handler)
}

// Middleware wraps the handler of a route, such as to authenticate its requests.
type Middleware func(http.Handler) http.Handler

// MapHub maps a hub to a path: {path}/negotiate and {path}, each with and without a slash at its end, for all methods
// (F-001). The first middleware is the outermost; it sees every request of the hub. A hub may be mapped to several paths,
// such as one that needs authentication and one that does not, but belongs to one server: MapHub panics when it has
// another already.
//
// ASP.NET Core: MapHub.
func (s *Server) MapHub(mux Mux, path string, h *Hub, middleware ...Middleware) {
	if !h.server.CompareAndSwap(nil, s) && h.server.Load() != s {
		panic("signalr: the hub mapped to " + path + " belongs to another server")
	}
	h.mapped.Do(func() {
		h.opts.Name = or(h.opts.Name, path)
		h.opts.Logger = h.opts.Logger.With("hub", h.opts.Name)
		h.applyFilters()
	})
	ep := s.conns.NewEndpoint(path, h.opts.Connection.endpoint(), func(c *httpconn.Conn, snap httpconn.Snapshot) httpconn.App {
		return newConnection(h, c, snap)
	}, capture(h.opts.Connection.BaseContext), requestUser)
	s.mu.Lock()
	s.hubs[path] = h.opts.Name
	s.mu.Unlock()
	s.mapEndpoint(mux, path, ep, middleware)
}

// ConnectionHandler runs on a raw connection: bytes, without hub protocol, handshake or pings (F-002). The connection
// ends when it returns, with an error if it does. ctx ends when the connection does. req is what is kept of the request
// that opened the connection.
//
// ASP.NET Core: ConnectionHandler.
type ConnectionHandler func(ctx context.Context, conn transport.Conn, req *Request) error

// MapConnectionHandler maps a raw connection handler to a path, as [Server.MapHub] does a hub; nil options are the
// defaults. It panics without a handler, and when an option cannot be meant.
//
// ASP.NET Core: MapConnectionHandler.
func (s *Server) MapConnectionHandler(mux Mux, path string, h ConnectionHandler, o *ConnectionOptions, middleware ...Middleware) {
	if o == nil {
		o = &ConnectionOptions{}
	}
	if h == nil {
		panic("signalr: MapConnectionHandler: there is no handler for " + path)
	}
	opts := o.withDefaults()
	if err := opts.validate(); err != nil {
		panic("signalr: MapConnectionHandler: " + err.Error())
	}
	run := func(ctx context.Context, snap httpconn.Snapshot, conn transport.Conn) error {
		req, _ := snap.Value.(*Request)
		return h(req.context(ctx), conn, req)
	}
	raw := httpconn.NewRaw(run, max(opts.ApplicationMaxBufferSize, 0))
	ep := s.conns.NewEndpoint(path, opts.endpoint(), raw, capture(opts.BaseContext), requestUser)
	s.mapEndpoint(mux, path, ep, middleware)
}

func (s *Server) mapEndpoint(mux Mux, path string, ep *httpconn.Endpoint, middleware []Middleware) {
	path = strings.TrimSuffix(path, "/")
	wrap := func(h http.Handler) http.Handler {
		for i := len(middleware) - 1; i >= 0; i-- {
			h = middleware[i](h)
		}
		return h
	}
	negotiate, connect := wrap(http.HandlerFunc(ep.ServeNegotiate)), wrap(ep)
	s.mu.Lock()
	defer s.mu.Unlock()
	for route, h := range map[string]http.Handler{
		path: connect, path + "/": connect, path + "/negotiate": negotiate, path + "/negotiate/": negotiate,
	} {
		if route == "" {
			continue
		}
		pattern := route
		if strings.HasSuffix(route, "/") {
			pattern += "{$}"
			h = atSlash(h)
		}
		mux.Handle(pattern, h)
		s.routes[strings.ToLower(route)] = route
	}
}

// atSlash lets nothing through to next but paths with a slash at their end. It matters where {$} is a parameter like any
// other, as with chi.
func atSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// FoldPaths lets the routes of hubs be reached whatever the case of the path, as with ASP.NET Core (F-017), and leaves
// all other paths alone. It goes around the mux.
func (s *Server) FoldPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		route, ok := s.routes[strings.ToLower(r.URL.Path)]
		s.mu.Unlock()
		if ok && route != r.URL.Path {
			folded := *r
			u := *r.URL
			u.Path, u.RawPath = route, ""
			folded.URL = &u
			r = &folded
		}
		next.ServeHTTP(w, r)
	})
}

// Connections returns the number of connections that are open now.
func (s *Server) Connections() int { return s.conns.Count() }

// Shutdown ends every connection: clients get a Close message that allows them to reconnect, hubs their OnDisconnected.
// New connections are refused from then on. A client that is between two polls gets the message with its next one, for
// which it has 5 s. When ctx ends before all of them are done the rest is cut, and its error returned. Call it before
// [http.Server.Shutdown], which waits for polls to end and does not know of the rest. All end at once; see [Server.Drain]
// for a pace.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.conns.Shutdown(ctx); err != nil {
		return fmt.Errorf("shutting down SignalR connections: %w", err)
	}
	return nil
}
