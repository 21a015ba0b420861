package redisbackplane_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/redis/rueidis"
)

// gate holds back what Redis says from the first mark that is written to it until the last one: whoever waits for an answer
// in between waits for ever.
type gate struct {
	mark  []byte
	marks int

	mu      sync.Mutex
	written []byte
	seen    int
	open    chan struct{} // closed with the last mark
}

func newGate(mark string, marks int) *gate {
	return &gate{mark: []byte(mark), marks: marks, open: make(chan struct{})}
}

// dial opens a connection behind the gate. Marks go over one connection alone.
func (g *gate) dial(ctx context.Context, addr string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &gatedConn{Conn: conn, g: g, closed: make(chan struct{})}, nil
}

// wrote counts the marks in what is written, also when they come in parts.
func (g *gate) wrote(p []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.seen
	g.written = append(g.written, p...)
	g.seen += bytes.Count(g.written, g.mark)
	if end := bytes.LastIndex(g.written, g.mark); end >= 0 {
		g.written = g.written[end+len(g.mark):]
	}
	g.written = g.written[max(0, len(g.written)-len(g.mark)):]
	if before < g.marks && g.seen >= g.marks {
		close(g.open)
	}
}

// isHolding says whether some marks were written, but not all.
func (g *gate) isHolding() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen > 0 && g.seen < g.marks
}

// isOpen says whether all marks were written.
func (g *gate) isOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen >= g.marks
}

type gatedConn struct {
	net.Conn
	g      *gate
	once   sync.Once
	closed chan struct{}
}

func (c *gatedConn) Write(p []byte) (int, error) {
	c.g.wrote(p) // first: nobody may have the answer before it is known
	return c.Conn.Write(p)
}

func (c *gatedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.g.isHolding() {
		select {
		case <-c.g.open:
		case <-c.closed:
		}
	}
	return n, err
}

func (c *gatedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// TestCommandsWaitForNoReply: Redis has five hundred commands to another server, the bound of one pipeline, before it
// answers the first of them.
func TestCommandsWaitForNoReply(t *testing.T) {
	const groups = 500
	r, g := startRedis(t), newGate("held back ", groups)
	b := newBackplaneOn(t, rueidis.ClientOption{InitAddress: []string{r.Addr}, DialCtxFn: g.dial}, nil)
	one, two := newNodeWith(t, b, both()), newNode(t, r, nil)
	connected(one, two)
	a := two.connectJSON("a")
	names := make([]string, groups)
	for i := range names {
		names[i] = fmt.Sprint("held back ", i)
	}
	if err := one.hub.Groups().AddAll(one.ctx(), a.id, names...); err != nil {
		t.Fatal(err)
	}
	if !g.isOpen() {
		t.Error("an answer was waited for before all commands were there")
	}
	two.send(two.hub.Clients().Group(names[groups-1]), "x")
	a.gets("x")
}

// TestJoinsElsewhereArePipelined: joining ten thousand groups for a connection elsewhere asks once whether it exists, and
// its server subscribes to many at once.
func TestJoinsElsewhereArePipelined(t *testing.T) {
	r := startRedis(t)
	one, two := newNode(t, r, nil), newNode(t, r, nil)
	connected(one, two)
	admin := r.client()
	a := two.connectJSON("a")
	const groups = 10_000
	names := make([]string, groups)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	before := commandCalls(t, admin, "subscribe")
	if err := one.hub.Groups().AddAll(one.ctx(), a.id, names...); err != nil {
		t.Fatal(err)
	}
	calls, asked := commandCalls(t, admin, "subscribe")-before, commandCalls(t, admin, "pubsub|numsub")
	t.Logf("AddAll of %d groups for a connection elsewhere: %d SUBSCRIBEs", groups, calls)
	if calls > groups/10 { // few dozen, unless the machine has no time for the servers
		t.Errorf("%d groups took %d SUBSCRIBEs", groups, calls)
	}
	if asked != 1 {
		t.Errorf("it was asked %d times whether the connection exists", asked)
	}
}
