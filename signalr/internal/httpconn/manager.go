// Package httpconn is the connection layer below hubs: negotiation, the table of connections, and the three
// transports that carry bytes for an [App] (F-001 to F-053). It knows nothing of hubs and their messages.
package httpconn

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/signalr/transport"
)

// Manager owns the connections of a server and everything that works for them. Its zero value is not ready.
type Manager struct {
	tokens            *tokens
	workers           *Workers
	buffers           bufferPool
	frames            framePool
	reads             readPool
	trim              trimmer
	usePoller         bool
	pollTurn          atomic.Uint32
	farm              *farm // nil without one
	log               *slog.Logger
	metrics           Metrics
	disconnectTimeout time.Duration
	epoch             time.Time
	tickers           sync.WaitGroup
	down              chan struct{} // closed when a shutdown has ended

	mu        sync.Mutex
	poller    *poller // made for the first socket
	conns     map[connKey]*Conn
	endpoints map[string]*Endpoint // by path
	spent     map[connKey]Instant  // tokens whose connection is over, until they expire
	ticking   bool
	watching  bool
	hot       []*hotReader
	refusing  bool // by Drain: nobody is to come any more
	draining  bool
	empty     chan struct{} // closed when the last connection leaves while draining
	stop      chan struct{} // closed when the ticks are to end
}

// ManagerOptions are the settings of a [Manager].
type ManagerOptions struct {
	TokenKeys []TokenKey
	// DisconnectTimeout is how long a connection without a transport is kept (F-005). Default 15 s.
	DisconnectTimeout time.Duration
	// Farm makes this one of several nodes; nil means that it is alone. The nodes share TokenKeys.
	Farm *FarmOptions
	// Poller has one goroutine wait for all WebSockets, where that can be.
	Poller bool
	// TrimMemory has memory given back to the system when many connections have come or gone.
	TrimMemory bool
	// Metrics may be nil.
	Metrics Metrics
	// Logger is required.
	Logger *slog.Logger
}

// Metrics is told when connections begin and end. Its methods do not wait, and are called by many goroutines.
type Metrics interface {
	// ConnectionStarted says that a transport was bound (F-150).
	ConnectionStarted(t transport.Type)
	// ConnectionStopped says that a connection that was started is over, how, and how long it lasted (F-149).
	ConnectionStopped(t transport.Type, status CloseStatus, lasted time.Duration)
}

// CloseStatus says how a connection ended, in the words of the metric's attribute (F-149).
type CloseStatus string

// The ways in which a connection ends.
const (
	NormalClosure CloseStatus = "normal_closure"
	TimedOut      CloseStatus = "timeout"
	AppShutdown   CloseStatus = "app_shutdown"
)

// NewManager returns a Manager without connections. No goroutine runs until there is one.
func NewManager(o ManagerOptions) (*Manager, error) {
	t, err := newTokens(o.TokenKeys)
	if err != nil {
		return nil, err
	}
	if o.DisconnectTimeout == 0 {
		o.DisconnectTimeout = 15 * time.Second
	}
	m := &Manager{
		tokens:            t,
		workers:           newWorkers(),
		log:               o.Logger,
		metrics:           o.Metrics,
		disconnectTimeout: o.DisconnectTimeout,
		epoch:             time.Now(),
		conns:             make(map[connKey]*Conn),
		endpoints:         make(map[string]*Endpoint),
		spent:             make(map[connKey]Instant),
		stop:              make(chan struct{}),
		down:              make(chan struct{}),
	}
	if o.TrimMemory {
		m.trim.free = debug.FreeOSMemory
	}
	m.usePoller = o.Poller
	if o.Farm != nil {
		m.farm = newFarm(m, *o.Farm)
	}
	return m, nil
}

// Workers returns the workers that run what arrives on connections.
func (m *Manager) Workers() *Workers { return m.workers }

// Instant is a time on the monotonic clock, in nanoseconds since the Manager was made: a third of the size of a
// [time.Time].
type Instant int64

// Sub returns how much later i is than earlier.
func (i Instant) Sub(earlier Instant) time.Duration { return time.Duration(i - earlier) }

func (m *Manager) now() Instant { return Instant(time.Since(m.epoch)) }

// Count returns the number of connections.
func (m *Manager) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.conns)
}

func (m *Manager) lookup(k connKey) *Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conns[k]
}

// add makes the connection of a key, or returns the one that is there. It is nil when the key is spent, or when the
// server is draining.
func (m *Manager) add(ep *Endpoint, k connKey, id string, version int) *Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.conns[k]; c != nil {
		return c
	}
	if _, spent := m.spent[k]; spent || m.draining {
		return nil
	}
	c := &Conn{mgr: m, ep: ep, key: k, id: id, version: uint8(version), lastSeen: m.now()}
	m.conns[k] = c
	m.trim.count.Add(1)
	m.startTicksLocked()
	return c
}

func (m *Manager) startTicksLocked() {
	if !m.ticking {
		m.ticking = true
		m.tickers.Go(m.tickLoop)
	}
}

// pollerOrNil returns the poller, or nil when sockets have readers of their own.
func (m *Manager) pollerOrNil() *poller {
	if !m.usePoller {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.poller == nil {
		if m.draining {
			return nil
		}
		p, err := newPoller()
		if err != nil {
			m.log.Info("WebSockets have a goroutine each", "error", err)
			return nil
		}
		m.poller = p
	}
	return m.poller
}

// endpoint returns the endpoint of a path, or nil.
func (m *Manager) endpoint(path string) *Endpoint {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.endpoints[path]
}

func (m *Manager) remove(c *Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conns[c.key] != c {
		return
	}
	delete(m.conns, c.key)
	m.trim.count.Add(1)
	m.spent[c.key] = m.now() + Instant(m.disconnectTimeout)
	if m.metrics != nil && c.transport != 0 {
		status := c.closeStatus()
		if m.refusing || m.draining {
			status = AppShutdown
		}
		m.metrics.ConnectionStopped(c.transport, status, m.now().Sub(c.started))
	}
	if len(m.conns) == 0 && m.empty != nil {
		close(m.empty)
		m.empty = nil
	}
}

// tickInterval is how often the connections are looked after (F-005, F-116).
const tickInterval = time.Second

// tickLoop runs while there are connections or spent tokens.
func (m *Manager) tickLoop() {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	var conns []*Conn
	for {
		select {
		case <-ticker.C:
		case <-m.stop:
			return
		}
		conns = conns[:0]
		m.mu.Lock()
		now := m.now()
		for k, until := range m.spent {
			if now > until {
				delete(m.spent, k)
			}
		}
		for _, c := range m.conns {
			conns = append(conns, c)
		}
		if len(conns) == 0 && len(m.spent) == 0 {
			m.ticking = false
			m.conns, m.spent = make(map[connKey]*Conn), make(map[connKey]Instant) // maps do not shrink
			m.mu.Unlock()
			return
		}
		m.mu.Unlock()
		for _, c := range conns {
			c.tick(now)
		}
		clear(conns)
		m.trim.tick()
	}
}

// Shutdown ends every connection: Apps are told that the input is over and may say a last word. When ctx ends the
// connections that are left are cut. It returns when nothing runs any more, with ctx's error if it had to cut.
func (m *Manager) Shutdown(ctx context.Context) error {
	m.mu.Lock()
	if m.draining {
		m.mu.Unlock()
		select {
		case <-m.down:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	m.draining = true
	defer close(m.down)
	var empty chan struct{}
	conns := make([]*Conn, 0, len(m.conns))
	for _, c := range m.conns {
		conns = append(conns, c)
	}
	if len(conns) > 0 {
		if m.empty == nil {
			m.empty = make(chan struct{})
		}
		empty = m.empty
	}
	m.mu.Unlock()
	if m.farm != nil {
		m.farm.close()
	}
	for _, c := range conns {
		c.shutdown()
	}
	var err error
	if empty != nil {
		select {
		case <-empty:
		case <-ctx.Done():
			for _, c := range conns {
				if !c.awaitsPoll() {
					err = context.Cause(ctx)
				}
				c.dispose(nil)
			}
		}
	}
	close(m.stop)
	m.tickers.Wait()
	done := make(chan struct{})
	go func() {
		m.mu.Lock()
		p := m.poller
		m.mu.Unlock()
		if p != nil {
			p.close() // before the workers, to which it gives work
		}
		m.workers.close()
		m.workers.wait()
		close(done)
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
	}
	grace := time.NewTimer(cutGrace)
	defer grace.Stop()
	select {
	case <-done:
		return err
	case <-grace.C:
		// A handler does not heed its context. Nothing can be done about it but to say so.
		return fmt.Errorf("handlers are still running: %w", context.Cause(ctx))
	}
}

// cutGrace is how long handlers whose connections were cut may take to notice.
const cutGrace = time.Second

// shutdown lets the App say goodbye; without one there is nobody to do so. A client that is between two polls is told at
// its next one, for which it has a moment.
func (c *Conn) shutdown() {
	c.mu.Lock()
	polling := c.transport == transport.LongPolling
	if polling && !c.leaving && c.state == stateInactive {
		c.lastSeen = c.mgr.now()
	}
	c.leaving = true
	c.deleted = c.deleted || !polling
	over := !c.running || c.finished && c.state == stateInactive && !polling
	c.mu.Unlock()
	if over {
		c.dispose(nil)
		return
	}
	c.endInput(nil)
	c.cancel() // calls that run or wait do not keep it
}

// bufferPool holds the buffers that bytes are read into while they are being looked at.
type bufferPool struct{ pool sync.Pool }

const bufferSize = 8 << 10

func (p *bufferPool) get() *[bufferSize]byte {
	if b, ok := p.pool.Get().(*[bufferSize]byte); ok {
		return b
	}
	return new([bufferSize]byte)
}

func (p *bufferPool) put(b *[bufferSize]byte) { p.pool.Put(b) }

// readPool holds what reads are handed to workers in.
type readPool struct{ pool sync.Pool }

func (p *readPool) get() *wsRead {
	if r, ok := p.pool.Get().(*wsRead); ok {
		return r
	}
	return new(wsRead)
}

func (p *readPool) put(r *wsRead) {
	*r = wsRead{once: r.once}
	p.pool.Put(r)
}

// framePool holds the slices that queues are made of.
type framePool struct {
	pool  sync.Pool
	boxes sync.Pool // what slices lie in while they are in pool, so that putting them there allocates nothing
}

func (p *framePool) get() []Frame {
	box, ok := p.pool.Get().(*[]Frame)
	if !ok {
		return make([]Frame, 0, 8)
	}
	s := *box
	*box = nil
	p.boxes.Put(box)
	return s
}

// maxPooledFrames keeps the slices of once very long queues out of the pool.
const maxPooledFrames = 256

func (p *framePool) put(s []Frame) {
	if cap(s) == 0 || cap(s) > maxPooledFrames {
		return
	}
	clear(s)
	box, ok := p.boxes.Get().(*[]Frame)
	if !ok {
		box = new([]Frame)
	}
	*box = s[:0]
	p.pool.Put(box)
}
