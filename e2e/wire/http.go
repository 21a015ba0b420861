package wire

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// request is one HTTP/1.1 request on a TCP connection of its own.
type request struct {
	method, target string
	headers        []Header
	body           []byte // nil for none
}

// has reports whether the request names a header itself.
func (r *request) has(name string) bool {
	return r.header(name) != ""
}

// header returns the value of a header that the request names itself, or "".
func (r *request) header(name string) string {
	i := slices.IndexFunc(r.headers, func(h Header) bool { return strings.EqualFold(h.Name, name) })
	if i < 0 {
		return ""
	}
	return r.headers[i].Value
}

// addDefault adds a header unless the request names it.
func (r *request) addDefault(name, value string) {
	if !r.has(name) {
		r.headers = append(r.headers, Header{name, value})
	}
}

// bytes writes the request as it is sent. The body is taken as it is, also when its headers lie about it.
func (r *request) bytes(host string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.target, host)
	for _, h := range r.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	if r.body != nil && !r.has("Content-Length") && !r.has("Transfer-Encoding") {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	b.WriteString("\r\n")
	b.Write(r.body)
	return b.Bytes()
}

// response is the answer to a request.
type response struct {
	status int
	header http.Header
	body   []byte // empty while the body is read as a stream
}

// value returns a header of the answer, all its lines joined, or "(absent)".
func (r *response) value(name string) string {
	values := r.header.Values(name)
	if len(values) == 0 {
		return "(absent)"
	}
	return strings.Join(values, ", ")
}

// open sends a request on a new TCP connection and starts to read what comes back.
func (r *Replayer) open(ctx context.Context, kind connKind, req *request) (*conn, error) {
	c := &conn{kind: kind, target: req.target, events: make(chan event, 64), done: make(chan struct{})}
	switch kind {
	case webSocket:
		c.accept = addUpgrade(req)
	case eventStream:
		req.addDefault("Accept", "text/event-stream")
	}
	ctx, c.cancel = context.WithCancel(ctx)
	if kind == longPoll {
		go func() {
			defer close(c.done)
			r.pollLoop(ctx, c, req)
		}()
		return c, nil
	}
	tcp, err := r.dial(ctx)
	if err != nil {
		c.cancel()
		return nil, err
	}
	c.tcp = tcp
	c.send(req.bytes(r.Address), r.timeout())
	go func() {
		defer close(c.done)
		c.read(ctx, req.method)
	}()
	return c, nil
}

// read reads the answer to the request of a connection, and what follows it.
func (c *conn) read(ctx context.Context, method string) {
	in := bufio.NewReader(c.tcp)
	answer, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		c.emit(ctx, event{kind: eventEOF})
		return
	}
	defer answer.Body.Close() // the connection goes with it
	head := &response{status: answer.StatusCode, header: answer.Header}
	switch {
	case c.kind == webSocket && head.status == http.StatusSwitchingProtocols:
		c.emit(ctx, event{kind: eventHead, head: head})
		c.readFrames(ctx, in)
	case c.kind == eventStream && head.status == http.StatusOK:
		c.emit(ctx, event{kind: eventHead, head: head})
		c.readStream(ctx, answer.Body)
	default:
		if head.body, err = io.ReadAll(answer.Body); err != nil {
			c.emit(ctx, event{kind: eventEOF})
			return
		}
		c.emit(ctx, event{kind: eventHead, head: head})
	}
}

// roundTrip sends a request and waits for its answer.
func (r *Replayer) roundTrip(ctx context.Context, req *request) (*response, error) {
	c, err := r.open(ctx, exchange, req)
	if err != nil {
		return nil, err
	}
	defer c.drop(false)
	select {
	case e := <-c.events:
		if e.kind != eventHead {
			return nil, fmt.Errorf("%s %s: %w", req.method, req.target, io.ErrUnexpectedEOF)
		}
		return e.head, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// dial opens a TCP connection to the server.
func (r *Replayer) dial(ctx context.Context) (net.Conn, error) {
	if r.Dial != nil {
		return r.Dial(ctx)
	}
	dialer := net.Dialer{Timeout: 10 * time.Second}
	tcp, err := dialer.DialContext(ctx, "tcp", r.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to the server: %w", err)
	}
	return tcp, nil
}
