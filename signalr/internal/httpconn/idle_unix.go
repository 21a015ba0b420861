//go:build unix

package httpconn

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// prepare finds out whether the socket of d can be waited for. It is called before anybody else knows d.
func (d *wsDriver) prepare() {
	// The very types of package net: a type that only embeds one may do something of its own with the bytes.
	switch d.nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return
	}
	sc, _ := d.nc.(syscall.Conn)
	if raw, err := sc.SyscallConn(); err == nil { // else it is closed, which who reads finds out
		d.raw = raw
		d.preparePoll()
	}
}

// begin has the socket read: first what was read before. It is called once, when d has been attached, and counted.
func (d *wsDriver) begin(early []byte) {
	if d.raw == nil {
		go d.readAlways(early)
		return
	}
	d.c.mgr.workers.Do((*socketRead)(d.newRead(early)))
	d.c.mgr.workers.leave()
}

// await is the goroutine of an idle connection: it waits until the socket is readable, and gives it to a worker. It ends
// then, so that its stack never grows: who waits next is a new one.
func (d *wsDriver) await() {
	if err := d.awaitReadable(); err != nil {
		d.readEnded(err)
	} else {
		d.c.mgr.workers.Do((*socketRead)(d.newRead(nil)))
	}
	d.c.mgr.workers.leave()
}

// awaitReadable returns when there is something to be read, the socket's end perhaps, or with an error when it is closed.
func (d *wsDriver) awaitReadable() error {
	d.peeked = false
	return d.raw.Read(func(fd uintptr) bool {
		if d.peeked {
			return true // it was waited for
		}
		d.peeked = true
		for { // the system tells of a socket that becomes readable, not of one that is
			var one [1]byte
			_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
			if err != syscall.EINTR {
				return err != syscall.EAGAIN
			}
		}
	})
}

// watchOn has the poller, or a new goroutine, wait for what comes next. It is true when the caller must read again instead.
func (d *wsDriver) watchOn() (again bool) {
	if d.isPolled() {
		return d.goOn()
	}
	d.c.mgr.workers.enter()
	go d.await()
	return false
}

// watchAgain is watchOn for the socket of a connection that was hot.
func (d *wsDriver) watchAgain() {
	switch {
	case d.raw == nil:
		d.c.mgr.workers.enter()
		go d.readAlways(nil)
	case d.isPolled():
		d.pollAgain()
	default:
		d.watchOn()
	}
}

// readHot reads the socket of a hot connection, until it is hot no more.
func (d *wsDriver) readHot() {
	defer d.c.mgr.workers.leave()
	from, done, err := d.waiter()
	switch {
	case err == nil && !d.hot.cold():
		err = d.readAll(from, nil)
		done()
	case err == nil: // the watch has woken nobody
		done()
		err = os.ErrDeadlineExceeded
	case !errors.Is(err, net.ErrClosed): // there are no descriptors left: it is read as others are
		err = os.ErrDeadlineExceeded
	}
	switch {
	case err == nil: // somebody else reads, or nobody any more
	case errors.Is(err, os.ErrDeadlineExceeded): // the watch's
		_ = d.nc.SetReadDeadline(time.Time{})
		d.hot, d.streak = nil, 0
		d.watchAgain()
	default:
		d.forget()
		d.readEnded(err)
	}
}

// socketRead is a wsRead that begins with the bytes in p, which were read before, or by reading the socket.
type socketRead wsRead

// Run reads until there is nothing more, has somebody wait for what comes next, and runs what the App wants run.
func (sr *socketRead) Run() {
	r := (*wsRead)(sr)
	d := r.d
	for {
		drained := false
		if len(r.p) == 0 {
			n, err := r.readSocket()
			switch {
			case err == syscall.EAGAIN:
				r.release()
				if !d.watchOn() {
					return
				}
				r = d.newRead(nil)
				continue
			case n == 0:
				r.release()
				d.forget()
				d.readEnded(err)
				return
			}
			r.p = r.buf[:n]
			drained = n < bufferSize && !d.hungUp()
		}
		task, bad := r.feed()
		again := false
		switch {
		case d.ended:
			d.forget()
			d.goodbye(d.bye, bad)
		case d.noteRead():
			d.unwatch()
			go d.readHot()
		default:
			again = !drained || d.watchOn()
		}
		if task != nil {
			if again { // the task may take its time
				again = false
				d.c.mgr.workers.Do((*socketRead)(d.newRead(nil)))
			}
			task.Run()
		}
		r.release()
		if !again {
			return
		}
		r = d.newRead(nil)
	}
}

// readSocket reads what is there, without waiting. The error is io.EOF at the end of the socket, and EAGAIN when there is
// nothing.
func (r *wsRead) readSocket() (n int, err error) {
	r.buf = r.d.c.mgr.buffers.get()
	if r.once == nil {
		r.once = r.readOnce // kept with r in the pool, so that this allocates nothing
	}
	if err := r.d.raw.Read(r.once); err != nil {
		return 0, err
	}
	if r.n <= 0 && r.err == nil {
		return 0, io.EOF
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

// writeAtOnce writes p if the socket takes it without waiting.
func (d *wsDriver) writeAtOnce(p []byte) {
	if d.raw == nil {
		d.writeBriefly(p)
		return
	}
	_ = d.raw.Write(func(fd uintptr) bool {
		_, _ = syscall.Write(int(fd), p)
		return true
	})
}

// writeIdle writes one frame as [wsDriver.writeNow] does, but does not wait: a worker writes what the socket does not take.
func (d *wsDriver) writeIdle(f Frame) {
	done := 0
	err := d.raw.Write(func(fd uintptr) bool {
		n, err := syscall.Write(int(fd), f.b)
		if err == nil {
			done = n
		}
		return true // an error will show again
	})
	if err == nil && done == len(f.b) {
		d.written(f, nil)
		return
	}
	d.c.mgr.workers.Do(&wsRest{d, f, done})
}
