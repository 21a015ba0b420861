package rawclient

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"signalbox/signalr/transport"
)

// wire carries bytes over one transport.
type wire interface {
	send(ctx context.Context, p []byte) error
	// receive returns what came, cut anywhere; it may return nothing.
	receive(ctx context.Context) ([]byte, error)
	// leave says goodbye.
	leave()
}

func (c *Client) open(kind transport.Type) (wire, error) {
	switch kind {
	case transport.WebSockets:
		return c.openSocket()
	case transport.ServerSentEvents:
		return c.openStream()
	default:
		p := &polls{c}
		_, header, err := c.do(c.ctx, http.MethodGet, c.URL, nil) // is answered at once
		c.Connected = header
		return p, err
	}
}

// leaveTimeout is how long a goodbye may take.
const leaveTimeout = 5 * time.Second

type socket struct{ ws *websocket.Conn }

func (c *Client) openSocket() (wire, error) {
	ws, resp, err := websocket.Dial(c.ctx, c.URL, &websocket.DialOptions{HTTPClient: c.opts.HTTP, HTTPHeader: c.header()})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, &StatusError{http.MethodGet, resp.StatusCode}
		}
		return nil, err
	}
	ws.SetReadLimit(-1)
	c.Connected = resp.Header
	return &socket{ws}, nil
}

func (s *socket) send(ctx context.Context, p []byte) error {
	return s.ws.Write(ctx, websocket.MessageText, p)
}

func (s *socket) receive(ctx context.Context) ([]byte, error) {
	_, p, err := s.ws.Read(ctx)
	return p, err
}

func (s *socket) leave() { _ = s.ws.Close(websocket.StatusNormalClosure, "") } // has a bound of its own

type stream struct {
	c      *Client
	events *bufio.Reader
}

func (c *Client) openStream() (wire, error) {
	r, err := http.NewRequestWithContext(c.ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return nil, err
	}
	r.Header = c.header()
	r.Header.Set("Accept", "text/event-stream")
	resp, err := c.opts.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(c.ctx, func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		c.cancel()
		return nil, &StatusError{r.Method, resp.StatusCode}
	}
	c.Connected = resp.Header
	return &stream{c, bufio.NewReader(resp.Body)}, nil
}

func (s *stream) send(ctx context.Context, p []byte) error { return s.c.post(ctx, p) }

func (s *stream) receive(context.Context) ([]byte, error) {
	for {
		line, err := s.events.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if data, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "data: "); ok {
			return []byte(data), nil
		}
	}
}

func (s *stream) leave() {}

type polls struct{ c *Client }

func (p *polls) send(ctx context.Context, data []byte) error { return p.c.post(ctx, data) }

func (p *polls) receive(ctx context.Context) ([]byte, error) {
	data, header, err := p.c.do(ctx, http.MethodGet, p.c.URL, nil)
	if err == nil && header == nil {
		return nil, errGone
	}
	return data, err
}

func (p *polls) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	_, _, _ = p.c.do(ctx, http.MethodDelete, p.c.URL, nil) // the connection is given up anyhow
}

func (c *Client) post(ctx context.Context, p []byte) error {
	_, _, err := c.do(ctx, http.MethodPost, c.URL, p)
	return err
}

func (c *Client) header() http.Header {
	h := c.opts.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if c.opts.User != "" {
		h.Set("Authorization", "Bearer user:"+c.opts.User)
	}
	return h
}

// do sends a request and returns the answer, whose status must tell of success. The header is nil when there is no
// content.
func (c *Client) do(ctx context.Context, method, url string, body []byte) ([]byte, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header = c.header()
	resp, err := c.opts.HTTP.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	switch {
	case resp.StatusCode == http.StatusNoContent:
		return nil, nil, err
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, nil, &StatusError{method, resp.StatusCode}
	}
	return data, resp.Header, err
}
