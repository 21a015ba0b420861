package httpconn

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"signalbox/signalr/internal/hijack"
	"signalbox/signalr/internal/websocket"
)

// wsDriver carries a connection over a WebSocket. Whoever reads is one at a time (read.go), and so is whoever drains the
// queue; the tick, the poller and the watch of hot connections look at it, too. There may be very many, nearly all of them idle: mind its size.
type wsDriver struct {
	c  *Conn
	nc link
	// raw is the socket, if what comes on it can be waited for without a buffer; else nil. It does not change.
	raw    syscall.RawConn
	polled polled
	// writeStart is the Instant at which the write that runs began; 0 when none does.
	writeStart atomic.Int64
	// closeBy is the Instant at which the client's close frame must have come; 0 when none is awaited.
	closeBy atomic.Int64

	// receiving is held while the App takes what came, so that what a socket brought is taken before another takes its
	// place.
	receiving sync.Mutex

	// Only the reader's side touches these.
	reader   websocket.Reader
	hot      *hotReader // nil unless the connection is hot
	lastRead uint32     // in ms
	streak   int16      // of reads
	peeked   bool       // the socket was looked at before it was waited for
	ended    bool
	bye      uint16 // the code to say goodbye with once ended

	// Guarded by c.mu.
	closeCode uint16 // to be sent; 0 if none
	closeSent bool   // it is being written, or was
	closeOut  bool   // it was written
	peerDone  bool   // the client has sent its close frame, or broken the rules: nothing of it matters any more
	pong      string // the frames that answer pings; empty if none is to be sent
}

// link is what a wsDriver needs of a connection. A [net.Conn] has it.
type link interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
}

// serveWebSocket makes a WebSocket of the request, the turn-th of the connection: the first binds the transport, the
// others resume it.
func (ep *Endpoint) serveWebSocket(w http.ResponseWriter, r *http.Request, c *Conn, turn int) {
	var sub string
	defer func() {
		if p := recover(); p != nil { // of the application's selector
			c.dispose(nil)
			panic(p)
		}
	}()
	if ep.opts.SubProtocol != nil {
		sub = ep.opts.SubProtocol(websocket.Subprotocols(r))
	}
	nc, early, err := websocket.Upgrade(w, r, sub)
	if err != nil {
		if turn == 1 {
			c.dispose(nil)
		}
		if errors.Is(err, hijack.ErrRefused) {
			ep.log.Warn("a WebSocket needs a http.ResponseWriter that can be hijacked or unwrapped", "connection", c.id, "error", err)
			answer(w, http.StatusInternalServerError, "")
			return
		}
		ep.log.Debug("WebSocket upgrade failed", "connection", c.id, "error", err)
		return
	}
	d := &wsDriver{c: c, nc: nc}
	d.prepare()
	attached := false
	if turn == 1 {
		attached = c.attach(d)
	} else {
		attached = c.resume(d, turn)
	}
	if !attached {
		_ = d.nc.Close()
		return
	}
	// The HTTP handler returns, so that its buffers and stack become garbage.
	d.begin(early)
}

// goodbye drops the queue, tells the App that the input is over, has a close frame sent, unless there was one, and then
// the socket closed. Nothing happens when another socket has taken over.
func (d *wsDriver) goodbye(code uint16, err error) {
	c := d.c
	c.mu.Lock()
	if c.driver != d {
		c.mu.Unlock()
		return
	}
	d.peerDone = true
	d.closeCode = code
	answered := d.closeOut // else whoever writes it does the rest
	c.frames, c.queued = nil, 0
	c.roomLocked()
	c.mu.Unlock()
	c.endInput(err) // first: what follows may dispose of the connection
	if answered {
		c.dispose(nil) // this was the answer to our close frame
		return
	}
	c.mu.Lock()
	wake := c.wakeLocked()
	c.mu.Unlock()
	if wake != nil {
		wake.wake()
	}
}

// wake has a worker drain the queue.
func (d *wsDriver) wake() { d.c.mgr.workers.Do((*wsFlush)(d)) }

// replaced tells the client of a socket that another has taken its place, and closes it. Where something is being written
// a close frame might get into the middle of it, and is left out.
func (d *wsDriver) replaced(writing bool) {
	if !writing {
		d.writeAtOnce(websocket.AppendClose(nil, websocket.NormalClosure, "")) // it is closed anyhow
	}
	d.abort()
}

// writeBriefly writes p if the connection takes it soon.
func (d *wsDriver) writeBriefly(p []byte) {
	nc, ok := d.nc.(net.Conn)
	if ok && nc.SetWriteDeadline(time.Now().Add(replaceTimeout)) == nil {
		_, _ = nc.Write(p)
	}
}

const replaceTimeout = 100 * time.Millisecond

// abort closes the socket, which ends the reader and any write.
func (d *wsDriver) abort() {
	_ = d.nc.Close()
	d.forget()
}

// stuck says whether a write has been running for longer than limit (F-052). A limit below zero is none.
func (d *wsDriver) stuck(now Instant, limit time.Duration) bool {
	start := d.writeStart.Load()
	return start != 0 && limit >= 0 && now.Sub(Instant(start)) > limit
}

// overdue says whether the client has not answered a close frame in time.
func (d *wsDriver) overdue(now Instant) bool {
	by := d.closeBy.Load()
	return by != 0 && now >= Instant(by)
}

// writeNow writes one frame in the caller's goroutine, which has claimed the draining.
func (d *wsDriver) writeNow(f Frame) { d.written(f, d.write(f.b)) }

// written ends the draining after one frame, unless there is more.
func (d *wsDriver) written(f Frame, err error) {
	c := d.c
	c.mu.Lock()
	if c.driver != d { // replaced meanwhile
		c.mu.Unlock()
		return
	}
	c.taken -= f.Size()
	c.roomLocked()
	more := len(c.frames) > 0 || c.finished || d.pong != "" || d.closeCode != 0
	if !more {
		c.draining = false
	}
	c.mu.Unlock()
	switch {
	case err != nil:
		d.writeFailed(err)
	case more:
		d.wake()
	}
}

// wsRest is what the socket did not take of a frame without waiting, for a worker to write.
type wsRest struct {
	d    *wsDriver
	f    Frame
	done int
}

// Run implements [Task].
func (r *wsRest) Run() { r.d.written(r.f, r.d.write(r.f.b[r.done:])) }

// writeChunk is the most that one write takes: the send time-out is for a write, not for the whole queue (F-052).
const writeChunk = 64 << 10

func (d *wsDriver) write(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), writeChunk)
		d.writeStart.Store(max(int64(d.c.mgr.now()), 1))
		_, err := d.nc.Write(p[:n])
		d.writeStart.Store(0)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func (d *wsDriver) writeFailed(err error) {
	d.c.ep.log.Debug("WebSocket write failed", "connection", d.c.id, "error", err)
	d.c.lost(d)
}

// wsFlush is a wsDriver whose queue a worker drains: all that is there in one write, until nothing is left.
type wsFlush wsDriver

// Run implements [Task].
func (f *wsFlush) Run() {
	d := (*wsDriver)(f)
	for {
		control, frames, last := d.next()
		if len(control) == 0 && len(frames) == 0 {
			return
		}
		if err := d.writeAll(control, frames); err != nil {
			d.writeFailed(err)
			return
		}
		d.c.wrote(d, frames)
		if last {
			d.closeWritten()
			return
		}
	}
}

// next takes what is to be written now: control frames, then the queue. With neither the draining ends. last says
// that a close frame is the end of it; the draining then never ends, so that nothing is written behind it.
func (d *wsDriver) next() (control []byte, frames []Frame, last bool) {
	c := d.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.driver != d || d.closeSent {
		return nil, nil, false
	}
	if d.peerDone || c.finished && len(c.frames) == 0 {
		if d.closeCode == 0 {
			d.closeCode = websocket.NormalClosure
			if c.failed {
				d.closeCode = websocket.InternalError
			}
		}
		d.closeSent = true
		return websocket.AppendClose(nil, int(d.closeCode), ""), nil, true
	}
	if d.pong != "" {
		control = []byte(d.pong)
		d.pong = ""
	}
	frames = c.takeLocked(writeChunk)
	c.draining = len(control) > 0 || len(frames) > 0
	return control, frames, false
}

// closeWritten waits for the client's close frame, no longer than the close time-out, or ends at once if it was there.
func (d *wsDriver) closeWritten() {
	c := d.c
	c.mu.Lock()
	d.closeOut = true
	done := d.peerDone
	c.mu.Unlock()
	if !done {
		d.closeBy.Store(int64(c.mgr.now()) + int64(c.ep.opts.CloseTimeout))
		return // the tick looks after that
	}
	c.dispose(nil)
}

// writeAll writes control and the frames, gathered into as few writes as their sizes allow.
func (d *wsDriver) writeAll(control []byte, frames []Frame) error {
	if len(control) == 0 && len(frames) == 1 {
		return d.write(frames[0].b)
	}
	buf := d.c.mgr.buffers.get()
	defer d.c.mgr.buffers.put(buf)
	out := append(buf[:0], control...)
	for _, f := range frames {
		if len(out)+len(f.b) > len(buf) {
			if err := d.write(out); err != nil {
				return err
			}
			out = buf[:0]
			if len(f.b) > len(buf) {
				if err := d.write(f.b); err != nil {
					return err
				}
				continue
			}
		}
		out = append(out, f.b...)
	}
	return d.write(out)
}
