//go:build unix

package torture

import (
	"fmt"
	"testing"
	"time"
)

// mostOfficial is how many official clients there are at most while servers are restarted: one Node.js process hardly
// carries more on a small machine.
const mostOfficial = 200

// TestRollingRestart restarts one server after the other under clients that reconnect as the official one does by
// default: a third of them are the official one, up to mostOfficial. They come back to the other servers at the pace at
// which they are asked to go. None gives up, and nothing is lost.
func TestRollingRestart(t *testing.T) {
	needNode(t)
	pace := max(2, *rolling/50) // connections in a second
	official := min(max(1, *rolling/3), mostOfficial)
	p := plan{
		clients: *rolling, raw: *rolling - official, rate: 20, nodes: 3, seed: runSeed(), sabotage: spoil, stock: true,
	}
	t.Logf("%d servers, %d clients, %d of them the official one, asked to go %d in a second; again with -seed %d",
		p.nodes, p.clients, official, pace, p.seed)
	// A server has two thirds of the clients at the worst: those of another one have come to it.
	least := time.Duration(p.clients) * time.Second / time.Duration(pace)
	f := startFarm(t, p.nodes, (p.clients+1)/2, "--drain-rate", fmt.Sprint(pace), "--drain-delay", "1s",
		"--drain-timeout", (2*least + 30*time.Second).String())
	r := p.begin(t, f)
	before := len(r.clients.times())
	for _, n := range f.nodes {
		began := time.Now()
		if err := n.stop(2*least + stopLimit); err != nil {
			t.Fatal(err)
		}
		ended := time.Since(began)
		if err := n.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("server %s: SIGTERM, ended after %.2fs, ready after %.2fs", n.name, ended.Seconds(), time.Since(began).Seconds())
	}
	clients := r.clients
	v, events := r.end()
	times := clients.times()[before:]
	most := busiest(times, paceWindow)
	t.Logf("%d came back: at most %d within a second, and %.1f a second within %v",
		len(times), busiest(times, time.Second), float64(most)/paceWindow.Seconds(), paceWindow)
	fmt.Println(v)
	if v.lost+v.doubled+v.outOfOrder > 0 || v.accepted == 0 {
		t.Errorf("%s; again with -seed %d", v, p.seed)
	}
	if n := events["gave up"]; n > 0 {
		t.Errorf("%d clients gave up", n)
	}
	if len(times) < p.clients {
		t.Errorf("%d of %d clients came back: not all of them had to go", len(times), p.clients)
	}
	// Servers keep the pace by batches, which are jittered; where there is much to do clients come late and together.
	if limit := paceSlack * float64(pace) * paceWindow.Seconds(); float64(most) > limit {
		t.Errorf("%d clients connected within %v, at a pace of %d a second", most, paceWindow, pace)
	}
}

const (
	// paceWindow is the time over which the pace is looked at, and paceSlack how much faster than asked clients may come
	// within it.
	paceWindow = 5 * time.Second
	paceSlack  = 1.5
)

// busiest is how many of times, which are sorted, are within one window at most.
func busiest(times []time.Time, window time.Duration) int {
	peak, first := 0, 0
	for i, at := range times {
		for at.Sub(times[first]) > window {
			first++
		}
		peak = max(peak, i-first+1)
	}
	return peak
}
