package signalr

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/signalr/internal/httpconn"
	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/transport"
)

// HubOptions are the settings of a [Hub]. The zero value has ASP.NET Core's defaults (F-121).
//
// ASP.NET Core: HubOptions.
type HubOptions struct {
	// Name names the hub in log lines and traces. Default: the first path that it is mapped to.
	Name string
	// HandshakeTimeout is how long a client may take for the handshake. Default 15 s.
	HandshakeTimeout time.Duration
	// KeepAliveInterval is how often the server pings, to the second (F-116). Default 15 s.
	KeepAliveInterval time.Duration
	// ClientTimeoutInterval is how long a client that has once pinged may be silent, to the second (F-118).
	// Default 30 s; it should be twice the interval at which clients ping.
	ClientTimeoutInterval time.Duration
	// MaximumReceiveMessageSize is the size of the longest message that a client may send, in bytes with its framing
	// (F-063). Default 32 KiB; below zero there is no limit.
	MaximumReceiveMessageSize int
	// MaximumParallelInvocationsPerClient is how many of a client's invocations may run at once; the next one waits,
	// and everything behind it (F-092). Default 1, which keeps their order.
	MaximumParallelInvocationsPerClient int
	// StreamBufferCapacity is how many items of a client's stream may wait to be read (F-102). Default 10.
	StreamBufferCapacity int
	// StatefulReconnectBufferSize is how many bytes that a client has not acknowledged are kept for it, if it uses
	// stateful reconnect (F-131). At the limit, what the connection causes itself waits; what others send may fill as
	// much again as SendQueueLimit, and then the connection is closed with [ErrSlowConsumer]. Default 100,000.
	StatefulReconnectBufferSize int
	// SlowClients says what becomes of a client that does not read as fast as others send to it. Default: its connection
	// is closed.
	SlowClients SlowClients
	// EnableDetailedErrors shows clients the errors of handlers. Default false: they see those of [HubError] alone. An
	// error may choose the name that is shown with it by a method ErrorName() string.
	EnableDetailedErrors bool
	// Protocols are the protocols that clients may choose from. Default: JSON alone.
	Protocols []protocol.HubProtocol
	// LifetimeManager reaches the connections of the hub. Default: the memory of this process. A manager belongs to
	// one hub.
	LifetimeManager HubLifetimeManager
	// Filters wrap the hub's methods and events; the first is the outermost.
	Filters []HubFilter
	// Connection are the settings of the hub's connections.
	Connection ConnectionOptions
	// Logger gets what operators should know. Default: nothing is logged.
	Logger *slog.Logger
}

// ConnectionOptions are the settings of the connections at one path. The zero value has ASP.NET Core's defaults
// (F-004), but for Origins.
//
// ASP.NET Core: HttpConnectionDispatcherOptions.
type ConnectionOptions struct {
	// Transports are the transports that clients may choose from. Default: all.
	Transports transport.Type
	// ApplicationMaxBufferSize is how many bytes of a client may wait to be read before it is held back. Default
	// 64 KiB; below zero there is no limit.
	ApplicationMaxBufferSize int
	// SendQueueLimit is how many bytes may wait to be sent to a client. At half of it, what the connection causes itself
	// waits for room; what others send to it never waits: at the limit [HubOptions].SlowClients decides, which closes the
	// connection with [ErrSlowConsumer] unless it is told otherwise.
	// One message that is larger passes an empty queue. Default 1 MiB.
	SendQueueLimit int
	// TransportSendTimeout is how long one write to a client may take before the connection is cut. Default 10 s; below
	// zero there is no limit.
	TransportSendTimeout time.Duration
	// CloseTimeout is how long a WebSocket waits for the client's close frame, to the second. Default 5 s.
	CloseTimeout time.Duration
	// PollTimeout is how long a poll waits before it is answered with nothing. Default 90 s.
	PollTimeout time.Duration
	// MinimumProtocolVersion is the lowest negotiate version that is accepted. Default 0.
	MinimumProtocolVersion int
	// SubProtocolSelector chooses the WebSocket sub-protocol among those that the client offers, or none, which is
	// empty. Default: none.
	SubProtocolSelector func(offered []string) string
	// AllowStatefulReconnects lets clients ask for stateful reconnect: a WebSocket that is cut can be resumed within
	// ServerOptions.DisconnectTimeout, and nothing is lost (F-127). Default false.
	AllowStatefulReconnects bool
	// CloseOnAuthenticationExpiration ends a connection when its [Identity] expires, to the second (F-126).
	CloseOnAuthenticationExpiration bool
	// Origins are the origins, such as "https://shop.example", whose pages may open WebSockets besides those of the
	// server's own host; "*" allows any. Browsers apply no same-origin rule of their own to WebSockets; for the other
	// transports they ask, and CORS middleware answers. A request without an origin, from no browser, is always allowed.
	Origins []string
	// BaseContext, if set, returns the context whose values the contexts of the connection's handlers have: the request's
	// own, or one that holds what is wanted of it. When it ends counts for nothing. It is called for every GET of the
	// path, polls among them; a connection keeps what it returned for the one that opened it, and with it the memory that
	// hangs on it.
	BaseContext func(r *http.Request) context.Context
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func (o HubOptions) withDefaults() HubOptions {
	o.HandshakeTimeout = or(o.HandshakeTimeout, 15*time.Second)
	o.KeepAliveInterval = or(o.KeepAliveInterval, 15*time.Second)
	o.ClientTimeoutInterval = or(o.ClientTimeoutInterval, 30*time.Second)
	o.MaximumReceiveMessageSize = or(o.MaximumReceiveMessageSize, 32<<10)
	o.MaximumParallelInvocationsPerClient = or(o.MaximumParallelInvocationsPerClient, 1)
	o.StreamBufferCapacity = or(o.StreamBufferCapacity, 10)
	o.StatefulReconnectBufferSize = or(o.StatefulReconnectBufferSize, 100_000)
	if o.Protocols == nil {
		o.Protocols = []protocol.HubProtocol{jsonprotocol.New(nil)}
	}
	o.Connection = o.Connection.withDefaults()
	o.Logger = httpconn.RedactingLogger(o.Logger)
	return o
}

// validate finds settings that cannot be meant.
func (o HubOptions) validate() error {
	switch {
	case o.HandshakeTimeout < 0, o.KeepAliveInterval < 0, o.ClientTimeoutInterval < 0:
		return fmt.Errorf("HandshakeTimeout, KeepAliveInterval and ClientTimeoutInterval must not be negative")
	case o.MaximumParallelInvocationsPerClient < 1:
		return fmt.Errorf("MaximumParallelInvocationsPerClient must be at least 1")
	case o.StreamBufferCapacity < 1:
		return fmt.Errorf("StreamBufferCapacity must be at least 1")
	case o.StatefulReconnectBufferSize < 0:
		return fmt.Errorf("StatefulReconnectBufferSize must not be negative")
	case len(o.Protocols) == 0:
		return fmt.Errorf("there are no supported protocols")
	}
	return o.Connection.validate()
}

func (o ConnectionOptions) withDefaults() ConnectionOptions {
	o.Transports = or(o.Transports, transport.All)
	o.ApplicationMaxBufferSize = or(o.ApplicationMaxBufferSize, 64<<10)
	o.SendQueueLimit = or(o.SendQueueLimit, 1<<20)
	o.TransportSendTimeout = or(o.TransportSendTimeout, 10*time.Second)
	o.CloseTimeout = or(o.CloseTimeout, 5*time.Second)
	o.PollTimeout = or(o.PollTimeout, 90*time.Second)
	return o
}

func (o ConnectionOptions) validate() error {
	if o.SendQueueLimit < 0 || o.CloseTimeout < 0 || o.PollTimeout < 0 {
		return fmt.Errorf("SendQueueLimit, CloseTimeout and PollTimeout must not be negative")
	}
	for _, origin := range o.Origins {
		if origin == "*" {
			continue
		}
		if u, err := url.Parse(origin); err != nil || u.Scheme == "" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			return fmt.Errorf("origin %q is none: want scheme://host", origin)
		}
	}
	return nil
}

func (o ConnectionOptions) endpoint() httpconn.EndpointOptions {
	return httpconn.EndpointOptions{
		Transports:                      o.Transports,
		ApplicationMaxBufferSize:        max(o.ApplicationMaxBufferSize, 0),
		SendQueueLimit:                  o.SendQueueLimit,
		CloseTimeout:                    o.CloseTimeout,
		PollTimeout:                     o.PollTimeout,
		TransportSendTimeout:            o.TransportSendTimeout,
		MinimumProtocolVersion:          o.MinimumProtocolVersion,
		CloseOnAuthenticationExpiration: o.CloseOnAuthenticationExpiration,
		AllowStatefulReconnects:         o.AllowStatefulReconnects,
		SubProtocol:                     o.SubProtocolSelector,
		CheckOrigin:                     o.allowsOrigin,
	}
}

// allowsOrigin says whether the page that sends r may open a WebSocket.
func (o ConnectionOptions) allowsOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	if u, err := url.Parse(origin); err == nil && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	for _, allowed := range o.Origins {
		if allowed == "*" || strings.EqualFold(allowed, origin) {
			return true
		}
	}
	return false
}
