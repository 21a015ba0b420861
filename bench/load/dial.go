package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"
)

// openTimeout bounds the opening of one connection.
const openTimeout = 30 * time.Second

// browserHeaders are what a browser sends along with a WebSocket's request.
const browserHeaders = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " +
	"Chrome/143.0.0.0 Safari/537.36\r\n" +
	"Pragma: no-cache\r\nCache-Control: no-cache\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9,de-DE;q=0.8,de;q=0.7\r\n" +
	"Cookie: consent=analytics%3Dfalse%26ads%3Dfalse; theme=dark; " +
	"sid=s%3A5f1c2c7e9b0d4c1b8a7f6e5d4c3b2a19.Zm9vYmFyYmF6cXV4\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

// stream is a connection while it is opened: blocking, with the bytes that were read too many.
type stream struct {
	conn net.Conn
	rest []byte
}

// read waits for more bytes.
func (s *stream) read() error {
	var buf [4096]byte
	n, err := s.conn.Read(buf[:])
	s.rest = append(s.rest, buf[:n]...)
	if n > 0 {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// until calls f with what was read so far until f takes something off it.
func (s *stream) until(f func(b []byte) (int, error)) error {
	for {
		n, err := f(s.rest)
		if err != nil {
			return err
		}
		if n > 0 {
			s.rest = s.rest[n:]
			return nil
		}
		if err := s.read(); err != nil {
			return err
		}
	}
}

// response waits for a whole response with status 200.
func (s *stream) response() (body []byte, err error) {
	err = s.until(func(b []byte) (int, error) {
		status, got, n, err := nextResponse(b)
		if n > 0 && status != 200 {
			return 0, fmt.Errorf("status %d %.200q", status, got)
		}
		body = bytes.Clone(got)
		return n, err
	})
	return body, err
}

// dialed is an open connection before the loop serves it. It is the [handshaker] of its dialect.
type dialed struct {
	target                *Target
	op                    byte
	main, posts           *stream
	postHead, pollRequest []byte
	deleteRequest         []byte
	events                []byte
}

func (t *Target) connect(ctx context.Context) (*stream, error) {
	var conn net.Conn
	var err error
	if t.url.Scheme == "https" {
		// The certificate of a server under test is made for the run, and says nothing.
		conn, err = (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", t.url.Host)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", t.url.Host)
	}
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	return &stream{conn: conn}, conn.SetDeadline(deadline)
}

// dial opens a connection and shakes hands.
func (t *Target) dial(ctx context.Context) (_ *dialed, err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	d := &dialed{target: t, op: dialects[t.Dialect].op()}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	query := t.url.Query()
	if t.User != "" {
		query.Set("access_token", "user:"+t.User)
	}
	if t.Negotiate || t.Transport == ServerSentEvents || t.Transport == LongPolling {
		token, err := t.negotiate(ctx)
		if err != nil {
			return d, fmt.Errorf("negotiating: %w", err)
		}
		query.Set("id", token)
	}
	if d.main, err = t.connect(ctx); err != nil {
		return d, err
	}
	uri := t.url.EscapedPath()
	if q := query.Encode(); q != "" {
		uri += "?" + q
	}
	switch t.Transport {
	case WebSockets:
		err = d.openWebSocket(uri)
	case ServerSentEvents, LongPolling:
		err = d.openHTTP(ctx, uri)
	}
	if err == nil {
		err = dialects[t.Dialect].open(d)
	}
	if err == nil {
		err = d.main.conn.SetDeadline(time.Time{})
	}
	return d, err
}

func (d *dialed) close() {
	for _, s := range []*stream{d.main, d.posts} {
		if s != nil {
			_ = s.conn.Close()
		}
	}
}

// negotiate asks for a connection token on a TCP connection of its own, as a browser does.
func (t *Target) negotiate(ctx context.Context) (string, error) {
	s, err := t.connect(ctx)
	if err != nil {
		return "", err
	}
	defer s.conn.Close()
	q := url.Values{"negotiateVersion": {"1"}}
	if t.User != "" {
		q.Set("access_token", "user:"+t.User)
	}
	_, err = fmt.Fprintf(s.conn, "POST %s/negotiate?%s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: 0\r\n\r\n",
		strings.TrimSuffix(t.url.EscapedPath(), "/"), q.Encode(), t.url.Host, t.headers())
	if err != nil {
		return "", err
	}
	body, err := s.response()
	if err != nil {
		return "", err
	}
	var answer struct {
		ConnectionToken string `json:"connectionToken"`
		ConnectionID    string `json:"connectionId"`
		Error           string `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("reading %.200q: %w", body, err)
	}
	switch {
	case answer.ConnectionToken != "":
		return answer.ConnectionToken, nil
	case answer.ConnectionID != "":
		return answer.ConnectionID, nil
	}
	return "", fmt.Errorf("no token in %.200q", body)
}

func (t *Target) headers() string {
	if !t.Browser {
		return ""
	}
	return browserHeaders + "Origin: " + t.url.Scheme + "://" + t.url.Host + "\r\n"
}

func (d *dialed) openWebSocket(uri string) error {
	_, err := fmt.Fprintf(d.main.conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%sUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", uri, d.target.url.Host, d.target.headers())
	if err != nil {
		return err
	}
	err = d.main.until(func(b []byte) (int, error) {
		h, n, err := parseHead(b)
		if n > 0 && h.status != 101 {
			return 0, fmt.Errorf("status %d %.200q", h.status, b[n:])
		}
		return n, err
	})
	if err != nil {
		return fmt.Errorf("upgrading to a WebSocket: %w", err)
	}
	return nil
}

// openHTTP opens an event stream, or polls for the first time, which the server answers at once.
func (d *dialed) openHTTP(ctx context.Context, uri string) (err error) {
	if d.posts, err = d.target.connect(ctx); err != nil {
		return err
	}
	common := "Host: " + d.target.url.Host + "\r\n" + d.target.headers()
	d.postHead = []byte("POST " + uri + " HTTP/1.1\r\n" + common +
		"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ")
	d.pollRequest = []byte("GET " + uri + " HTTP/1.1\r\n" + common + "\r\n")
	d.deleteRequest = []byte("DELETE " + uri + " HTTP/1.1\r\n" + common + "\r\n")
	if d.target.Transport == LongPolling {
		if _, err := d.main.conn.Write(d.pollRequest); err != nil {
			return err
		}
		if _, err := d.main.response(); err != nil {
			return fmt.Errorf("polling: %w", err)
		}
		return nil
	}
	request := "GET " + uri + " HTTP/1.1\r\n" + common + "Accept: text/event-stream\r\n\r\n"
	if _, err := d.main.conn.Write([]byte(request)); err != nil {
		return err
	}
	err = d.main.until(func(b []byte) (int, error) {
		h, n, err := parseHead(b)
		if n > 0 && (h.status != 200 || h.length >= 0) {
			return 0, fmt.Errorf("status %d %.200q", h.status, b)
		}
		return n, err
	})
	if err != nil {
		return fmt.Errorf("opening the event stream: %w", err)
	}
	return nil
}

func (d *dialed) send(message []byte) error {
	switch {
	case d.target.Transport == WebSockets:
		op := d.op
		if len(message) > 0 && message[0] == '{' {
			op = opText // the handshake of every protocol is text
		}
		_, err := d.main.conn.Write(appendFrame(nil, op, message))
		return err
	case d.posts != nil:
		if _, err := d.posts.conn.Write(fmt.Appendf(nil, "%s%d\r\n\r\n%s", d.postHead, len(message), message)); err != nil {
			return err
		}
		_, err := d.posts.response()
		return err
	}
	_, err := d.main.conn.Write(message)
	return err
}

func (d *dialed) receive() (message []byte, err error) {
	switch d.target.Transport {
	case LongPolling:
		if _, err := d.main.conn.Write(d.pollRequest); err != nil {
			return nil, err
		}
		return d.main.response()
	case ServerSentEvents:
		err = d.main.until(func(b []byte) (int, error) {
			data, n, err := nextChunk(b)
			if err != nil || n == 0 {
				return n, err
			}
			d.events, err = eachEvent(append(d.events, data...), func(m []byte) error {
				if message == nil { // a ping may follow at once, and says nothing
					message = bytes.Clone(m)
				}
				return nil
			})
			d.events = bytes.Clone(d.events)
			return n, err
		})
		if err == nil && message == nil {
			return d.receive() // a comment, or not a whole event yet
		}
		return message, err
	}
	err = d.main.until(func(b []byte) (int, error) {
		op, p, n, err := nextFrame(b)
		if err == nil && n > 0 && op == opClose {
			return 0, closeError(p)
		}
		message = bytes.Clone(p)
		return n, err
	})
	return message, err
}
