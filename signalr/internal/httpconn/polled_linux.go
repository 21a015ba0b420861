package httpconn

import (
	"io"
	"sync/atomic"
)

// polled is what a wsDriver has whose socket is watched by the [poller] instead of by a goroutine of its own.
type polled struct {
	turn uint32 // tells users of one descriptor apart; 0 without a poller; does not change
	// state says who reads.
	state atomic.Uint32
	// over: the socket's end was reported, perhaps together with the last bytes. No other edge will tell of it.
	over atomic.Bool
}

// Nobody reads until something comes; then one worker does, and looks again if more was reported meanwhile.
const (
	nobodyReads uint32 = iota
	somebodyReads
	readAgain
)

// preparePoll has the manager's poller watch the socket of d, if there is one; else d needs a goroutine that waits.
func (d *wsDriver) preparePoll() {
	p := d.c.mgr.pollerOrNil()
	if p == nil {
		return
	}
	turn := uint32(0)
	for turn == 0 {
		turn = d.c.mgr.pollTurn.Add(1) // wraps around
	}
	d.polled.turn = turn
	d.polled.state.Store(somebodyReads) // what came with the request comes first
	nc, raw := d.nc, d.raw
	if err := p.adopt(d); err != nil {
		d.c.ep.log.Debug("a WebSocket has a goroutine", "connection", d.c.id, "error", err)
		d.nc, d.raw, d.polled.turn = nc, raw, 0
	}
}

// isPolled says whether the socket is the poller's, but for times when the connection is hot.
func (d *wsDriver) isPolled() bool { return d.polled.turn != 0 }

// pollAgain gives the socket of a connection that was hot back to the poller.
func (d *wsDriver) pollAgain() {
	d.polled.state.Store(somebodyReads)
	if err := d.c.mgr.pollerOrNil().watch(d, true); err != nil {
		d.readEnded(err)
		return
	}
	d.c.mgr.workers.Do((*socketRead)(d.newRead(nil)))
}

// unwatch takes the socket of a connection that has become hot away from the poller, if that has it.
func (d *wsDriver) unwatch() {
	if d.isPolled() {
		_ = d.c.mgr.pollerOrNil().watch(d, false) // who reads finds out why
	}
}

// waiter returns what the socket can be read from by who waits for it; done must be called when that is over.
func (d *wsDriver) waiter() (from io.Reader, done func(), err error) {
	s, ok := d.nc.(*socket)
	if !ok {
		return d.nc, func() {}, nil
	}
	nc, err := s.wait()
	if err != nil {
		return nil, nil, err
	}
	return nc, func() { s.done(nc) }, nil
}

// hungUp says whether the poller has seen the end of the socket.
func (d *wsDriver) hungUp() bool { return d.polled.over.Load() }

// forget takes d away from the poller, if that has it, for good.
func (d *wsDriver) forget() {
	if d.isPolled() {
		d.c.mgr.pollerOrNil().forget(d)
	}
}

// readable is called by the poller.
func (d *wsDriver) readable() {
	s := &d.polled.state
	for {
		switch s.Load() {
		case nobodyReads:
			if s.CompareAndSwap(nobodyReads, somebodyReads) {
				d.c.mgr.workers.Do((*socketRead)(d.newRead(nil)))
				return
			}
		case somebodyReads:
			if s.CompareAndSwap(somebodyReads, readAgain) {
				return
			}
		default:
			return
		}
	}
}

// goOn says whether the worker that reads must look at the socket again; if not nobody reads any more.
func (d *wsDriver) goOn() bool {
	s := &d.polled.state
	if s.CompareAndSwap(somebodyReads, nobodyReads) {
		return false
	}
	s.Store(somebodyReads)
	return true
}
