package httpconn

import (
	"errors"
	"io"

	"signalbox/signalr/internal/websocket"
)

// How a socket is read:
//
//   - An idle one is waited for, by the poller or by a goroutine whose stack stays as small as stacks begin: it holds no buffer.
//     When something comes, a worker reads it, has the App take it, has somebody wait for what comes next, and then runs
//     what the App wants run: it may take its time (idle_unix.go).
//   - One that is hot has a goroutine that reads and runs short calls itself (hot.go).
//   - One that cannot be waited for without reading it, TLS above all, always has a goroutine that reads.

// wsRead is one read of the socket, from the bytes to the end of what the App wants run.
type wsRead struct {
	d       *wsDriver
	buf     *[bufferSize]byte // what p lies in, to be given back; nil if it is not of the pool
	p       []byte
	payload []byte // where Data collects
	task    Task   // for wsTask

	// What readSocket works with.
	once func(fd uintptr) bool
	n    int
	err  error
}

// newRead returns a wsRead from the pool, to be released. p is what was read before, if anything.
func (d *wsDriver) newRead(p []byte) *wsRead {
	r := d.c.mgr.reads.get()
	r.d, r.p = d, p
	return r
}

func (r *wsRead) release() {
	m := r.d.c.mgr
	if r.buf != nil {
		m.buffers.put(r.buf)
	}
	m.reads.put(r)
}

// readAll is the goroutine that reads a socket until it ends, or is somebody else's to read, which is no error. What was read
// before comes first.
func (d *wsDriver) readAll(from io.Reader, early []byte) error {
	r := d.newRead(early)
	defer func() { r.release() }()
	for {
		if len(r.p) == 0 {
			if r.buf == nil {
				r.buf = d.c.mgr.buffers.get()
			}
			n, err := from.Read(r.buf[:])
			if n == 0 {
				if err != nil {
					return err
				}
				continue
			}
			r.p = r.buf[:n]
		}
		task, bad := r.feed()
		if d.ended {
			d.goodbye(d.bye, bad)
			if task != nil {
				task.Run()
			}
			return nil
		}
		switch h := d.heated(); {
		case task == nil:
		case h != nil && h.begin(task):
			task.Run()
			if !h.end() {
				return nil
			}
		default:
			r.task = task
			d.c.mgr.workers.Do((*wsTask)(r))
			r = d.newRead(nil)
		}
		r.p, r.payload = nil, nil
	}
}

// readAlways is the reader of a socket that cannot be waited for.
func (d *wsDriver) readAlways(early []byte) {
	defer d.c.mgr.workers.leave()
	if err := d.readAll(d.nc, early); err != nil {
		d.readEnded(err)
	}
}

// readEnded is called when the socket gives nothing more.
func (d *wsDriver) readEnded(err error) {
	d.c.ep.log.Debug("WebSocket ended", "connection", d.c.id, "error", err)
	d.c.lost(d)
}

// feed unmasks the frames and gives the App their payloads in one piece. The task is what the App wants run, which may look
// at the payloads until it ends; the error is how the frames break the rules.
func (r *wsRead) feed() (task Task, bad error) {
	d := r.d
	r.payload = r.p[:0] // payloads move down over the headers: they are never longer than what held them
	err := d.reader.Feed(r.p, r)
	if len(r.payload) > 0 {
		task = d.take(r.payload)
	}
	if err != nil {
		d.ended, d.bye = true, websocket.ProtocolError
		if v, ok := errors.AsType[*websocket.ProtocolViolation](err); ok {
			d.bye = uint16(v.Code)
		}
	}
	return task, err
}

// take gives the App what came, if it is still wanted.
func (d *wsDriver) take(payload []byte) Task {
	d.receiving.Lock()
	defer d.receiving.Unlock()
	d.c.mu.Lock()
	wanted := d.c.driver == d && !d.c.inputOver
	d.c.mu.Unlock()
	if !wanted {
		return nil
	}
	task, err := d.c.app.Receive(&d.c.ctx, payload)
	if err != nil {
		return nil // the connection is over
	}
	return task
}

// settle waits until the App has taken what came before the driver was detached.
func (d *wsDriver) settle() {
	d.receiving.Lock()
	defer d.receiving.Unlock()
}

// wsTask is a wsRead of which only the task is left to be done.
type wsTask wsRead

// Run implements [Task].
func (t *wsTask) Run() {
	t.task.Run()
	(*wsRead)(t).release()
}

// Data collects a payload. It implements [websocket.Handler].
func (r *wsRead) Data(p []byte) { r.payload = append(r.payload, p...) }

// Ping asks for a pong. When more pings wait to be answered than there is room for only the latest is (RFC 6455, section
// 5.5.3), so that a flood of them costs nothing.
func (r *wsRead) Ping(p []byte) {
	d := r.d
	pong := string(websocket.AppendFrame(make([]byte, 0, 128), websocket.Pong, p))
	d.c.mu.Lock()
	if len(d.pong)+len(pong) <= maxPongs {
		pong = d.pong + pong
	}
	d.pong = pong
	wake := d.c.wakeLocked()
	d.c.mu.Unlock()
	if wake != nil {
		wake.wake()
	}
}

// maxPongs bounds the bytes of pongs that wait to be written.
const maxPongs = 512

// Closed notes that the client wants to end: the answer is always 1000 (F-050).
func (r *wsRead) Closed(int, string) { r.d.ended, r.d.bye = true, websocket.NormalClosure }

// deliver gives the App bytes that it may keep, on the caller's goroutine.
func (c *Conn) deliver(p []byte) {
	if t, err := c.app.Receive(&c.ctx, p); err == nil && t != nil {
		c.mgr.workers.Do(t)
	}
}
