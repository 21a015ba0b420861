package httpconn

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"signalbox/signalr/internal/hijack"
)

// sseDriver carries a connection down an event stream. Workers drain the queue.
type sseDriver struct {
	c   *Conn
	out eventStream
}

// eventStream is what events are written to. One goroutine at a time writes; end is the last of it. There may be very many,
// nearly all of them idle: mind their size.
type eventStream interface {
	// write sends events, p without its first chunkHead bytes, which are there to be overwritten.
	write(p []byte, timeout time.Duration) error
	// end says that there are no more events.
	end(timeout time.Duration)
	// cut ends the stream at once. It does not wait, and may be called at any time.
	cut()
}

// serveSSE makes an event stream of the request (F-044 to F-047). Where the socket can be taken over from the HTTP server
// the handler returns, and the stream holds no buffer and next to no stack.
func (ep *Endpoint) serveSSE(w http.ResponseWriter, r *http.Request, c *Conn) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache,no-store")
	h.Set("Pragma", "no-cache")
	h.Set("Content-Encoding", "identity")          // keeps compressing middleware and proxies away (F-010)
	h.Set("X-Accel-Buffering", "no")               // nginx would hold events back
	if !r.ProtoAtLeast(1, 1) || r.ProtoMajor > 1 { // there are no chunks
		ep.serveStream(w, r, c)
		return
	}
	nc, _, err := hijack.Answer(w, "200 OK", http.Header{
		"Connection":        {"close"}, // there is no way back to the HTTP server
		"Transfer-Encoding": {"chunked"},
		"Date":              {time.Now().UTC().Format(http.TimeFormat)},
	}, strconv.Itoa(len(greeting))+chunkTail+greeting+chunkTail)
	switch {
	case errors.Is(err, hijack.ErrRefused):
		ep.serveStream(w, r, c)
	case err != nil:
		ep.log.Debug("event stream failed", "connection", c.id, "error", err)
		c.dispose(nil)
	default:
		ep.startStream(c, nc)
	}
}

// greeting opens a stream, before there is anything to send (F-044).
const greeting = ":\r\n"

// startStream has a goroutine wait for the end of a socket that was taken over.
func (ep *Endpoint) startStream(c *Conn, nc net.Conn) {
	out := &socketStream{nc: nc}
	c.mgr.workers.enter()
	if !c.attach(&sseDriver{c, out}) {
		_ = nc.Close()
		c.mgr.workers.leave()
		return
	}
	go out.await(c)
}

// serveStream is the handler of a stream whose socket belongs to the HTTP server, or to middleware.
func (ep *Endpoint) serveStream(w http.ResponseWriter, r *http.Request, c *Conn) {
	defer c.dispose(nil) // a dropped stream is not resumed (F-047)
	out := &handlerStream{w: w, rc: http.NewResponseController(w), over: make(chan struct{})}
	unlimited(out.rc)
	if !canFlush(w) { // nothing would arrive before the end; the client takes another transport
		ep.log.Warn("an event stream needs a http.ResponseWriter that can be flushed or unwrapped", "connection", c.id)
		answer(w, http.StatusInternalServerError, "")
		return
	}
	if out.write(append(make([]byte, chunkHead), greeting...), ep.opts.TransportSendTimeout) != nil || !c.attach(&sseDriver{c, out}) {
		return
	}
	select {
	case <-out.over:
	case <-r.Context().Done():
	}
	out.leave()
}

// canFlush says whether an [http.ResponseController] can flush w.
func canFlush(w http.ResponseWriter) bool {
	for {
		switch v := w.(type) {
		case interface{ FlushError() error }, http.Flusher:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return false
		}
	}
}

func (d *sseDriver) wake() { d.c.mgr.workers.Do((*sseFlush)(d)) }

func (d *sseDriver) abort() { d.out.cut() }

// sseFlush is an sseDriver whose queue a worker drains: all that is there in one write, until nothing is left.
type sseFlush sseDriver

// Run implements [Task].
func (f *sseFlush) Run() {
	d := (*sseDriver)(f)
	c, timeout := d.c, d.c.ep.opts.TransportSendTimeout
	buf := c.mgr.buffers.get()
	defer c.mgr.buffers.put(buf)
	for {
		frames, fin := c.take(writeChunk)
		if len(frames) == 0 {
			if fin {
				d.out.end(timeout)
				c.dispose(nil)
			}
			return
		}
		events := buf[:chunkHead]
		for _, f := range frames {
			events = appendEvent(events, f.Payload())
		}
		if err := d.out.write(events, timeout); err != nil {
			c.ep.log.Debug("event stream write failed", "connection", c.id, "error", err)
			c.dispose(nil)
			return
		}
		c.wrote(d, frames)
	}
}

// appendEvent adds one message as an event: a data line for each of its lines (F-045).
func appendEvent(b, p []byte) []byte {
	for len(p) > 0 {
		line, rest, more := bytes.Cut(p, []byte{'\n'})
		if more {
			line = bytes.TrimSuffix(line, []byte{'\r'})
		}
		b = append(b, "data: "...)
		b = append(b, line...)
		b = append(b, "\r\n"...)
		if more && len(rest) == 0 {
			b = append(b, "data: \r\n"...)
		}
		p = rest
	}
	return append(b, "\r\n"...)
}

// A chunk (RFC 9112, section 7.1) begins with its length, for which there is room in front of the events, and ends with
// a line's end.
const (
	chunkHead = 8 + len(chunkTail)
	chunkTail = "\r\n"
	lastChunk = "0\r\n\r\n"
)

// socketStream is a stream on a socket that was taken over.
type socketStream struct{ nc net.Conn }

func (s *socketStream) write(p []byte, timeout time.Duration) error {
	var digits [8]byte
	size := append(strconv.AppendUint(digits[:0], uint64(len(p)-chunkHead), 16), chunkTail...)
	start := chunkHead - len(size)
	copy(p[start:], size)
	return s.writeRaw(append(p[start:], chunkTail...), timeout)
}

// writeRaw writes p, each piece within the time-out: it is for a write, not for all of it (F-052).
func (s *socketStream) writeRaw(p []byte, timeout time.Duration) error {
	for len(p) > 0 {
		n := min(len(p), writeChunk)
		if timeout >= 0 {
			if err := s.nc.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
				return err
			}
		}
		if _, err := s.nc.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func (s *socketStream) end(timeout time.Duration) { _ = s.writeRaw([]byte(lastChunk), timeout) } // it is closed anyhow

func (s *socketStream) cut() { _ = s.nc.Close() }

// await is the goroutine of an idle stream: it waits for the socket's end. The answer has said that this is the last
// request on it; what comes nevertheless is nobody's.
func (s *socketStream) await(c *Conn) {
	defer c.mgr.workers.leave()
	var nothing [64]byte
	for {
		if _, err := s.nc.Read(nothing[:]); err != nil {
			c.dispose(nil) // a dropped stream is not resumed (F-047)
			return
		}
	}
}

// handlerStream is a stream whose handler waits for its end.
type handlerStream struct {
	rc   *http.ResponseController
	over chan struct{} // closed by cut

	mu sync.Mutex
	w  http.ResponseWriter // nil when the handler is about to return
}

func (s *handlerStream) write(p []byte, timeout time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return net.ErrClosed
	}
	if timeout >= 0 {
		// A server that cannot set deadlines has its own.
		_ = s.rc.SetWriteDeadline(time.Now().Add(timeout))
	}
	if _, err := s.w.Write(p[chunkHead:]); err != nil {
		return err
	}
	return s.rc.Flush()
}

func (s *handlerStream) end(time.Duration) {}

func (s *handlerStream) cut() { close(s.over) }

// leave waits for a write that runs, and lets nobody write any more.
func (s *handlerStream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w = nil
}
