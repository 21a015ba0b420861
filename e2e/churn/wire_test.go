package churn

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"

	"github.com/coder/websocket"

	"signalbox/signalr/transport"
)

// wires are the TCP connections of one client.
type wires struct {
	http *http.Client

	mu      sync.Mutex
	conns   []net.Conn
	sockets []*websocket.Conn
	dead    bool // the client has no network any more
}

func newWires() *wires {
	w := &wires{}
	w.http = &http.Client{Transport: &http.Transport{DialContext: w.dial, DisableCompression: true}}
	return w
}

func (w *wires) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	w.conns = append(w.conns, c)
	return c, nil
}

// cut resets all connections, as when a process is killed. It may be called while they are in use.
func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // one that is closed already needs none
		}
		_ = c.Close()
	}
	w.conns = nil
}

// kill resets all connections, and lets no more be made.
func (w *wires) kill() {
	w.mu.Lock()
	w.dead = true
	w.mu.Unlock()
	w.cut()
}

// end kills what is left when nobody uses it any more.
func (w *wires) end() {
	w.kill()
	w.http.CloseIdleConnections()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ws := range w.sockets {
		_ = ws.CloseNow() // its library never lets go of one that is only cut
	}
}

// do sends a request and returns the status and the body of the answer.
func (w *wires) do(ctx context.Context, method, target, user string, body []byte) (int, []byte, error) {
	res, err := w.start(ctx, method, target, user, "*/*", body)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	return res.StatusCode, p, err
}

func (w *wires) start(ctx context.Context, method, target, user, accept string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+user)
	}
	return w.http.Do(r)
}

// negotiate returns the URL of a new connection.
func (w *wires) negotiate(ctx context.Context, hub, user, query string) (string, error) {
	status, body, err := w.do(ctx, http.MethodPost, hub+"/negotiate?"+query, user, nil)
	if err != nil {
		return "", err
	}
	var n struct{ ConnectionID, ConnectionToken string }
	if err := json.Unmarshal(body, &n); err != nil || status != http.StatusOK {
		return "", fmt.Errorf("negotiating: %d %q", status, body)
	}
	if n.ConnectionToken == "" {
		n.ConnectionToken = n.ConnectionID
	}
	return hub + "?id=" + url.QueryEscape(n.ConnectionToken), nil
}

// link carries bytes between a client and the server over one transport.
type link interface {
	send(ctx context.Context, p []byte) error
	// receive returns what came, cut anywhere; it waits for something, but may return nothing.
	receive(ctx context.Context) ([]byte, error)
	// leave ends the connection as the transport has it.
	leave(ctx context.Context) error
}

// open opens a link of a kind. binary says that the protocol is.
func open(ctx context.Context, w *wires, kind transport.Type, target, user string, binary bool) (link, error) {
	l := httpLink{w, target, user}
	switch kind {
	case transport.WebSockets:
		h := http.Header{}
		if user != "" {
			h.Set("Authorization", "Bearer "+user)
		}
		ws, res, err := websocket.Dial(ctx, target, &websocket.DialOptions{HTTPClient: w.http, HTTPHeader: h})
		switch {
		case err != nil && res != nil && res.StatusCode == http.StatusNotFound:
			return nil, fmt.Errorf("%w: %w", errGone, err)
		case err != nil:
			return nil, err
		}
		ws.SetReadLimit(-1)
		w.mu.Lock()
		w.sockets = append(w.sockets, ws)
		w.mu.Unlock()
		s := &socket{ws, websocket.MessageText}
		if binary {
			s.kind = websocket.MessageBinary
		}
		return s, nil
	case transport.ServerSentEvents:
		res, err := w.start(ctx, http.MethodGet, target, user, "text/event-stream", nil)
		if err != nil {
			return nil, err
		}
		if res.StatusCode != http.StatusOK {
			_ = res.Body.Close()
			return nil, fmt.Errorf("opening an event stream: %s", res.Status)
		}
		return &events{l, res.Body, bufio.NewReader(res.Body)}, nil
	default:
		if status, body, err := w.do(ctx, http.MethodGet, target, user, nil); err != nil || status != http.StatusOK || len(body) > 0 {
			return nil, fmt.Errorf("first poll: %d %q %w", status, body, err)
		}
		return &polls{l}, nil
	}
}

// socket is a WebSocket.
type socket struct {
	ws   *websocket.Conn
	kind websocket.MessageType
}

func (s *socket) send(ctx context.Context, p []byte) error { return orGone(s.ws.Write(ctx, s.kind, p)) }

func (s *socket) receive(ctx context.Context) ([]byte, error) {
	kind, p, err := s.ws.Read(ctx)
	if err == nil && len(p) > 0 && kind != s.kind {
		err = fmt.Errorf("a %v message came, want %v", kind, s.kind)
	}
	return p, orGone(err)
}

// orGone marks the error of a client that has not read in time that the server has closed the connection.
func orGone(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return err
}

func (s *socket) leave(context.Context) error {
	err := s.ws.Close(websocket.StatusNormalClosure, "")
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // the client's library waits five seconds for the answer, which a busy machine may take
	}
	return err
}

// httpLink sends by POST.
type httpLink struct {
	w            *wires
	target, user string
}

func (l httpLink) send(ctx context.Context, p []byte) error {
	status, body, err := l.w.do(ctx, http.MethodPost, l.target, l.user, p)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("POST: %w: %d %q", errGone, status, body)
	}
	return err
}

// errGone is an answer of a server that does not know the connection any more.
var errGone = errors.New("the connection is gone")

// events is an event stream.
type events struct {
	httpLink
	body io.Closer
	in   *bufio.Reader
}

func (e *events) receive(context.Context) ([]byte, error) {
	var p []byte
	for data := false; ; {
		line, err := e.in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimSuffix(line, "\r\n")
		switch text, ok := strings.CutPrefix(line, "data: "); {
		case ok && data:
			p = append(append(p, '\n'), text...)
		case ok:
			p, data = append(p, text...), true
		case line == "" && data:
			return p, nil
		}
	}
}

func (e *events) leave(context.Context) error { return e.body.Close() }

// polls is long polling.
type polls struct{ httpLink }

func (l *polls) receive(ctx context.Context) ([]byte, error) {
	status, body, err := l.w.do(ctx, http.MethodGet, l.target, l.user, nil)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusNoContent:
		return nil, io.EOF
	case status != http.StatusOK:
		return nil, fmt.Errorf("GET: %w: %d %q", errGone, status, body)
	}
	return body, nil
}

func (l *polls) leave(ctx context.Context) error {
	status, body, err := l.w.do(ctx, http.MethodDelete, l.target, l.user, nil)
	if err == nil && status != http.StatusAccepted {
		err = fmt.Errorf("DELETE: %w: %d %q", errGone, status, body)
	}
	return err
}
