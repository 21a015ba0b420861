package httpconn

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/signalr/internal/websocket"
)

// wsDriver carries a connection over a WebSocket. Two goroutines touch it: whoever reads, which is one at a time (a reader that
// waits for the socket and hands what comes to a worker before it waits again, a worker where there is a poller, or the
// reader of a hot connection), and whoever drains the queue, one at a time, too.
type wsDriver struct {
	c  *Conn
	nc net.Conn
	// busy keeps the reader from going on until a worker is done with the frames.
	busy sync.WaitGroup
	// polled is in use if the poller watches the socket; else there is a reader.
	polled polled
	// writeStart is the Instant at which the write that runs began; 0 when none does.
	writeStart atomic.Int64

	// receiving is held while the App takes what came, so that what a socket brought is taken before another takes its
	// place.
	receiving sync.Mutex

	// Only the reader's side touches these.
	reader   websocket.Reader
	hot      *hotReader // nil unless the connection is hot
	lastRead uint32     // in ms
	streak   int16      // of reads
	ended    bool
	bye      uint16 // the code to say goodbye with once ended

	// Guarded by c.mu.
	pong      []byte // the answer to the latest ping, to be sent
	closeCode uint16 // to be sent; 0 if none
	closeSent bool
	peerDone  bool // the client has sent its close frame, or broken the rules: nothing of it matters any more
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
		ep.log.Debug("WebSocket upgrade failed", "connection", c.id, "error", err)
		if turn == 1 {
			c.dispose(nil)
		}
		if errors.Is(err, http.ErrNotSupported) { // middleware or HTTP/2 keeps the connection from us
			answer(w, http.StatusInternalServerError, "")
		}
		return
	}
	d := &wsDriver{c: c, nc: nc}
	d.preparePoll()
	attached := false
	if turn == 1 {
		attached = c.attach(d)
	} else {
		attached = c.resume(d, turn)
	}
	if !attached {
		_ = nc.Close()
		return
	}
	if d.poll(early) {
		return
	}
	// The HTTP handler returns, so that its buffers and stack become garbage; the reader ends with the socket, which
	// dispose closes.
	go d.read(early)
}

// deliver gives the App bytes that it may keep, on the caller's goroutine.
func (c *Conn) deliver(p []byte) {
	if t, err := c.app.Receive(&c.ctx, p); err == nil && t != nil {
		c.mgr.workers.Do(t)
	}
}

// read is the reader: first of what was read before.
func (d *wsDriver) read(early []byte) {
	defer d.c.mgr.readers.Done()
	if len(early) > 0 && !d.handOver(nil, early) {
		return
	}
	if err := d.receive(); err != nil {
		d.readEnded(err)
	}
}

// receive hands over what comes until the socket ends, or is somebody else's to read, which is no error.
func (d *wsDriver) receive() error {
	return receiveAll(d.nc, &d.c.mgr.buffers, func(buf *[bufferSize]byte, n int) bool { return d.handOver(buf, buf[:n]) })
}

// handOver gives what was read, in buf unless that is nil, to a worker and waits until the App has taken it; on a hot
// connection it does the work itself. It is false when the reader is done.
func (d *wsDriver) handOver(buf *[bufferSize]byte, p []byte) bool {
	r := d.c.mgr.reads.get()
	r.d, r.buf, r.p = d, buf, p
	if h := d.hot; h != nil {
		if !h.cold() {
			return r.runHot(h)
		}
		d.hot, d.streak = nil, 0
	}
	d.busy.Add(1)
	d.c.mgr.workers.Do(r)
	d.busy.Wait()
	if d.ended {
		return false
	}
	d.noteRead(false)
	return true
}

// readEnded is called by the reader when the socket gives nothing more.
func (d *wsDriver) readEnded(err error) {
	d.c.ep.log.Debug("WebSocket ended", "connection", d.c.id, "error", err)
	d.c.lost(d)
}

// wsRead is one read of the socket on its way through a worker.
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

// Run unmasks the frames, gives the App their payloads in one piece, lets the reader go on, and then runs what the
// App wants run, which may look at the payloads until it ends.
func (r *wsRead) Run() {
	d := r.d
	task, bad := r.feed()
	ended := d.ended
	d.busy.Done() // before the socket is closed, which waits for the reader
	if ended {
		d.goodbye(d.bye, bad)
	}
	r.finish(task)
}

// feed unmasks the frames and gives the App their payloads. The task is what the App wants run; the error is how the
// frames break the rules.
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

// finish runs the task, which may look at what was read, and releases r.
func (r *wsRead) finish(task Task) {
	if task != nil {
		task.Run()
	}
	r.release()
}

func (r *wsRead) release() {
	m := r.d.c.mgr
	if r.buf != nil {
		m.buffers.put(r.buf)
	}
	m.reads.put(r)
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

// Data collects a payload. It implements [websocket.Handler].
func (r *wsRead) Data(p []byte) { r.payload = append(r.payload, p...) }

// Ping asks for a pong. Of several pings only the latest is answered (RFC 6455, section 5.5.3), so that a flood of
// them costs nothing.
func (r *wsRead) Ping(p []byte) {
	d := r.d
	d.c.mu.Lock()
	d.pong = append(make([]byte, 0, len(p)), p...)
	wake := d.c.wakeLocked()
	d.c.mu.Unlock()
	if wake != nil {
		wake.wake()
	}
}

// Closed notes that the client wants to end: the answer is always 1000 (F-050).
func (r *wsRead) Closed(int, string) { r.d.ended, r.d.bye = true, websocket.NormalClosure }

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
	answered := d.closeSent
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

// replaced tells the client of a socket that another has taken its place, and closes it. A write that runs keeps the
// close frame from going out, which is as good.
func (d *wsDriver) replaced() {
	if d.writeStart.Load() == 0 {
		if err := d.nc.SetWriteDeadline(time.Now().Add(replaceTimeout)); err == nil {
			_, _ = d.nc.Write(websocket.AppendClose(nil, websocket.NormalClosure, "")) // it is closed anyhow
		}
	}
	d.abort()
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

// writeNow writes one frame in the caller's goroutine, which has claimed the draining.
func (d *wsDriver) writeNow(f Frame) {
	err := d.write(f.b)
	c := d.c
	c.mu.Lock()
	if c.driver != d { // replaced meanwhile
		c.mu.Unlock()
		return
	}
	c.taken -= f.Size()
	c.roomLocked()
	more := len(c.frames) > 0 || c.finished || d.pong != nil || d.closeCode != 0
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
			if c.finErr != nil {
				d.closeCode = websocket.InternalError
			}
		}
		d.closeSent = true
		return websocket.AppendClose(nil, int(d.closeCode), ""), nil, true
	}
	if d.pong != nil {
		control = websocket.AppendFrame(nil, websocket.Pong, d.pong)
		d.pong = nil
	}
	frames = c.takeLocked(writeChunk)
	c.draining = len(control) > 0 || len(frames) > 0
	return control, frames, false
}

// closeWritten waits for the client's close frame, no longer than the close time-out, or ends at once if it was there.
func (d *wsDriver) closeWritten() {
	c := d.c
	c.mu.Lock()
	done := d.peerDone
	c.mu.Unlock()
	if !done {
		if d.awaitClose(c.mgr.now() + Instant(c.ep.opts.CloseTimeout)) {
			return
		}
		if err := d.nc.SetReadDeadline(time.Now().Add(c.ep.opts.CloseTimeout)); err == nil {
			return
		}
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
