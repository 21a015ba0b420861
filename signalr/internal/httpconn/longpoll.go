package httpconn

import (
	"net/http"
	"strconv"
	"time"
)

// pollDriver carries a connection down a chain of polls. It outlives each of them.
type pollDriver struct {
	notify chan struct{} // has one place: there is something to do
	cut    chan struct{} // closed by abort

	// Guarded by Conn.mu.
	cancel chan struct{} // closed to make the poll that waits give way to a new one (F-038); nil without a poll
	done   chan struct{} // closed when that poll has unwound
}

func (d *pollDriver) wake() {
	select {
	case d.notify <- struct{}{}:
	default:
	}
}

// abort is called once, by dispose.
func (d *pollDriver) abort() { close(d.cut) }

// servePoll answers one poll (F-033 to F-043). first says that this one has bound the transport.
func (ep *Endpoint) servePoll(w http.ResponseWriter, r *http.Request, c *Conn, first bool) {
	if first {
		d := &pollDriver{notify: make(chan struct{}, 1), cut: make(chan struct{})}
		if !c.attach(d) {
			answer(w, http.StatusNoContent, "")
			return
		}
		pollData(w, nil)
		c.pollEnded(nil)
		return
	}
	d, ok := c.driver.(*pollDriver) // bound for good
	if !ok {
		answer(w, http.StatusNotFound, "")
		return
	}
	cancel, done, status := c.pollBegins(r, d)
	if status != 0 {
		answer(w, status, "")
		return
	}
	defer close(done)
	unlimited(http.NewResponseController(w))
	timeout := time.NewTimer(ep.opts.PollTimeout)
	defer timeout.Stop()
	for {
		select {
		case <-cancel: // superseded: the new poll takes over what there is
			answer(w, http.StatusNoContent, "")
			c.pollEnded(done)
			return
		default:
		}
		frames, fin := c.take(unbounded)
		if len(frames) > 0 {
			ep.answerPoll(w, c, d, frames)
			c.pollEnded(done)
			return
		}
		if fin {
			status := http.StatusNoContent
			if c.hasFailed() {
				status = http.StatusInternalServerError
			}
			answer(w, status, "")
			if status == http.StatusNoContent {
				c.dispose(nil)
			} else {
				c.pollEnded(done)
			}
			return
		}
		select {
		case <-d.notify:
		case <-cancel:
		case <-d.cut:
			answer(w, http.StatusNoContent, "")
			return
		case <-timeout.C:
			answer(w, http.StatusOK, "")
			c.pollEnded(done)
			return
		case <-r.Context().Done(): // the client went away: nobody to answer (F-039)
			c.pollEnded(done)
			return
		}
	}
}

// unlimited takes away the HTTP server's own time-outs, which are meant for ordinary requests. A writer that cannot do so
// has none, or is in the hands of middleware that knows why.
func unlimited(rc *http.ResponseController) {
	_ = rc.SetReadDeadline(time.Time{})
	_ = rc.SetWriteDeadline(time.Time{})
}

// pollBegins waits until a poll that still hangs has given way, and makes this one the connection's poll. A status
// other than 0 is the answer instead.
func (c *Conn) pollBegins(r *http.Request, d *pollDriver) (cancel, done chan struct{}, status int) {
	for {
		c.mu.Lock()
		if c.state == stateOver {
			c.mu.Unlock()
			return nil, nil, http.StatusNoContent
		}
		if d.done == nil {
			c.state = stateActive
			d.cancel, d.done = make(chan struct{}), make(chan struct{})
			cancel, done = d.cancel, d.done
			c.mu.Unlock()
			return cancel, done, 0
		}
		before := d.done
		if d.cancel != nil {
			close(d.cancel)
			d.cancel = nil
		}
		c.mu.Unlock()
		select {
		case <-before:
			c.pollEnded(before)
		case <-r.Context().Done():
			return nil, nil, http.StatusNoContent
		}
	}
}

// pollEnded says that no poll runs any more, unless another than done does already.
func (c *Conn) pollEnded(done chan struct{}) {
	c.mu.Lock()
	d, ok := c.driver.(*pollDriver)
	if !ok || c.state == stateOver || d.done != done {
		c.mu.Unlock()
		return
	}
	d.cancel, d.done = nil, nil
	c.state, c.lastSeen = stateInactive, c.mgr.now()
	gone := c.finished && (c.deleted || c.farewellLocked())
	c.mu.Unlock()
	if gone {
		c.dispose(nil)
	}
}

func (c *Conn) hasFailed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// answerPoll sends everything that is queued in one body, within the send time-out.
func (ep *Endpoint) answerPoll(w http.ResponseWriter, c *Conn, d *pollDriver, frames []Frame) {
	if ep.opts.TransportSendTimeout >= 0 {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(ep.opts.TransportSendTimeout))
	}
	if err := pollData(w, frames); err != nil {
		// What was taken is lost, and with it the order: the connection cannot go on (F-040).
		c.dispose(nil)
		return
	}
	c.wrote(d, frames)
}

func pollData(w http.ResponseWriter, frames []Frame) error {
	n := 0
	for _, f := range frames {
		n += len(f.Payload())
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.Itoa(n))
	w.WriteHeader(http.StatusOK)
	for _, f := range frames {
		if _, err := w.Write(f.Payload()); err != nil {
			return err
		}
	}
	return nil
}

// serveDelete ends a long-polling connection (F-041).
func (ep *Endpoint) serveDelete(w http.ResponseWriter, c *Conn) {
	c.mu.Lock()
	_, polling := c.driver.(*pollDriver)
	if polling {
		c.deleted = true
	}
	unheard := polling && c.finished && c.state == stateInactive // its end came between two polls
	c.mu.Unlock()
	if !polling {
		answer(w, http.StatusBadRequest, "Cannot terminate this connection using the DELETE endpoint.")
		return
	}
	c.endInput(nil)
	c.cancel() // calls that run or wait do not keep it
	if unheard {
		c.dispose(nil) // nobody will fetch the rest
	}
	answer(w, http.StatusAccepted, "")
}
