package httpconn

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"sync"

	"signalbox/signalr/transport"
)

// RawHandler runs on a connection without hub protocol. The connection ends when it returns.
type RawHandler func(ctx context.Context, snap Snapshot, conn transport.Conn) error

// NewRaw returns what makes the App of a raw connection: a goroutine of its own runs h (F-002). limit is how many
// bytes may wait unread.
func NewRaw(h RawHandler, limit int) func(*Conn, Snapshot) App {
	return func(c *Conn, snap Snapshot) App {
		return &rawApp{c: c, snap: snap, h: h, limit: limit, changed: make(chan struct{})}
	}
}

// rawApp is an App that a handler reads from like a file.
type rawApp struct {
	c     *Conn
	snap  Snapshot
	h     RawHandler
	limit int

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when one of the others changes
	unread  []byte
	ended   bool
	err     error
}

// Start runs the handler.
func (a *rawApp) Start() { a.c.mgr.workers.Do(a) }

// Run implements [Task].
func (a *rawApp) Run() {
	err := a.call()
	a.mu.Lock()
	a.ended = true
	a.unread = nil
	a.signalLocked()
	a.mu.Unlock()
	a.c.Finish(err)
}

func (a *rawApp) call() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			a.c.ep.log.Error("connection handler panicked", "connection", a.c.id, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if err = a.h(&a.c.ctx, a.snap, rawConn{a}); err != nil {
		a.c.ep.log.Info("connection handler failed", "connection", a.c.id, "error", err)
	}
	return err
}

func (a *rawApp) signalLocked() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// Receive implements [App]: it keeps a copy of data for the handler to read.
func (a *rawApp) Receive(ctx context.Context, data []byte) (Task, error) {
	for {
		a.mu.Lock()
		if a.ended {
			a.mu.Unlock()
			return nil, nil // the handler has ended; what comes is nobody's
		}
		if len(a.unread) == 0 || a.limit == 0 || len(a.unread)+len(data) <= a.limit {
			a.unread = append(a.unread, data...)
			a.signalLocked()
			a.mu.Unlock()
			return nil, nil
		}
		changed := a.changed
		a.mu.Unlock()
		select {
		case <-changed:
		case <-a.c.ctx.Done():
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Ended implements [App].
func (a *rawApp) Ended(err error) {
	a.mu.Lock()
	a.ended, a.err = true, err
	a.signalLocked()
	a.mu.Unlock()
}

// Canceled implements [App]; the handler's context is that of the connection.
func (a *rawApp) Canceled() {}

// Tick implements [App]; a raw connection has nothing to do then.
func (a *rawApp) Tick(Instant) {}

// rawConn is the handler's view of the connection.
type rawConn struct{ a *rawApp }

func (r rawConn) ID() string               { return r.a.c.id }
func (r rawConn) Context() context.Context { return &r.a.c.ctx }

func (r rawConn) Read(p []byte) (int, error) {
	a := r.a
	for {
		a.mu.Lock()
		if len(a.unread) > 0 {
			n := copy(p, a.unread)
			a.unread = a.unread[n:]
			if len(a.unread) == 0 {
				a.unread = nil
			}
			a.signalLocked()
			a.mu.Unlock()
			return n, nil
		}
		if a.ended {
			err := a.err
			a.mu.Unlock()
			if err == nil {
				err = io.EOF
			}
			return 0, err
		}
		changed := a.changed
		a.mu.Unlock()
		<-changed // Ended comes when the connection is over
	}
}

func (r rawConn) Write(ctx context.Context, p []byte) error {
	return r.a.c.SendWait(ctx, NewFrame(transport.Text, p), nil)
}
