package farm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/e2e/rawclient"
	"signalbox/signalr/transport"
)

// patience bounds waits for what must come, on a machine that has other things to do.
const patience = 30 * time.Second

// startFarm starts a farm that ends with the test, and must end without an error.
func startFarm(t *testing.T, env ...string) *Farm {
	t.Helper()
	if hostErr != nil {
		t.Skip(hostErr)
	}
	var log bytes.Buffer
	f, err := Start(t.Context(), Options{Program: []string{host}, Env: env, Output: &log})
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("ending the farm: %v", err)
		}
		if t.Failed() {
			t.Logf("the nodes:\n%s", &log)
		}
	})
	return f
}

// member is a client that keeps what it receives.
type member struct {
	*rawclient.Client
	kind transport.Type
	user string

	inbox *inbox
}

// home is the name of the node that negotiated: long polling and server-sent events live there.
func (m *member) home() string { return m.Negotiated.Get(NodeHeader) }

// via is the name of the node that the transport was opened at: WebSockets live there, event streams pass it.
func (m *member) via() string { return m.Connected.Get(NodeHeader) }

// needs says whether the connection cannot outlive a node. One on long polling may also end because the poll that waits
// passes the node, which nobody knows beforehand.
func (m *member) needs(node string) bool {
	switch m.kind {
	case transport.WebSockets:
		return m.via() == node
	case transport.ServerSentEvents:
		return m.via() == node || m.home() == node
	default:
		return m.home() == node
	}
}

// inbox is what was received: how often each text.
type inbox struct {
	mu    sync.Mutex
	texts map[string]int
}

func (i *inbox) add(text string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.texts[text]++
}

func (i *inbox) count(text string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.texts[text]
}

var kinds = []transport.Type{transport.WebSockets, transport.ServerSentEvents, transport.LongPolling}

// crowd are clients of one farm.
type crowd struct {
	t    *testing.T
	farm *Farm
	http *http.Client

	mu      sync.Mutex
	members []*member
}

// newCrowd connects n clients, of all transports in turn. Each is one of ten users and in one of ten groups. They leave
// before the farm ends.
func newCrowd(t *testing.T, f *Farm, n int) *crowd {
	t.Helper()
	c := &crowd{t: t, farm: f, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
	t.Cleanup(c.leave)
	c.each(n, func(i int) error {
		m, err := c.connect(kinds[i%len(kinds)], fmt.Sprintf("user%d", i%10))
		if err != nil {
			return err
		}
		return c.join(m)
	})
	return c
}

// each runs f for 0 to n-1 at the same time, but not all of them, and fails the test with their errors.
func (c *crowd) each(n int, f func(i int) error) {
	c.t.Helper()
	var wg sync.WaitGroup
	turns, errs := make(chan struct{}, 16), make([]error, n)
	for i := range n {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			errs[i] = f(i)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crowd) connect(kind transport.Type, user string) (*member, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	m := &member{kind: kind, user: user, inbox: &inbox{texts: make(map[string]int)}}
	var err error
	m.Client, err = rawclient.Dial(ctx, c.farm.URL()+"/hub", kind, rawclient.Options{
		HTTP: c.http, User: user, OnReceive: m.inbox.add,
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.members = append(c.members, m)
	c.mu.Unlock()
	return m, nil
}

// group is the one that a member is in.
func (m *member) group() string { return strings.Replace(m.user, "user", "group", 1) }

func (c *crowd) join(m *member) error { return c.call(m, "JoinGroup", m.group()) }

// call invokes a method that returns nothing of interest.
func (c *crowd) call(m *member, method string, args ...any) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	_, err := m.Call(ctx, method, args...)
	if err != nil {
		return fmt.Errorf("%v of node %s through %s: %w", m.kind, m.home(), m.via(), err)
	}
	return nil
}

// echo checks that a connection works.
func (c *crowd) echo(m *member) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	answer, err := m.Call(ctx, "Echo", "hello")
	if err != nil {
		return fmt.Errorf("%v of node %s through %s: %w", m.kind, m.home(), m.via(), err)
	}
	var text string
	if err := json.Unmarshal(answer, &text); err != nil || text != "hello" {
		return fmt.Errorf("echo of hello: %s", answer)
	}
	return nil
}

// split returns the members that need a node, and the others.
func (c *crowd) split(node string) (need, others []*member) {
	for _, m := range c.members {
		if m.needs(node) {
			need = append(need, m)
		} else {
			others = append(others, m)
		}
	}
	return need, others
}

// pollPassed says whether a connection on long polling has ended because its poll was at a node that the balancer left
// out.
func (m *member) pollPassed() bool {
	status, ok := errors.AsType[*rawclient.StatusError](m.Err())
	return ok && m.kind == transport.LongPolling && status.Status == http.StatusBadGateway
}

// leftOut waits until the balancer sends nothing to a node any more.
func (c *crowd) leftOut(n *Node) {
	c.t.Helper()
	await(c.t, "node "+n.Name+" is left out", func() bool {
		for _, b := range c.farm.proxy.backends {
			if b.node == n {
				return b.state().Err() != nil
			}
		}
		return false
	})
}

// push sends to all from outside the hub, and waits until each of the members has it, once.
func (c *crowd) push(text string, members []*member) {
	c.t.Helper()
	resp, err := c.http.PostForm(c.farm.URL()+"/push", url.Values{"m": {text}})
	if err != nil {
		c.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		c.t.Fatalf("push: %s", resp.Status)
	}
	c.allHave(text, members)
}

func (c *crowd) allHave(text string, members []*member) {
	c.t.Helper()
	for _, m := range members {
		await(c.t, fmt.Sprintf("%q reaches %v of node %s through %s", text, m.kind, m.home(), m.via()), func() bool {
			return m.inbox.count(text) > 0 || m.Err() != nil
		})
		if n := m.inbox.count(text); n != 1 {
			c.t.Errorf("%v of node %s through %s has %d of %q, err %v", m.kind, m.home(), m.via(), n, text, m.Err())
		}
	}
}

// leave ends all connections.
func (c *crowd) leave() {
	var wg sync.WaitGroup
	for _, m := range c.members {
		wg.Go(m.Close)
	}
	wg.Wait()
	c.members = nil
	c.http.CloseIdleConnections()
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if err := holdsSoon(what, holds); err != nil {
		t.Fatal(err)
	}
}

// holdsSoon is await for goroutines other than the test's own.
func holdsSoon(what string, holds func() bool) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			return fmt.Errorf("it never happened: %s", what)
		}
	}
	return nil
}

// subscriptions returns the channels of groups, users and connections that some node hears.
func subscriptions(t *testing.T, r *Redis) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	all, err := r.Channels(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var some []string
	for _, name := range all {
		for _, kind := range []string{":group:", ":user:", ":connection:"} {
			if strings.Contains(name, kind) {
				some = append(some, name)
			}
		}
	}
	return some
}
