package httpconn

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// polled is what a wsDriver has whose socket is watched by the [poller] instead of a reader of its own.
type polled struct {
	raw  syscall.RawConn // nil with a reader; does not change
	fd   int32
	turn uint32 // tells users of one descriptor apart
	// state says who reads.
	state atomic.Uint32
	// closeBy is the Instant at which the client's close frame must have come; 0 when none is awaited.
	closeBy atomic.Int64
	watched atomic.Bool // by the poller
	// hungUp: the end was reported, perhaps together with the last bytes. No other edge will tell of it.
	hungUp atomic.Bool
}

// Nobody reads until something comes; then one worker does, and looks again if more was reported meanwhile.
const (
	nobodyReads uint32 = iota
	somebodyReads
	readAgain
)

// preparePoll says whether the socket of d can be watched by the manager's poller. It is called before anybody else
// knows d.
func (d *wsDriver) preparePoll() {
	sc := plainSocket(d.nc)
	if sc == nil || d.c.mgr.pollerOrNil() == nil {
		return
	}
	if raw, err := sc.SyscallConn(); err == nil { // else it is closed, which a reader finds out
		d.polled.raw, d.polled.turn = raw, d.c.mgr.pollTurn.Add(1)
		d.polled.state.Store(somebodyReads) // what came with the request comes first
	}
}

// poll has the poller watch the socket of d, and says whether it does; else d needs a reader.
func (d *wsDriver) poll(early []byte) bool {
	if d.polled.raw == nil {
		return false
	}
	d.polled.watched.Store(true)
	if d.watchAndRead(early) != nil {
		// False: it was closed meanwhile, and whoever did that has done the rest.
		return !d.polled.watched.CompareAndSwap(true, false)
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
	r := d.c.mgr.reads.get()
	r.d, r.p = d, early
	d.c.mgr.workers.Do((*polledRead)(r))
	return nil
}

// pollAgain gives the socket of a connection that was hot back to the poller.
func (d *wsDriver) pollAgain() {
	d.polled.state.Store(somebodyReads)
	if err := d.watchAndRead(nil); err != nil {
		d.forget()
		d.readEnded(err) // it is closed, most likely
	}
}

// readByItself takes the socket of a connection that has become hot away from the poller.
func (d *wsDriver) readByItself() {
	d.c.mgr.pollerOrNil().release(d)
	go d.readHot()
}

// forget takes d away from the poller, once.
func (d *wsDriver) forget() {
	if d.polled.watched.CompareAndSwap(true, false) {
		d.c.mgr.pollerOrNil().remove(d)
		d.c.mgr.readers.Done()
	}
}

// readable is called by the poller.
func (d *wsDriver) readable() {
	s := &d.polled.state
	for {
		switch s.Load() {
		case nobodyReads:
			if s.CompareAndSwap(nobodyReads, somebodyReads) {
				r := d.c.mgr.reads.get()
				r.d = d
				d.c.mgr.workers.Do((*polledRead)(r))
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

// awaitClose has the tick end the connection when the client's close frame has not come by then. Where there is a reader
// it says false: the reader's deadline does that.
func (d *wsDriver) awaitClose(by Instant) bool {
	if d.polled.raw == nil {
		return false
	}
	d.polled.closeBy.Store(int64(by))
	return true
}

// overdue says whether the client has not answered a close frame in time.
func (d *wsDriver) overdue(now Instant) bool {
	by := d.polled.closeBy.Load()
	return by != 0 && now > Instant(by)
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

// polledRead is a wsRead that a worker begins: with bytes in p that were read before, or by reading the socket.
type polledRead wsRead

// Run reads until there is nothing more, and runs what the App wants run.
func (pr *polledRead) Run() {
	r := (*wsRead)(pr)
	d := r.d
	for {
		short := true
		if len(r.p) == 0 {
			r.buf = d.c.mgr.buffers.get()
			n, err := r.readSocket()
			if err != nil || n == 0 {
				r.release()
				if errors.Is(err, os.ErrDeadlineExceeded) { // meant for a reader that is no more
					_ = d.nc.SetReadDeadline(time.Time{})
					r = d.c.mgr.reads.get()
					r.d = d
					continue
				}
				if errors.Is(err, syscall.EAGAIN) {
					if d.goOn() {
						r = d.c.mgr.reads.get()
						r.d = d
						continue
					}
					return
				}
				if err == nil {
					err = io.EOF
				}
				d.forget()
				d.readEnded(err)
				return
			}
			r.p = r.buf[:n]
			short = n < bufferSize && !d.polled.hungUp.Load()
		} else {
			short = false // the socket has not been looked at
		}
		task, bad := r.feed()
		if d.ended {
			d.forget()
			d.goodbye(d.bye, bad)
			r.finish(task)
			return
		}
		if d.noteRead(true) {
			d.readByItself()
			r.finish(task)
			return
		}
		if short && !d.goOn() {
			r.finish(task)
			return
		}
		next := d.c.mgr.reads.get()
		next.d = d
		if task != nil { // it may take its time
			d.c.mgr.workers.Do((*polledRead)(next))
			r.finish(task)
			return
		}
		r.release()
		r = next
	}
}

// readSocket reads what is there into the buffer, without waiting.
func (r *wsRead) readSocket() (int, error) {
	if r.once == nil {
		r.once = r.readOnce // kept with r in the pool, so that this allocates nothing
	}
	if err := r.d.polled.raw.Read(r.once); err != nil {
		return 0, err
	}
	return max(r.n, 0), r.err
}

func (r *wsRead) readOnce(fd uintptr) bool {
	for {
		r.n, r.err = syscall.Read(int(fd), r.buf[:])
		if r.err != syscall.EINTR {
			return true
		}
	}
}
