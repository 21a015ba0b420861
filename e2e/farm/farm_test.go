package farm

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/e2e/rawclient"
)

// TestKilledNode: who needs the node that is killed is cut at once and back soon, the others notice nothing, and what
// the dead were subscribed to is forgotten.
func TestKilledNode(t *testing.T) {
	f := startFarm(t)
	before := channels(t, f)
	c := newCrowd(t, f, *clients)
	c.push("before", c.members)
	dead := f.Nodes()[1]
	need, others := c.split(dead.Name)
	if len(need) == 0 || len(others) == 0 {
		t.Fatalf("%d clients need node %s, %d do not", len(need), dead.Name, len(others))
	}

	killed := time.Now()
	dead.Kill()
	c.leftOut(dead)
	back := make([]*member, len(need))
	c.each(len(need), func(i int) error {
		old := need[i]
		select {
		case <-old.Done():
		case <-time.After(patience):
			return fmt.Errorf("%v of node %s through %s was not cut", old.kind, old.home(), old.via())
		}
		m, err := c.connect(old.kind, old.user)
		if err != nil {
			return fmt.Errorf("reconnecting: %w", err)
		}
		back[i] = m
		return nil
	})
	took := time.Since(killed)
	t.Logf("%d of %d clients were cut, and back after %v", len(need), *clients, took)
	if limit := 5 * time.Second; took > limit {
		t.Errorf("the clients took %v to come back, want less than %v", took, limit)
	}
	passed := c.stillThere(others)
	t.Logf("%d of the %d others had their poll there", passed, len(others))
	c.each(len(back), func(i int) error { return c.join(back[i]) })
	alive := append(back, others...)
	c.push("after", alive)
	for i, m := range alive[:min(10, len(alive))] {
		text := fmt.Sprint("to a group ", i)
		if err := c.call(m, "SendToGroup", m.group(), text); err != nil {
			t.Error(err)
		}
		var group []*member
		for _, other := range alive {
			if other.group() == m.group() {
				group = append(group, other)
			}
		}
		c.allHave(text, group)
	}
	if n := len(subscriptions(t, f.Redis())); n < len(alive) {
		t.Errorf("%d connections have %d subscriptions", len(alive), n)
	}
	c.leave()
	await(t, "nothing is subscribed to any more", func() bool { return len(subscriptions(t, f.Redis())) == 0 })
	// The dead node's own channels went with it: two of them name it.
	after := channels(t, f)
	if len(after) >= len(before) {
		t.Errorf("channels before and after the death of a node:\n%s", cmp.Diff(before, after))
	}
	known := make(map[string]bool)
	for _, name := range before {
		known[name] = true
	}
	for _, name := range after {
		if !known[name] {
			t.Errorf("channel %q is left", name)
		}
	}
}

// stillThere checks that members work who do not need a node that is left out. Those whose poll was there connect anew;
// it returns how many.
func (c *crowd) stillThere(members []*member) (passed int) {
	var mu sync.Mutex
	c.each(len(members), func(i int) error {
		m := members[i]
		err := c.echo(m)
		if err == nil || !m.pollPassed() {
			return err
		}
		m.Close() // else it is missed after some time only
		again, err := c.connect(m.kind, m.user)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		members[i] = again
		passed++
		return c.join(again)
	})
	return passed
}

func channels(t *testing.T, f *Farm) []string {
	t.Helper()
	names, err := f.Redis().Channels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestRedisOutage: while Redis is away no connection drops and no send is lost silently on its own node, and when it is
// back, empty, everything is as before without anybody reconnecting.
func TestRedisOutage(t *testing.T) {
	f := startFarm(t)
	c := newCrowd(t, f, *clients)
	c.push("before", c.members)

	f.Redis().Stop()
	over := time.Now().Add(*outage)
	var mu sync.Mutex
	told, failed, delivered := 0, 0, 0
	c.each(12, func(i int) error { // as many as each takes its turn at once
		m := c.members[i]
		for n := 0; time.Now().Before(over); n++ {
			text := fmt.Sprintf("away %d %d", i, n)
			err := c.call(m, "Broadcast", text)
			mu.Lock()
			told++
			if err != nil {
				failed++
			}
			mu.Unlock()
			if err := m.Err(); err != nil {
				return fmt.Errorf("%v of node %s through %s: %w", m.kind, m.home(), m.via(), err)
			}
			if err == nil { // it went to Redis and was heard by all, so by its own node, too
				if err := holdsSoon("a send that succeeded arrives", func() bool { return m.inbox.count(text) > 0 }); err != nil {
					return err
				}
			}
			mu.Lock()
			delivered += m.inbox.count(text)
			mu.Unlock()
			if err := c.echo(m); err != nil {
				return err
			}
			pause(t, time.Duration(*clients)*time.Millisecond/2) // each send is one for each client of the node
		}
		return nil
	})
	t.Logf("%d sends in %v without Redis: %d with an error, %d delivered on their own node", told, *outage, failed, delivered)
	if failed == 0 || delivered == 0 {
		t.Errorf("of %d sends without Redis %d had an error and %d were delivered, want some of both", told, failed, delivered)
	}

	if err := f.Redis().Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Healthy nodes hear each other: a text comes to all members from each node.
	for _, n := range f.Nodes() {
		i := 0
		await(t, "node "+n.Name+" reaches all again", func() bool {
			i++
			text := fmt.Sprintf("back %s %d", n.Name, i)
			resp, err := http.PostForm("http://"+n.Host+"/push", map[string][]string{"m": {text}})
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return false
			}
			pause(t, 100*time.Millisecond)
			for _, m := range c.members {
				if m.inbox.count(text) != 1 {
					return false
				}
			}
			return true
		})
	}
	c.each(len(c.members), func(i int) error { return c.echo(c.members[i]) })
	for g := range 10 {
		text := fmt.Sprint("to group ", g)
		if err := c.call(c.members[g], "SendToGroup", c.members[g].group(), text); err != nil {
			t.Error(err)
		}
		var group []*member
		for _, m := range c.members {
			if m.group() == c.members[g].group() {
				group = append(group, m)
			}
		}
		c.allHave(text, group)
	}
	c.leave()
	await(t, "nothing is subscribed to any more", func() bool { return len(subscriptions(t, f.Redis())) == 0 })
}

// pause waits for a moment in which nothing is to be seen.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// TestPausedNode: requests for connections of a node that hangs end with 404, and do not hang the others.
func TestPausedNode(t *testing.T) {
	f := startFarm(t)
	c := newCrowd(t, f, min(*clients, 30))
	hung := f.Nodes()[2]
	need, others := c.split(hung.Name)

	if err := hung.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hung.Resume)
	// A WebSocket of another node needs no further request: it goes on all the while.
	over := make(chan struct{})
	var meanwhile sync.WaitGroup
	finish := sync.OnceFunc(func() {
		close(over)
		meanwhile.Wait()
	})
	defer finish()
	for _, m := range others {
		if m.kind != kinds[0] {
			continue
		}
		meanwhile.Go(func() {
			calls := 0
			defer func() { t.Logf("meanwhile a WebSocket of node %s was used %d times", m.via(), calls) }()
			for ; ; calls++ {
				select {
				case <-over:
					return
				case <-time.After(20 * time.Millisecond):
				}
				if err := c.echo(m); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	// Requests that reach another node end.
	started := time.Now()
	c.each(len(need), func(i int) error {
		m := need[i]
		if m.home() != hung.Name {
			return nil
		}
		at := strings.Replace(m.URL, f.URL(), "http://"+f.Nodes()[i%2].Host, 1)
		status, err := m.Post(t.Context(), at)
		if status != http.StatusNotFound {
			return fmt.Errorf("a request for a connection of a node that hangs was answered with %d, error %v", status, err)
		}
		return nil
	})
	t.Logf("requests for connections of the node that hangs ended after %v", time.Since(started))
	finish()
	for _, m := range need {
		select {
		case <-m.Done():
		case <-time.After(patience):
			t.Fatalf("%v of node %s through %s hangs", m.kind, m.home(), m.via())
		}
		status, ok := errors.AsType[*rawclient.StatusError](m.Err())
		if m.kind == kinds[2] && !m.pollPassed() && (!ok || status.Status != http.StatusNotFound) {
			t.Errorf("a poll of the node that hangs: %v, want 404", m.Err())
		}
	}
	c.leftOut(hung)
	t.Logf("%d of the %d others had their poll there", c.stillThere(others), len(others))

	hung.Resume()
	for _, b := range f.proxy.backends {
		await(t, "the balancer uses node "+b.node.Name, func() bool { return b.state().Err() == nil })
	}
	again, err := rawclient.Dial(t.Context(), "http://"+hung.Host+"/hub", kinds[2], rawclient.Options{HTTP: c.http})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.Call(t.Context(), "Echo", "hello"); err != nil {
		t.Error(err)
	}
}
