package httpconn

import "sync/atomic"

// polled is what a wsDriver has whose socket is watched by the [poller] instead of by a goroutine of its own.
type polled struct {
	fd   int32
	turn uint32 // tells users of one descriptor apart; 0 without a poller; does not change
	// state says who reads.
	state   atomic.Uint32
	watched atomic.Bool // by the poller
	// over: the socket's end was reported, perhaps together with the last bytes. No other edge will tell of it.
	over atomic.Bool
}

// Nobody reads until something comes; then one worker does, and looks again if more was reported meanwhile.
const (
	nobodyReads uint32 = iota
	somebodyReads
	readAgain
)

// preparePoll says whether the socket of d is to be watched by the manager's poller.
func (d *wsDriver) preparePoll() {
	if d.c.mgr.pollerOrNil() == nil {
		return
	}
	for d.polled.turn == 0 {
		d.polled.turn = d.c.mgr.pollTurn.Add(1) // wraps around
	}
	d.polled.state.Store(somebodyReads) // what came with the request comes first
}

// poll has the poller watch the socket of d, and says whether it does; else d needs a goroutine that waits.
func (d *wsDriver) poll(early []byte) bool {
	if d.polled.turn == 0 {
		return false
	}
	d.polled.watched.Store(true)
	if d.watchAndRead(early) != nil {
		d.forget()
		return false
	}
	return true
}

// isPolled says whether the socket is the poller's, but for times when the connection is hot.
func (d *wsDriver) isPolled() bool { return d.polled.watched.Load() }

// watchAndRead has the poller watch the socket, and a worker look at it.
func (d *wsDriver) watchAndRead(early []byte) error {
	p := d.c.mgr.pollerOrNil()
	if err := p.add(d); err != nil {
		return err
	}
	if !d.isPolled() {
		p.remove(d) // closed meanwhile
	}
	d.c.mgr.workers.Do((*socketRead)(d.newRead(early)))
	return nil
}

// pollAgain gives the socket of a connection that was hot back to the poller.
func (d *wsDriver) pollAgain() {
	d.polled.state.Store(somebodyReads)
	if d.watchAndRead(nil) != nil { // it is closed, most likely, which who waits finds out
		d.forget()
		d.watchOn()
	}
}

// unwatch takes the socket of a connection that has become hot away from the poller, if that has it.
func (d *wsDriver) unwatch() {
	if d.isPolled() {
		d.c.mgr.pollerOrNil().release(d)
	}
}

// hungUp says whether the poller has seen the end of the socket.
func (d *wsDriver) hungUp() bool { return d.polled.over.Load() }

// forget takes d away from the poller, if that has it, for good.
func (d *wsDriver) forget() {
	if d.polled.watched.CompareAndSwap(true, false) {
		d.c.mgr.pollerOrNil().remove(d)
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
