package httpconn

import (
	"bytes"
	"net/http"
	"time"
)

// sseDriver carries a connection down an event stream. The handler of the GET drains the queue itself.
type sseDriver struct {
	notify chan struct{} // has one place: there is something to do
	cut    chan struct{} // closed by abort
}

func (d *sseDriver) wake() {
	select {
	case d.notify <- struct{}{}:
	default:
	}
}

// abort is called once, by dispose.
func (d *sseDriver) abort() { close(d.cut) }

func (ep *Endpoint) serveSSE(w http.ResponseWriter, r *http.Request, c *Conn) {
	defer c.dispose(nil) // a dropped stream is not resumed (F-047)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache,no-store")
	h.Set("Pragma", "no-cache")
	h.Set("Content-Encoding", "identity") // keeps compressing middleware and proxies away (F-010)
	h.Set("X-Accel-Buffering", "no")      // nginx would hold events back
	rc := http.NewResponseController(w)
	unlimited(rc)
	out := &sseWriter{w: w, rc: rc, timeout: ep.opts.TransportSendTimeout}
	out.buf.WriteString(":\r\n")
	if out.flush() != nil {
		return
	}
	d := &sseDriver{notify: make(chan struct{}, 1), cut: make(chan struct{})}
	if !c.attach(d) {
		return
	}
	for {
		frames, fin := c.take(writeChunk)
		for _, f := range frames {
			if out.event(f.Payload()) != nil {
				return
			}
		}
		if len(frames) > 0 {
			if out.flush() != nil {
				return
			}
			c.wrote(d, frames)
			continue
		}
		if fin {
			return
		}
		select {
		case <-d.notify:
		case <-d.cut:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// sseWriter gathers events and writes them, each write within the send time-out.
type sseWriter struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
	buf     bytes.Buffer
}

// event adds one message as an event: a data line for each of its lines (F-045).
func (s *sseWriter) event(p []byte) error {
	for len(p) > 0 {
		line, rest, more := bytes.Cut(p, []byte{'\n'})
		if more {
			line = bytes.TrimSuffix(line, []byte{'\r'})
		}
		s.buf.WriteString("data: ")
		s.buf.Write(line)
		s.buf.WriteString("\r\n")
		if more && len(rest) == 0 {
			s.buf.WriteString("data: \r\n")
		}
		p = rest
	}
	s.buf.WriteString("\r\n")
	if s.buf.Len() >= writeChunk {
		return s.flush()
	}
	return nil
}

func (s *sseWriter) flush() error {
	if s.timeout >= 0 {
		// A server that cannot set deadlines has its own.
		_ = s.rc.SetWriteDeadline(time.Now().Add(s.timeout))
	}
	_, err := s.w.Write(s.buf.Bytes())
	s.buf.Reset()
	if err != nil {
		return err
	}
	return s.rc.Flush()
}
