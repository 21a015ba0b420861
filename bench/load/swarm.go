// Package load drives a real-time server with many connections: hand-written frames, no client library, and one goroutine
// for all of them, so that the machine is left to the server under test. It speaks SignalR over all three transports, and
// enough of Centrifuge, of Socket.IO and of plain TCP to compare.
//
// The server's hub has the methods Echo(text) -> text, Broadcast(text) -> Receive(text) at everybody, JoinGroup(group) and
// SendToGroup(group, text) -> Receive(text) at the group.
package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"
)

// Transport is how messages go over the wire.
type Transport string

// The transports. TCP has no framing; it goes with the dialect "tcp".
const (
	WebSockets       Transport = "WebSockets"
	ServerSentEvents Transport = "server-sent events"
	LongPolling      Transport = "long polling"
	TCP              Transport = "TCP"
)

// Target is the server under test and how to speak with it.
type Target struct {
	// URL is that of the hub: http or https, or tcp. It must be on this machine.
	URL string
	// Dialect is "json" or "messagepack" (SignalR), "centrifuge", "socketio" or "tcp".
	Dialect string
	// Transport is WebSockets when empty.
	Transport Transport
	// PID is the process whose processor time and memory count.
	PID int
	// Negotiate asks for a connection token before each connection, as clients of SignalR do by default.
	Negotiate bool
	// User is who connects; empty means nobody.
	User string
	// Browser sends the headers that a browser sends.
	Browser bool
	// PingEvery is how often each client of SignalR pings. Default 15 s.
	PingEvery time.Duration
	// Settle is how long the server has, after connections have come or gone, before its memory is read. Default 1 s.
	Settle time.Duration

	url *url.URL
}

// parallelDials is how many connections are opened at once.
const parallelDials = 64

// Swarm is a number of connections to one target. Its methods are called one after the other.
type Swarm struct {
	target  Target
	dialect dialect
	loop    *loop

	// The rest belongs to the loop.
	clients     []*client
	onCompleted func(c *client, slot int, message []byte)
	onDelivered func(c *client, message []byte)
	lost        int
	lostWhy     error
	pings       pings
}

// complete checks the target and fills in the defaults.
func (t *Target) complete() error {
	u, err := url.Parse(t.URL)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("load: %s is not on this machine", t.URL)
	}
	if dialects[t.Dialect] == nil {
		return fmt.Errorf("load: no dialect %q", t.Dialect)
	}
	if t.Transport == "" {
		t.Transport = WebSockets
	}
	if t.PingEvery == 0 {
		t.PingEvery = 15 * time.Second
	}
	if t.Settle == 0 {
		t.Settle = time.Second
	}
	t.url = u
	return nil
}

// New returns a swarm without connections. The caller closes it.
func New(t Target) (*Swarm, error) {
	if err := t.complete(); err != nil {
		return nil, err
	}
	l, err := newLoop()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	s := &Swarm{target: t, dialect: dialects[t.Dialect], loop: l}
	l.do(func() { l.tick = s.tick })
	return s, nil
}

// Connect opens n more connections as fast as it can. It fails when one of them cannot be opened.
func (s *Swarm) Connect(ctx context.Context, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	next := make(chan struct{})
	for range min(parallelDials, n) {
		wg.Go(func() {
			for range next {
				if err := s.connectOne(ctx); err != nil {
					cancel(fmt.Errorf("load: connecting to %s: %w", s.target.URL, err))
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case next <- struct{}{}:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.loop.call(ctx, func() {}) // so that the loop serves them all
}

func (s *Swarm) connectOne(ctx context.Context) error {
	d, err := s.target.dial(ctx)
	if err != nil {
		return err
	}
	if err := (&client{swarm: s}).serve(d); err != nil {
		d.close()
		return err
	}
	return nil
}

// Lost returns how many connections ended that the swarm did not end, and why the first one did.
func (s *Swarm) Lost(ctx context.Context) (n int, why error, err error) {
	err = s.loop.call(ctx, func() { n, why = s.lost, s.lostWhy })
	return n, why, err
}

// check fails when a connection was lost.
func (s *Swarm) check(ctx context.Context) error {
	n, why, err := s.Lost(ctx)
	if err == nil && n > 0 {
		err = fmt.Errorf("load: %d connections were lost: %w", n, why)
	}
	return err
}

// Leave ends all connections.
func (s *Swarm) Leave(ctx context.Context) error {
	return s.loop.call(ctx, func() {
		for _, c := range s.clients {
			c.leave()
		}
		s.clients = nil
	})
}

// Close ends all connections and what serves them.
func (s *Swarm) Close() {
	s.loop.do(func() {
		for _, c := range s.clients {
			c.leave()
		}
	})
	s.loop.close()
}

// JoinGroups puts each connection into groups; names says which for the i-th connection.
func (s *Swarm) JoinGroups(ctx context.Context, names func(i int) []string) error {
	done := make(chan struct{})
	err := s.loop.call(ctx, func() {
		waiting := 1
		finished := func() {
			if waiting--; waiting == 0 {
				close(done)
			}
		}
		s.onCompleted = func(*client, int, []byte) { finished() }
		for i, c := range s.clients {
			for slot, name := range names(i) {
				waiting++
				c.send(s.dialect.invoke(slot, "JoinGroup", name))
			}
		}
		finished()
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, openTimeout, errors.New("load: the server does not complete JoinGroup"))
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), s.check(context.WithoutCancel(ctx)))
	}
	return s.check(ctx)
}

// pings spreads the clients' pings evenly over time.
type pings struct {
	since time.Time
	sent  int
}

// tick pings those clients whose turn it is.
func (s *Swarm) tick(now time.Time) {
	p := s.dialect.ping()
	if p == nil || len(s.clients) == 0 {
		s.pings = pings{}
		return
	}
	if s.pings.since.IsZero() {
		s.pings = pings{since: now}
	}
	due := int(float64(now.Sub(s.pings.since)) / float64(s.target.PingEvery) * float64(len(s.clients)))
	for ; s.pings.sent < due; s.pings.sent++ {
		if c := s.clients[s.pings.sent%len(s.clients)]; !c.left {
			c.send(p)
		}
	}
}

// wait sleeps unless ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
