//go:build unix

package torture

import (
	"fmt"
	"testing"
	"time"
)

// TestRollingRestart restarts one server after the other under stock clients, which come back to the other servers: at the
// pace at which they are asked to go. None gives up, and nothing is lost.
func TestRollingRestart(t *testing.T) {
	if *rolling == 0 {
		t.Skip("make torture runs it, with -rolling")
	}
	needNode(t)
	const pace = 40 // connections in a second
	p := plan{clients: *rolling, rate: 20, nodes: 3, seed: runSeed(), sabotage: spoil, stock: true}
	t.Logf("%d servers, %d stock clients, asked to go %d in a second; again with -seed %d", p.nodes, p.clients, pace, p.seed)
	// A server has two thirds of the clients at the worst: those of another one have come to it.
	least := time.Duration(p.clients) * time.Second / pace
	f := startFarm(t, p.nodes, (p.clients+1)/2, "--drain-rate", fmt.Sprint(pace), "--drain-delay", "2s",
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
	peak := busiestSecond(times)
	t.Logf("%d came back, at most %d of them within a second", len(times), peak)
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
	// Batches are jittered, and where there is much to do they come late and together.
	if peak > 2*pace {
		t.Errorf("%d clients connected within a second, at a pace of %d", peak, pace)
	}
}

// busiestSecond is how many of times, which are sorted, are within one second at most.
func busiestSecond(times []time.Time) int {
	peak, first := 0, 0
	for i, at := range times {
		for at.Sub(times[first]) > time.Second {
			first++
		}
		peak = max(peak, i-first+1)
	}
	return peak
}
