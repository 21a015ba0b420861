// Package rawclient is a small client of a hub: JSON, every transport, no reconnect. It is for tests that need many of
// them, or have to see which answers came from where.
package rawclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"signalbox/signalr/transport"
)

// Options are the settings of a [Client].
type Options struct {
	// HTTP sends the requests; nil stands for [http.DefaultClient]. It must not have a time-out.
	HTTP *http.Client
	// User is who the client is; empty is nobody.
	User string
	// Header is sent with each request, such as a cookie.
	Header http.Header
	// OnReceive gets the text of each invocation of Receive, one after the other. It must not call the client.
	OnReceive func(text string)
	// OnInvocation gets each other invocation, like OnReceive.
	OnInvocation func(target string, args []json.RawMessage)
}

// Client is one connection. Its methods may be called by several goroutines.
type Client struct {
	// ID is the connection's public id, and URL where its requests go, with its token.
	ID, URL string
	// Negotiated and Connected are the headers of the answers to the negotiation, and to the first request of the
	// transport.
	Negotiated, Connected http.Header

	opts   Options
	wire   wire
	ctx    context.Context // ends with the client
	cancel context.CancelFunc
	done   chan struct{}
	err    error // after done

	mu    sync.Mutex
	calls map[string]chan completion
	ids   int
}

type completion struct {
	Result json.RawMessage
	Error  string
}

// StatusError is the error of a request with an answer that was not expected.
type StatusError struct {
	Method string
	Status int
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s was answered with %d", e.Method, e.Status)
}

// ErrReconnect is how a connection ends that the server has closed and asks to be made anew.
var ErrReconnect = errors.New("the server has closed the connection, and asks for another")

// ErrClosed is how a connection ends that the server has closed without asking for another.
var ErrClosed = errors.New("the server has closed the connection")

// errGone is how a connection ends that the server does not know any more.
var errGone = errors.New("the server has no such connection any more")

const separator = 0x1e

// Dial negotiates and connects to a hub, and shakes hands. ctx bounds that alone.
func Dial(ctx context.Context, hub string, kind transport.Type, o Options) (_ *Client, err error) {
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	c := &Client{opts: o, done: make(chan struct{}), calls: make(map[string]chan completion)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			c.cancel()
		}
	}()
	// What is opened lives longer than ctx, but must not come about after it.
	defer context.AfterFunc(ctx, c.cancel)()
	if err := c.negotiate(hub); err != nil {
		return nil, err
	}
	if c.wire, err = c.open(kind); err != nil {
		return nil, fmt.Errorf("connecting with %v: %w", kind, err)
	}
	if err := c.wire.send(c.ctx, []byte("{\"protocol\":\"json\",\"version\":1}\x1e")); err != nil {
		return nil, fmt.Errorf("shaking hands with %v: %w", kind, err)
	}
	var in []byte
	for !bytes.Contains(in, []byte{separator}) {
		p, err := c.wire.receive(c.ctx)
		if err != nil {
			return nil, fmt.Errorf("shaking hands with %v: %w", kind, err)
		}
		in = append(in, p...)
	}
	answer, rest, _ := bytes.Cut(in, []byte{separator})
	if string(answer) != "{}" {
		return nil, fmt.Errorf("the handshake was answered with %q", answer)
	}
	go c.run(rest)
	return c, nil
}

func (c *Client) negotiate(hub string) error {
	body, header, err := c.do(c.ctx, http.MethodPost, hub+"/negotiate?negotiateVersion=1", nil)
	if err != nil {
		return fmt.Errorf("negotiating: %w", err)
	}
	var n struct{ ConnectionID, ConnectionToken string }
	if err := json.Unmarshal(body, &n); err != nil {
		return fmt.Errorf("negotiating: %w", err)
	}
	c.ID, c.URL, c.Negotiated = n.ConnectionID, hub+"?id="+url.QueryEscape(n.ConnectionToken), header
	return nil
}

// run reads until the connection ends.
func (c *Client) run(in []byte) {
	defer close(c.done)
	defer c.cancel()
	for {
		for {
			record, rest, whole := bytes.Cut(in, []byte{separator})
			if !whole {
				break
			}
			in = rest
			if c.err = c.handle(record); c.err != nil {
				return
			}
		}
		p, err := c.wire.receive(c.ctx)
		if err != nil {
			c.err = err
			return
		}
		in = append(in, p...)
	}
}

func (c *Client) handle(record []byte) error {
	var m struct {
		Type           int
		Target         string
		InvocationID   string
		Arguments      []json.RawMessage
		AllowReconnect bool
		completion
	}
	if err := json.Unmarshal(record, &m); err != nil {
		return fmt.Errorf("reading %q: %w", record, err)
	}
	switch m.Type {
	case 1: // Invocation
		var text string
		if m.Target == "Receive" && len(m.Arguments) == 1 && c.opts.OnReceive != nil {
			if err := json.Unmarshal(m.Arguments[0], &text); err != nil {
				return fmt.Errorf("reading %q: %w", record, err)
			}
			c.opts.OnReceive(text)
		} else if c.opts.OnInvocation != nil {
			c.opts.OnInvocation(m.Target, m.Arguments)
		}
	case 3: // Completion
		c.mu.Lock()
		call := c.calls[m.InvocationID]
		delete(c.calls, m.InvocationID)
		c.mu.Unlock()
		if call != nil {
			call <- m.completion
		}
	case 7: // Close
		if m.AllowReconnect {
			return ErrReconnect
		}
		if m.Error != "" {
			return fmt.Errorf("%w: %s", ErrClosed, m.Error)
		}
		return ErrClosed
	}
	return nil
}

// Call invokes a method of the hub and returns its result.
func (c *Client) Call(ctx context.Context, method string, args ...any) (json.RawMessage, error) {
	if args == nil {
		args = []any{}
	}
	call := make(chan completion, 1)
	c.mu.Lock()
	c.ids++
	id := strconv.Itoa(c.ids)
	c.calls[id] = call
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.calls, id)
		c.mu.Unlock()
	}()
	p, err := json.Marshal(map[string]any{"type": 1, "invocationId": id, "target": method, "arguments": args})
	if err != nil {
		return nil, err
	}
	if err := c.wire.send(ctx, append(p, separator)); err != nil {
		return nil, fmt.Errorf("calling %s: %w", method, err)
	}
	select {
	case m := <-call:
		if m.Error != "" {
			return nil, errors.New(m.Error)
		}
		return m.Result, nil
	case <-c.done:
		return nil, fmt.Errorf("calling %s: the connection has ended: %w", method, c.err)
	case <-ctx.Done():
		return nil, fmt.Errorf("calling %s: %w", method, context.Cause(ctx))
	}
}

// Ping tells the server that the client is there, which a hub wants to hear twice a minute.
func (c *Client) Ping(ctx context.Context) error { return c.wire.send(ctx, []byte("{\"type\":6}\x1e")) }

// Post sends an empty request to a URL such as the client's own at another address, as the client's user, and returns
// the status of the answer.
func (c *Client) Post(ctx context.Context, url string) (status int, err error) {
	_, _, err = c.do(ctx, http.MethodPost, url, nil)
	if e, ok := errors.AsType[*StatusError](err); ok {
		return e.Status, nil
	}
	if err != nil {
		return 0, err
	}
	return http.StatusOK, nil
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says how the connection has ended; nil before it has.
func (c *Client) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Close ends the connection as its transport has it, also one that was cut, and waits until nothing runs any more.
func (c *Client) Close() {
	c.wire.leave()
	c.cancel()
	<-c.done
}
