package signalr

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"signalbox/signalr/internal/httpconn"
	"signalbox/signalr/protocol"
)

// HandlerFunc runs an invocation of a client. A nil result is null for the client. Of an error, the client is told the
// text only if it is a [*HubError] (F-084).
//
// ctx ends when the connection does. What must be done even then should use [context.WithoutCancel].
type HandlerFunc func(ctx context.Context, inv *Invocation) (any, error)

// StreamHandlerFunc runs a stream invocation. The error is for what fails before there is a stream. The items of the
// sequence go to the client one by one, held back when the client does not keep up; an error ends it (F-096, F-097).
//
// ctx ends when the client cancels the stream or the connection ends.
type StreamHandlerFunc func(ctx context.Context, inv *Invocation) (iter.Seq2[any, error], error)

// Method describes a method that clients can invoke.
type Method struct {
	// Name is matched without regard to case (F-080).
	Name string
	// Invoke runs the method; Stream runs one that streams its results. Exactly one of them is set.
	Invoke HandlerFunc
	Stream StreamHandlerFunc
	// StreamArgs is how many streams the client has to send along; see [StreamArg] (F-100).
	StreamArgs int
}

// Hub is a set of methods that clients invoke, and a door to the clients that are connected to it. Register its
// methods first, then map it with [Server.MapHub]; from then on it must not be changed and is safe for
// concurrent use.
//
// ASP.NET Core: Hub, with IHubContext.
type Hub struct {
	opts    HubOptions
	manager HubLifetimeManager
	methods map[string]*Method // by lower-case name

	onConnected    func(ctx context.Context, c *Caller) error
	onDisconnected func(ctx context.Context, c *Caller, cause error) error

	// What every connection is sent now and then, encoded once.
	pings  map[protocol.HubProtocol]httpconn.Frame
	server atomic.Pointer[Server] // set when the hub is mapped
	mapped sync.Once              // applies the filters and the name
}

// NewHub returns a hub without methods; nil options are the defaults. It panics when an option cannot be meant.
func NewHub(o *HubOptions) *Hub {
	if o == nil {
		o = &HubOptions{}
	}
	h := &Hub{opts: o.withDefaults(), methods: make(map[string]*Method), pings: make(map[protocol.HubProtocol]httpconn.Frame)}
	if err := h.opts.validate(); err != nil {
		panic("signalr: NewHub: " + err.Error())
	}
	h.manager = h.opts.LifetimeManager
	if h.manager == nil {
		h.manager = NewMemoryLifetimeManager()
	}
	for _, p := range h.opts.Protocols {
		f, err := encodeFrame(p, &protocol.Ping{})
		if err != nil {
			panic("signalr: NewHub: " + err.Error())
		}
		h.pings[p] = f
	}
	if a, ok := h.manager.(HubAttacher); ok {
		a.AttachHub(h)
	}
	return h
}

// Protocols returns the protocols that clients may choose from, in the order of [HubOptions].Protocols.
func (h *Hub) Protocols() []protocol.HubProtocol { return slices.Clone(h.opts.Protocols) }

// Handle registers a method. It panics when the name is taken, without regard to case.
func (h *Hub) Handle(name string, f HandlerFunc) { h.Register(Method{Name: name, Invoke: f}) }

// HandleStream registers a method that streams its results. It panics when the name is taken.
func (h *Hub) HandleStream(name string, f StreamHandlerFunc) {
	h.Register(Method{Name: name, Stream: f})
}

// Register registers a method. It panics when the method is not well formed, when its name is taken, or when the hub
// is mapped already.
func (h *Hub) Register(m Method) {
	key := strings.ToLower(m.Name)
	switch {
	case h.server.Load() != nil:
		panic("signalr: method " + m.Name + " is registered after its hub was mapped")
	case m.Name == "":
		panic("signalr: a hub method needs a name")
	case (m.Invoke == nil) == (m.Stream == nil):
		panic("signalr: hub method " + m.Name + " needs either Invoke or Stream")
	case m.StreamArgs < 0:
		panic("signalr: hub method " + m.Name + " has a negative number of streams")
	case h.methods[key] != nil:
		panic(fmt.Sprintf("signalr: Duplicate definitions of '%s'. Overloading is not supported.", m.Name))
	}
	h.methods[key] = &m
}

// OnConnected sets what runs when a connection has been made, before any of its messages is read. An error closes the
// connection, and OnDisconnected is then not called (F-110). Client results cannot be asked for meanwhile (F-109). It
// panics when the hub is mapped already.
func (h *Hub) OnConnected(f func(ctx context.Context, c *Caller) error) {
	h.mustNotBeMapped("OnConnected")
	h.onConnected = f
}

// OnDisconnected sets what runs, once, when a connection is over. cause is nil unless something went wrong (F-111).
// Its context does not end with the connection. It panics when the hub is mapped already.
func (h *Hub) OnDisconnected(f func(ctx context.Context, c *Caller, cause error) error) {
	h.mustNotBeMapped("OnDisconnected")
	h.onDisconnected = f
}

// mustNotBeMapped panics when the hub serves connections, which read what is about to be changed; and its filters have been
// applied.
func (h *Hub) mustNotBeMapped(what string) {
	if h.server.Load() != nil {
		panic("signalr: " + what + " is set after its hub was mapped")
	}
}

// Clients returns the hub's clients, for those who are not in one of its methods.
func (h *Hub) Clients() Clients { return Clients{h, nil} }

// Groups returns the hub's groups.
func (h *Hub) Groups() GroupManager { return GroupManager{h} }

// HubContext is the door to a hub's clients and groups for services and workers: a [*Hub] is one, in a test one whose
// [HubOptions].LifetimeManager writes down what is sent. It lives as long as the hub and is safe for concurrent use.
//
// ASP.NET Core: IHubContext.
type HubContext interface {
	Clients() Clients
	Groups() GroupManager
}

var _ HubContext = (*Hub)(nil)

// method finds a method by the name that a client uses. The usual case, the registered spelling or all lower case, does
// not allocate.
func (h *Hub) method(name string) *Method {
	var buf [64]byte
	if len(name) <= len(buf) {
		ascii := true
		for i := range len(name) {
			c := name[i]
			if c >= 0x80 {
				ascii = false
				break
			}
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			buf[i] = c
		}
		if ascii {
			return h.methods[string(buf[:len(name)])]
		}
	}
	return h.methods[strings.ToLower(name)]
}

// protocolNamed finds the protocol that a client asks for, without regard to case.
func (h *Hub) protocolNamed(name string) protocol.HubProtocol {
	for _, p := range h.opts.Protocols {
		if strings.EqualFold(p.Name(), name) {
			return p
		}
	}
	return nil
}
