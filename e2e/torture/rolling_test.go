//go:build unix

package torture

import (
	"fmt"
	"slices"
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
	// The last server has three quarters of the clients, for those of two others have come to it, and passes on streams.
	least := time.Duration(p.clients) * time.Second / time.Duration(pace)
	f := startFarm(t, p.nodes, (p.clients+1)/2, "--drain-rate", fmt.Sprint(pace), "--drain-delay", "1s",
		"--drain-timeout", (2*least + 30*time.Second).String())
	r := p.begin(t, f)
	before := len(r.clients.comebacks())
	r.clients.lateness() // of connecting all of them
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
	late := max(clients.lateness(), leastLate)
	v, events := r.end()
	comebacks := clients.comebacks()[before:]
	var lost, back []time.Time
	var slowest time.Duration
	for _, c := range comebacks {
		lost, back = append(lost, c.lost), append(back, c.back)
		slowest = max(slowest, c.back.Sub(c.lost))
	}
	slices.SortFunc(lost, time.Time.Compare)
	perSecond := func(times []time.Time) float64 { return float64(busiest(times, paceWindow)) / paceWindow.Seconds() }
	t.Logf("%d clients had to go, at most %.1f a second within %v, and came back after %.2fs at most, %.1f a second",
		len(lost), perSecond(lost), paceWindow, slowest.Seconds(), perSecond(back))
	t.Logf("what they tell came up to %v late", late.Round(time.Millisecond))
	fmt.Println(v)
	if v.lost+v.doubled+v.outOfOrder > 0 || v.accepted == 0 {
		t.Errorf("%s; again with -seed %d", v, p.seed)
	}
	if n := events["gave up"]; n > 0 {
		t.Errorf("%d clients gave up", n)
	}
	if len(lost) < p.clients {
		t.Errorf("%d of %d clients came back: not all of them had to go", len(lost), p.clients)
	}
	// How long each takes to come back is for the machine; that no more have to than the pace says is for the servers.
	if limit := mostWithin(pace, paceWindow+late); busiest(lost, paceWindow) > limit {
		t.Errorf("%d clients had to go within %v, want at most %d at a pace of %d a second",
			busiest(lost, paceWindow), paceWindow, limit, pace)
	}
}

const (
	// paceWindow is the time over which the pace is looked at.
	paceWindow = 5 * time.Second
	// leastLate is how much later some clients notice than others that they are to go, if nothing holds them up.
	leastLate = 250 * time.Millisecond
	// longestBatch is the longest time between two batches of a draining server, for which the second of them makes up.
	longestBatch = 150 * time.Millisecond
)

// mostWithin is how many connections a draining server ends within a time at most.
func mostWithin(pace int, window time.Duration) int {
	return int(float64(pace)*(window+longestBatch).Seconds()) + 1
}

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
