package httpconn

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"signalbox/signalr/transport"
)

// App is what runs on a connection: a hub, or a raw connection handler. The methods are called by the transport.
type App interface {
	// Start is called once, before Receive, when the transport is bound. Only Ended may come before or meanwhile.
	Start()
	// Receive takes bytes from the client. It waits while too much is unread (F-004), until ctx ends. Calls may
	// overlap; the bytes of one call are taken before those of a call that began after it returned. The task, if
	// there is one, is to be run once by the caller, who must leave data alone until it has run; without one data is
	// the caller's again.
	Receive(ctx context.Context, data []byte) (Task, error)
	// Ended is called once when nothing more will come from the client: by its wish, because the transport is gone
	// (nil), or because it broke the rules (err). It does not wait.
	Ended(err error)
	// Canceled says that the connection is over, or about to be: the context of what runs for it is to end. It is called
	// before Ended, or soon after, once or more often, and does not wait.
	Canceled()
	// Tick is called about once a second while the connection lives, with the time. It does not wait.
	Tick(now Instant)
}

// Resumer is an App that outlives its WebSocket, if the client has negotiated stateful reconnect (F-127).
type Resumer interface {
	App
	// Suspended says that the WebSocket is gone. What is sent from now on is dropped; the App keeps what it wants to
	// send again.
	Suspended()
	// Resume is called when there is a new WebSocket. It calls attach once, which is false when the connection has
	// ended meanwhile; what it sends right behind that goes out first.
	Resume(attach func() bool) bool
}

// Snapshot is what is kept of the request that opened the transport.
type Snapshot struct {
	// User is the authenticated user's id, or empty.
	User string
	// Expires is when the authentication ends; zero means never.
	Expires time.Time
	// Value is whatever the endpoint's Capture wants to keep for its App.
	Value any
}

// expires is Expires as a connection keeps it.
func (s *Snapshot) expires() int64 {
	if s.Expires.IsZero() {
		return 0
	}
	return s.Expires.UnixMilli()
}

var (
	// ErrClosed is the error of a send on a connection that is over.
	ErrClosed = errors.New("the connection is closed")
	// ErrQueueFull is the error of a send that found no room in the connection's queue.
	ErrQueueFull = errors.New("the connection's send queue is full")
)

type connState uint8

const (
	stateNew      connState = iota // claimed by a POST; no transport yet
	stateActive                    // a transport request is running
	stateInactive                  // between two polls, or two WebSockets
	stateOver                      // disposed
)

// Conn is one connection, whatever transport carries it. Its methods may be called by any goroutine. There may be very
// many of them, nearly all of them idle: mind its size.
type Conn struct {
	mgr *Manager
	ep  *Endpoint
	app App
	key connKey
	id  string
	// ctx ends when the connection is over.
	ctx Lifetime

	// socket is held while the connection's WebSocket changes. It is taken before mu.
	socket sync.Mutex

	mu        sync.Mutex // guards all below but version
	state     connState
	transport transport.Type
	version   uint8
	stateful  bool    // the client has negotiated stateful reconnect
	resumable bool    // the client may come back with another socket
	running   bool    // App.Start was called
	inputOver bool    // App.Ended was called
	deleted   bool    // by DELETE: unknown to new requests, though a waiting poll may still fetch the last word
	leaving   bool    // the server is going down
	timedOut  bool    // that is how it ended
	sockets   int32   // how many WebSockets there were
	user      string  // of the request that bound the transport
	expires   int64   // when the authentication of the latest one ends, in ms since 1970; 0 means never
	started   Instant // when the transport was bound
	lastSeen  Instant // when the state became new or inactive
	driver    driver
	posts     *posts // nil before the first POST

	// The queue of what waits to be sent.
	draining bool // a driver is at work on the queue
	lastSent bool // nothing may be queued any more
	finished bool // the App is done; what is queued is still sent
	frames   []Frame
	queued   int           // bytes in frames
	taken    int           // bytes that a driver has taken and not yet written
	failed   bool          // the App was done with an error
	room     chan struct{} // closed when there is room again; nil when nobody waits
}

// closeStatus says how the connection ended, unless the server went down.
func (c *Conn) closeStatus() CloseStatus {
	if c.timedOut {
		return TimedOut
	}
	return NormalClosure
}

// driver is the transport's side of a connection: it takes frames and writes them.
type driver interface {
	// wake is called without a lock when there is something to do and nobody drains: frames, or the end.
	wake()
	// abort cuts the transport at once. It does not wait.
	abort()
}

// ID returns the public connection id.
func (c *Conn) ID() string { return c.id }

// Version returns the negotiated version: 0 when the client did not negotiate.
func (c *Conn) Version() int { return int(c.version) }

// Context ends when the connection is over, before the App is told.
func (c *Conn) Context() context.Context { return &c.ctx }

// Now returns the time, for what is compared with the time of a Tick.
func (c *Conn) Now() Instant { return c.mgr.now() }

// Workers returns the workers of the connection's server.
func (c *Conn) Workers() *Workers { return c.mgr.workers }

// Transport returns the bound transport, or 0 before one is.
func (c *Conn) Transport() transport.Type {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.transport
}

// Send queues f and does not wait. It fails with [ErrQueueFull] when there is no room, and with [ErrClosed].
func (c *Conn) Send(f Frame) error { return c.enqueue(f, c.ep.opts.SendQueueLimit, false, nil) }

// Thin makes room in a full queue for f, excess bytes if it can: it returns what is left of the queue, in the same memory,
// and how many bytes are gone. It leaves what has [LabelOwn]. It is called with the connection's lock held.
type Thin func(queue []Frame, f Frame, excess int) (rest []Frame, freed int)

// SendThinned is [Conn.Send] for a client that may miss something: thin is called when there is no room. What is being
// written already takes none.
func (c *Conn) SendThinned(f Frame, thin Thin) error {
	return c.enqueue(f, c.ep.opts.SendQueueLimit, false, thin)
}

// SendAnyway queues f, past the bound if need be: the caller has a bound of its own.
func (c *Conn) SendAnyway(f Frame) error { return c.enqueue(f, unbounded, false, nil) }

// Queue queues f, past the bound if need be, and leaves it there until something else is sent or [Conn.Flush] is called.
func (c *Conn) Queue(f Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished || c.lastSent || c.state == stateOver {
		return
	}
	if c.frames == nil {
		c.frames = c.mgr.frames.get()
	}
	c.frames = append(c.frames, f)
	c.queued += f.Size()
}

// Flush sends what [Conn.Queue] left.
func (c *Conn) Flush() {
	c.mu.Lock()
	var wake driver
	if len(c.frames) > 0 {
		wake = c.wakeLocked()
	}
	c.mu.Unlock()
	if wake != nil {
		wake.wake()
	}
}

// SendLast queues f, past the bound if need be. It is the last word on this connection: what is sent after it fails with
// [ErrClosed].
func (c *Conn) SendLast(f Frame) error { return c.enqueue(f, unbounded, true, nil) }

func (c *Conn) enqueue(f Frame, limit int, last bool, thin Thin) error {
	c.mu.Lock()
	if c.finished || c.lastSent || c.state == stateOver {
		c.mu.Unlock()
		return ErrClosed
	}
	if last {
		c.lastSent = true
		c.roomLocked()
	}
	if c.suspendedLocked() {
		c.mu.Unlock()
		return nil
	}
	if !c.hasRoom(f, limit) && (thin == nil || !c.thinLocked(f, limit, thin)) {
		c.mu.Unlock()
		return ErrQueueFull
	}
	wake := c.pushLocked(f)
	c.mu.Unlock()
	if wake != nil {
		wake.wake()
	}
	return nil
}

// thinLocked says whether f has room in the queue, once it is thinned out. Of what the connection causes itself no more
// may wait than limit, so that there is always something to thin out for others.
func (c *Conn) thinLocked(f Frame, limit int, thin Thin) bool {
	all := c.ep.opts.SendQueueLimit
	if excess := c.queued + f.Size() - all; excess > 0 && len(c.frames) > 0 {
		var freed int
		c.frames, freed = thin(c.frames, f, excess)
		c.queued -= freed
	}
	switch {
	case c.queued == 0:
		return true
	case c.queued+f.Size() > all:
		return false
	case f.Label != LabelOwn:
		return true
	}
	own := 0
	for _, other := range c.frames {
		if other.Label == LabelOwn {
			own += other.Size()
		}
	}
	return own == 0 || own+f.Size() <= limit
}

// SendWait queues f, which the connection causes itself, waiting for room until ctx or the connection ends. It is never
// thinned out; thin, which may be nil, makes room for it.
func (c *Conn) SendWait(ctx context.Context, f Frame, thin Thin) error {
	f.Label = LabelOwn
	for {
		err := c.enqueue(f, c.ownLimit(), false, thin)
		if err != ErrQueueFull {
			return err
		}
		if err := c.waitRoom(ctx, f); err != nil {
			return err
		}
	}
}

func (c *Conn) waitRoom(ctx context.Context, f Frame) error {
	c.mu.Lock()
	if c.finished || c.lastSent || c.state == stateOver || c.suspendedLocked() || c.hasRoom(f, c.ownLimit()) {
		c.mu.Unlock()
		return nil
	}
	if c.room == nil {
		c.room = make(chan struct{})
	}
	room := c.room
	c.mu.Unlock()
	select {
	case <-room:
		return nil
	case <-c.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// SendNow queues f and, when nothing else is being written, writes it in the caller's goroutine, for answers whose
// caller has nothing better to do. It waits for room as SendWait does.
func (c *Conn) SendNow(ctx context.Context, f Frame, thin Thin) error {
	f.Label = LabelOwn
	c.mu.Lock()
	ws, ok := c.driver.(*wsDriver)
	if !ok || c.draining || c.finished || c.lastSent || c.state != stateActive || !c.hasRoom(f, c.ownLimit()) {
		c.mu.Unlock()
		return c.SendWait(ctx, f, thin)
	}
	c.draining = true
	if len(c.frames) > 0 { // left over by a driver that is about to be replaced
		c.pushLocked(f)
		c.mu.Unlock()
		ws.wake()
		return nil
	}
	c.taken += f.Size()
	c.mu.Unlock()
	ws.writeNow(f)
	return nil
}

// SendIdle is [Conn.Send] for what goes to very many connections one after the other, nearly all of them idle: when nothing
// else is being written, and the socket takes f without waiting, it is written in the caller's goroutine. Workers would
// otherwise be started by the thousand, for a moment.
func (c *Conn) SendIdle(f Frame) error {
	c.mu.Lock()
	ws, ok := c.driver.(*wsDriver)
	if !ok || ws.raw == nil || c.draining || c.finished || c.lastSent || c.state != stateActive || len(c.frames) > 0 {
		c.mu.Unlock()
		return c.Send(f)
	}
	c.draining = true
	c.taken += f.Size()
	c.mu.Unlock()
	ws.writeIdle(f)
	return nil
}

// unbounded is the limit for what must not be lost.
const unbounded = math.MaxInt

// ownLimit is where what the connection causes itself waits: a stream that is as fast as it can be keeps the queue as
// full as it may be, and must leave room for what others send.
func (c *Conn) ownLimit() int { return c.ep.opts.SendQueueLimit / 2 }

// hasRoom says whether f fits: the queue is bounded in bytes, but one message passes an empty queue however long.
func (c *Conn) hasRoom(f Frame, limit int) bool {
	used := c.queued + c.taken
	return used == 0 || used+f.Size() <= limit
}

// pushLocked appends f and returns the driver to wake, if any.
func (c *Conn) pushLocked(f Frame) driver {
	if c.frames == nil {
		c.frames = c.mgr.frames.get()
	}
	c.frames = append(c.frames, f)
	c.queued += f.Size()
	return c.wakeLocked()
}

// wakeLocked claims the work of draining for the driver, if there is one and nobody else has it.
func (c *Conn) wakeLocked() driver {
	if c.draining || c.driver == nil {
		return nil
	}
	c.draining = true
	return c.driver
}

// take hands the queue to the driver that drains it, as takeLocked does. With nothing there draining ends, and fin says
// whether the App is done. The driver calls wrote for what it has written.
func (c *Conn) take(most int) (frames []Frame, fin bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames = c.takeLocked(most)
	c.draining = len(frames) > 0
	return frames, c.finished
}

// takeLocked takes what is to be written next, at least one frame and no more bytes than most: what waits longer may
// still be thinned out.
func (c *Conn) takeLocked(most int) []Frame {
	frames, size := c.frames, c.queued
	c.frames = nil
	if size > most && len(frames) > 1 {
		n := 1
		for size = frames[0].Size(); size+frames[n].Size() <= most; n++ {
			size += frames[n].Size()
		}
		frames, c.frames = frames[:n:n], frames[n:]
	}
	c.taken += size
	c.queued -= size
	return frames
}

// wrote says that frames, which d took before, are on their way, and makes room.
func (c *Conn) wrote(d driver, frames []Frame) {
	n := 0
	for _, f := range frames {
		n += f.Size()
	}
	c.mgr.frames.put(frames)
	c.mu.Lock()
	if c.driver == d {
		c.taken -= n
		c.roomLocked()
	}
	c.mu.Unlock()
}

func (c *Conn) roomLocked() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

// Finish says that the App is done, with an error if it failed: what is queued is sent, then the transport is closed
// (F-050: 1000, or 1011 after an error).
func (c *Conn) Finish(err error) {
	c.mu.Lock()
	if c.finished {
		c.mu.Unlock()
		return
	}
	c.finished, c.failed = true, err != nil
	c.roomLocked()
	wake := c.wakeLocked()
	gone := c.state == stateInactive && (c.deleted || c.farewellLocked() || c.transport == transport.WebSockets)
	c.mu.Unlock()
	if wake != nil {
		wake.wake()
	}
	if gone {
		c.dispose(nil) // nobody will fetch the rest
	}
}

// Clear drops what is queued, and with it the memory that it holds.
func (c *Conn) Clear() {
	c.mu.Lock()
	c.frames, c.queued = nil, 0
	c.roomLocked()
	c.mu.Unlock()
}

// KeepsAlive says whether the transport wants pings of the application: a poll is answered in time anyhow (F-042).
func (c *Conn) KeepsAlive() bool { return c.Transport() != transport.LongPolling }

// Abort cuts the transport at once and ends the connection.
func (c *Conn) Abort() { c.dispose(nil) }

// attach starts the App and makes d the driver. It is false when the connection has ended meanwhile.
func (c *Conn) attach(d driver) bool {
	c.mu.Lock()
	if c.state == stateOver {
		c.mu.Unlock()
		return false
	}
	c.running = true
	c.mu.Unlock()
	c.app.Start()
	for {
		c.mu.Lock()
		if c.state == stateOver {
			c.mu.Unlock()
			return false
		}
		if c.posts == nil || len(c.posts.early) == 0 {
			break
		}
		early := c.posts.early
		c.posts.early = nil
		c.mu.Unlock()
		c.deliver(early) // what was posted before comes first
	}
	c.driver = d
	if _, ok := d.(*wsDriver); ok {
		c.mgr.workers.enter() // while the connection is in the table, so that a shutdown does not wait yet
	}
	if c.posts != nil {
		close(c.posts.bound)
	}
	wake := driver(nil)
	if len(c.frames) > 0 || c.finished {
		wake = c.wakeLocked()
	}
	c.mu.Unlock()
	if wake != nil {
		wake.wake()
	}
	return true
}

// Stateful says whether the client has negotiated stateful reconnect.
func (c *Conn) Stateful() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stateful
}

// AllowResume says whether the client may come back when its WebSocket is cut; else that is the end (F-113, F-128). The
// App must be a [Resumer].
func (c *Conn) AllowResume(allow bool) {
	c.mu.Lock()
	c.resumable = allow && c.stateful
	c.mu.Unlock()
}

// suspendedLocked says whether the connection waits for its client to come back with a new WebSocket.
func (c *Conn) suspendedLocked() bool {
	return c.state == stateInactive && c.transport == transport.WebSockets
}

// lost says that the socket of d has ended without a close frame: the connection waits for a new one if it may, or is
// over.
func (c *Conn) lost(d *wsDriver) {
	c.socket.Lock()
	defer c.socket.Unlock()
	c.mu.Lock()
	if c.driver != d {
		c.mu.Unlock()
		return // another has taken over
	}
	if !c.resumable || c.finished || c.inputOver || d.peerDone || c.state != stateActive {
		c.mu.Unlock()
		c.dispose(nil)
		return
	}
	c.detachLocked()
	c.state, c.lastSeen = stateInactive, c.mgr.now()
	c.mu.Unlock()
	d.abort()
	d.settle()
	c.app.(Resumer).Suspended()
}

// detachLocked leaves the connection without driver and queue.
func (c *Conn) detachLocked() {
	c.driver, c.draining = nil, false
	c.frames, c.queued, c.taken = nil, 0, 0
	c.roomLocked()
}

// resume gives the connection a new socket, the turn-th, taking it away from one that is still there (F-133). It is
// false when the connection has ended meanwhile, or a later socket was faster.
func (c *Conn) resume(d *wsDriver, turn int) bool {
	c.socket.Lock()
	defer c.socket.Unlock()
	c.mu.Lock()
	if turn < int(c.sockets) {
		c.mu.Unlock()
		return false
	}
	old, writing := c.driver, c.draining
	if old != nil {
		c.detachLocked()
		c.state, c.lastSeen = stateInactive, c.mgr.now()
	}
	c.mu.Unlock()
	r := c.app.(Resumer)
	if ws, ok := old.(*wsDriver); ok {
		ws.replaced(writing)
		ws.settle()
		r.Suspended()
	}
	return r.Resume(func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.state != stateInactive || c.finished || c.driver != nil {
			return false
		}
		c.state, c.driver = stateActive, d
		c.mgr.workers.enter()
		return true
	})
}

// endInput tells the App, once, that nothing more will come.
func (c *Conn) endInput(err error) {
	c.mu.Lock()
	over := c.inputOver || !c.running
	c.inputOver = true
	c.mu.Unlock()
	if !over {
		c.app.Ended(err)
	}
}

// cancel ends the context of the connection and of what runs for it.
func (c *Conn) cancel() {
	c.ctx.End()
	c.mu.Lock()
	app := c.app
	c.mu.Unlock()
	if app != nil {
		app.Canceled()
	}
}

// dispose ends the connection: it leaves the table, its transport is cut, its queue dropped, and the App told.
func (c *Conn) dispose(err error) {
	c.mu.Lock()
	if c.state == stateOver {
		c.mu.Unlock()
		return
	}
	c.state = stateOver
	d, bound, status := c.driver, c.transport != 0, c.closeStatus()
	c.frames, c.queued, c.posts = nil, 0, nil
	c.roomLocked()
	c.mu.Unlock()
	if bound {
		c.ep.log.Debug("connection ended", "connection", c.id, "status", string(status))
	}
	if d != nil {
		d.abort()
	}
	c.cancel()
	c.endInput(err)
	c.mgr.remove(c) // last: a shutdown waits for all of the above
}

// tick does what is due on the connection once a second.
func (c *Conn) tick(now Instant) {
	c.mu.Lock()
	state, app := c.state, c.app
	idle := (state == stateNew || state == stateInactive) && now.Sub(c.lastSeen) > c.patienceLocked()
	expired := c.ep.opts.CloseOnAuthenticationExpiration && c.expires != 0 && time.Now().UnixMilli() > c.expires
	d := c.driver
	c.mu.Unlock()
	ws, ok := d.(*wsDriver)
	if idle || ok && ws.stuck(now, c.ep.opts.TransportSendTimeout) {
		c.mu.Lock()
		c.timedOut = true
		c.mu.Unlock()
		c.dispose(nil)
		return
	}
	if ok && ws.overdue(now) {
		c.dispose(nil)
		return
	}
	if expired {
		c.endInput(nil)
		c.cancel() // calls that run or wait do not keep it
		return
	}
	if app != nil && state != stateNew {
		app.Tick(now)
	}
}
