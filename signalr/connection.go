package signalr

import (
	"context"
	"errors"
	"sync"
	"time"

	"signalbox/signalr/internal/httpconn"
	"signalbox/signalr/protocol"
)

// Connection is one client of a hub, as a [HubLifetimeManager] sees it.
//
// What arrives is taken apart by one goroutine at a time, the pump (pump.go), which is whoever brought the bytes or
// ended what it had to wait for: no goroutine waits for a connection's turn. Handlers run on the server's workers.
//
// ASP.NET Core: HubConnectionContext.
type Connection struct {
	hub      *Hub
	http     *httpconn.Conn
	request  *Request
	caller   Caller
	lifetime httpconn.Lifetime // the context is this one, with values where there are some
	// proto is set by the handshake, before the lifetime manager knows the connection.
	proto protocol.HubProtocol

	mu        sync.Mutex  // guards all below
	handshake *time.Timer // until the handshake is done, then nil
	ending    *ending     // set with phaseEnding
	phase     phase
	pinged    bool  // the client has pinged, which arms its time-out (F-118)
	pumping   bool  // somebody is the pump
	running   int32 // invocations that hold a turn

	// What the pump works on.
	inbox   []byte        // received and not yet consumed
	blocked blocker       // what the pump waits for; nil when it does not
	room    chan struct{} // closed when the inbox has room again; nil when nobody waits

	lastStart httpconn.Instant // when the last invocation that holds a turn began
	// inputOver is set, to what was wrong, when nothing more will come but not all that came is handled.
	inputOver *error
	idle      chan struct{} // closed when nobody is the pump; nil when nobody waits for that
	replay    *replay       // set by the handshake; nil without stateful reconnect

	uploads map[string]*upload // streams from the client, by id
	streams map[string]context.CancelFunc

	lastPing     httpconn.Instant // when the server last pinged
	lastReceived httpconn.Instant // when the last batch from the client was done with
}

type phase uint8

const (
	phaseHandshake phase = iota // waiting for the handshake
	phaseStarting               // OnConnected runs
	phaseOpen
	phaseEnding // a Close message was written if it could be; nothing else goes out
)

// ending is how a connection ended.
type ending struct {
	cause error // for OnDisconnected
	// failed makes the transport end with an error (F-112).
	failed error
	// silent: the hub's OnDisconnected is not called.
	silent bool
}

func newConnection(h *Hub, hc *httpconn.Conn, snap httpconn.Snapshot) *Connection {
	c := &Connection{hub: h, http: hc}
	c.request, _ = snap.Value.(*Request)
	c.caller.conn = c
	c.request.context(&c.lifetime)
	return c
}

// ID returns the connection's public id.
func (c *Connection) ID() string { return c.http.ID() }

// UserID returns the authenticated user's id, or empty.
func (c *Connection) UserID() string { return c.request.user() }

// Protocol returns the protocol that the client has chosen.
func (c *Connection) Protocol() protocol.HubProtocol { return c.proto }

// Context ends when the connection does.
func (c *Connection) Context() context.Context {
	if ctx := c.request.ctx; ctx != nil {
		return ctx
	}
	return &c.lifetime
}

// Send puts msg into the connection's queue and does not wait. If there is no room the connection is closed. It fails
// only when msg cannot be encoded: a connection that is over gets nothing. A Close message ends the connection.
func (c *Connection) Send(msg *SerializedMessage) error {
	if last, ok := msg.msg.(*protocol.Close); ok {
		c.end(last, ending{})
		return nil
	}
	f, err := msg.frame(c.proto)
	if err != nil {
		return err
	}
	c.push(f)
	return nil
}

// push is Send for a frame that is ready.
func (c *Connection) push(f httpconn.Frame) {
	if c.isEnding() {
		return
	}
	var err error
	switch {
	case c.replay != nil:
		err = c.replay.add(c.Context(), f, false)
	case c.hub.opts.SlowClients.closes():
		err = c.http.Send(f)
	default:
		err = c.http.SendThinned(f, c.thin)
	}
	if errors.Is(err, httpconn.ErrQueueFull) {
		c.fail(ErrSlowConsumer)
	}
}

// sendOwn sends what the connection causes itself: it waits for room.
func (c *Connection) sendOwn(ctx context.Context, msg *SerializedMessage) error {
	if last, ok := msg.msg.(*protocol.Close); ok {
		c.end(last, ending{})
		return nil
	}
	f, err := msg.frame(c.proto)
	if err != nil {
		return err
	}
	return c.pushOwn(ctx, f)
}

func (c *Connection) pushOwn(ctx context.Context, f httpconn.Frame) error {
	if c.isEnding() {
		return nil // dropped silently (F-143)
	}
	var err error
	if c.replay != nil {
		err = c.replay.add(ctx, f, true)
	} else {
		err = c.http.SendWait(ctx, f, c.thinning())
	}
	switch {
	case errors.Is(err, httpconn.ErrQueueFull): // suspended connections keep too much together
		c.fail(ErrSlowConsumer)
		return nil
	case errors.Is(err, httpconn.ErrClosed):
		return nil
	}
	return err
}

// thinning is what makes room in a full queue, or nil.
func (c *Connection) thinning() httpconn.Thin {
	if c.hub.opts.SlowClients.closes() {
		return nil
	}
	return c.thin
}

// answer sends the completion of an invocation. It fails when that cannot be encoded, which has to end the connection
// (F-088). now says that the caller's goroutine has nothing better to do than to write it.
func (c *Connection) answer(m protocol.Message, now bool) error {
	f, err := encodeFrame(c.proto, m)
	if err != nil {
		return err
	}
	if now && c.replay == nil && c.isLastAnswer() {
		_ = c.http.SendNow(c.Context(), f, c.thinning()) // fails only when the connection is over
		return nil
	}
	_ = c.pushOwn(c.Context(), f)
	return nil
}

// isLastAnswer says whether no other call waits that the same goroutine will run next: else a flusher writes the answers of
// several calls in one piece, while the next one runs.
func (c *Connection) isLastAnswer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase != phaseEnding && (c.blocked == nil || len(c.inbox) == 0)
}

func (c *Connection) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == phaseEnding
}

// stopHandshakeLocked ends the time-out of the handshake. A timer that is kept holds memory.
func (c *Connection) stopHandshakeLocked() {
	if c.handshake != nil {
		c.handshake.Stop()
		c.handshake = nil
	}
}

func (c *Connection) isConnecting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == phaseStarting
}

// Abort ends the connection: the client gets a Close message and nothing else any more.
func (c *Connection) Abort() { c.end(&protocol.Close{}, ending{}) }

// fail ends the connection because something went wrong in it; the client may come back (F-110).
func (c *Connection) fail(err error) {
	c.hub.opts.Logger.Info("connection failed", "connection", c.ID(), "error", err)
	text := describe("Connection closed with an error.", err, c.hub.opts.EnableDetailedErrors)
	c.end(&protocol.Close{Error: text, AllowReconnect: true}, ending{cause: err})
}

// end ends the connection once (F-110, F-111): the Close message goes out as the last word, the context ends, and a
// worker does the rest.
func (c *Connection) end(last *protocol.Close, e ending) {
	c.mu.Lock()
	before := c.phase
	if before == phaseEnding {
		c.mu.Unlock()
		return
	}
	c.phase, c.ending = phaseEnding, &e
	c.stopHandshakeLocked()
	c.inbox = nil
	c.openRoomLocked()
	c.mu.Unlock()
	c.http.AllowResume(false)
	if before != phaseHandshake {
		if f, err := encodeFrame(c.proto, last); err == nil {
			if errors.Is(e.cause, ErrSlowConsumer) {
				c.http.Clear() // it would not get them in time, and they hold memory
			}
			_ = c.http.SendLast(f) // a transport that is gone carries nothing
		}
	}
	c.lifetime.End()
	if before == phaseHandshake {
		c.http.Finish(nil) // no event was raised, none is now (F-055)
		return
	}
	if before == phaseOpen {
		c.http.Workers().Do((*goodbye)(c))
	} // else OnConnected runs, and whoever runs it does this when it returns
}

// goodbye is a Connection that has ended and tells so.
type goodbye Connection

// Run implements [httpconn.Task].
func (g *goodbye) Run() {
	c := (*Connection)(g)
	e := *c.ending // does not change any more
	ctx := context.WithoutCancel(c.Context())
	if r := c.replay; r != nil {
		r.release()
	}
	if !e.silent {
		if err := c.hub.callDisconnected(ctx, &c.caller, e.cause); err != nil {
			c.hub.opts.Logger.Error("OnDisconnected failed", "connection", c.ID(), "error", err)
			e.failed = err
		}
	}
	if err := c.hub.manager.OnDisconnected(ctx, c); err != nil {
		c.hub.opts.Logger.Error("the lifetime manager's OnDisconnected failed", "connection", c.ID(), "error", err)
	}
	c.http.Finish(e.failed)
}

// Start implements [httpconn.App].
func (c *Connection) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.http.Now()
	c.lastPing, c.lastReceived = now, now
	if c.phase == phaseHandshake {
		c.handshake = time.AfterFunc(c.hub.opts.HandshakeTimeout, func() { c.refuse("Handshake was canceled.") })
	}
}

// Canceled implements [httpconn.App].
func (c *Connection) Canceled() { c.lifetime.End() }

// Ended implements [httpconn.App]: nothing more will come. What has come is still handled, in its order, though its
// context may have ended.
func (c *Connection) Ended(err error) {
	c.mu.Lock()
	if c.phase != phaseEnding && (c.pumping || c.blocked != nil) {
		c.inputOver = &err
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.inputEnded(err)
}

// inputEnded ends the connection when all that came was handled (F-064, F-110).
func (c *Connection) inputEnded(err error) {
	c.mu.Lock()
	cut := len(c.inbox) > 0
	c.mu.Unlock()
	if err == nil && cut {
		c.fail(protocol.InvalidData("Connection terminated while reading a message."))
		return
	}
	c.end(&protocol.Close{AllowReconnect: true}, ending{cause: err})
}

// Tick implements [httpconn.App]: the server's ping and the client's silence (F-116, F-118).
func (c *Connection) Tick(now httpconn.Instant) {
	c.mu.Lock()
	if c.phase != phaseOpen && c.phase != phaseStarting {
		c.mu.Unlock()
		return
	}
	silent := c.pinged && !c.pumping && c.blocked == nil && now.Sub(c.lastReceived) > c.hub.opts.ClientTimeoutInterval
	ping := now.Sub(c.lastPing) >= c.hub.opts.KeepAliveInterval
	if ping {
		c.lastPing = now
	}
	c.mu.Unlock()
	if silent {
		c.fail(ErrClientTimeout)
		return
	}
	if c.replay != nil {
		c.replay.tick()
	}
	if ping && c.http.KeepsAlive() {
		_ = c.http.SendIdle(c.hub.pings[c.proto]) // a full queue is as alive as a ping
	}
}
