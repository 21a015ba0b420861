//go:build unix

package torture

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// plan is what a run is to do.
type plan struct {
	duration             time.Duration
	kills, clients, rate int
	raw                  int // of the clients: how many are not the official one, which needs much more of a machine
	nodes                int
	outage               time.Duration // 0: no server is paused, and Redis stays
	seed                 uint64
	sabotage             sabotage
	stock                bool // clients reconnect as the client library does by default, and give up as it does
}

// dropped is how many notifications will never be shown: waiting for them would be in vain.
func (p plan) dropped() int {
	if p.sabotage == "drop" {
		return 1
	}
	return 0
}

const (
	// settleLimit bounds how long clients may take to show what they lack when all is mended.
	settleLimit = 2 * time.Minute
	// quietLimit is when what is missing is lost: nobody has shown anything for so long.
	quietLimit = 30 * time.Second
	// lastOutage is how long notifications are published while Redis is away, at the end.
	lastOutage = time.Second
	// mostComplaints is how many are told in full.
	mostComplaints = 20
)

// trial is a run that has begun: clients are connected, and notifications are being published.
type trial struct {
	plan
	t       *testing.T
	farm    *farm
	clients *crowd
	back    *publisher

	began   time.Time
	publish sync.WaitGroup
	enough  context.CancelFunc // no more is published
	took    time.Duration      // while that was done
}

// begin connects clients, and begins to publish when all of them are there.
func (p plan) begin(t *testing.T, f *farm) *trial {
	t.Helper()
	clients, err := startCrowd(f.url, p, f.clients(p.clients))
	if err != nil {
		t.Fatal(err)
	}
	r := &trial{plan: p, t: t, farm: f, clients: clients, back: newPublisher(f.url, f.key, f.users, p.seed)}
	t.Cleanup(func() {
		if r.clients != nil { // the test has failed
			_ = r.clients.stop()
		}
	})
	if !waitUntil(t.Context(), startLimit, func() bool { return clients.connected() == p.clients }) {
		t.Fatalf("%d of %d clients are connected after %v\n%s", clients.connected(), p.clients, startLimit, &clients.log)
	}
	publishing, enough := context.WithCancel(t.Context())
	r.began, r.enough = time.Now(), enough
	r.publish.Go(func() { r.back.run(publishing, p.rate) })
	t.Cleanup(r.publish.Wait)
	t.Cleanup(enough)
	return r
}

// publishNoMore returns when all that was begun is answered or given up. It may be called again.
func (r *trial) publishNoMore() {
	r.enough()
	if r.took == 0 {
		r.took = time.Since(r.began)
	}
	r.publish.Wait()
}

// end publishes no more, waits until the clients have shown what there is, and judges it. It also returns how often what
// has happened to the clients.
func (r *trial) end() (verdict, map[string]int) {
	r.t.Helper()
	r.publishNoMore()
	for _, err := range r.back.refused {
		r.t.Errorf("refused: %v", err)
	}
	h := history{publishes: r.back.publishes, stored: r.settle()}
	clients := r.clients
	r.clients = nil
	if err := clients.stop(); err != nil {
		r.t.Error(err)
	}
	var events map[string]int
	h.views, events = clients.result()
	v := h.judge()
	for i, text := range v.complaints {
		if i == mostComplaints {
			r.t.Logf("%d more", len(v.complaints)-i)
			break
		}
		r.t.Log(text)
	}
	r.t.Logf("%.0f requests a second were begun, %d attempts repeated, %d requests left without an answer",
		float64(len(h.publishes))/r.took.Seconds(), r.back.repeated, len(h.publishes)-v.accepted)
	var counts []string
	for _, name := range slices.Sorted(maps.Keys(events)) {
		counts = append(counts, fmt.Sprintf("%s %d", name, events[name]))
	}
	r.t.Logf("the clients: %s", strings.Join(counts, ", "))
	if events["threw"] > 0 {
		r.t.Logf("%s", &clients.log)
	}
	if events["live"] == 0 {
		r.t.Error("nothing has come live")
	}
	return v, events
}

// run runs servers, clients and a publisher, disturbs them, and judges what has come of it.
func (p plan) run(t *testing.T) verdict {
	t.Helper()
	t.Logf("%d servers, %d clients, %d requests a second for %v, %d kills; again with -seed %d",
		p.nodes, p.clients, p.rate, p.duration, p.kills, p.seed)
	f := startFarm(t, p.nodes, (p.clients+1)/2)
	r := p.begin(t, f)
	servers, services := disturbances(f, p, rand.New(rand.NewPCG(p.seed, 0)))
	if err := disturb(t, servers, services); err != nil {
		t.Fatal(err)
	}
	pause(t.Context(), p.duration-time.Since(r.began))
	if f.redis != nil && p.outage > 0 {
		// What comes last is stored while Redis is away: no later one tells the clients that they lack something.
		f.redis.Stop()
		pause(t.Context(), lastOutage)
		r.publishNoMore()
		f.redis.Start()
		if err := f.ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	v, _ := r.end()
	return v
}

// settle waits until every client has shown what is stored, or nobody shows anything any more, and returns what is
// stored then: what was not answered may come late.
func (r *trial) settle() map[string][]entry {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), settleLimit)
	defer cancel()
	for before := map[string][]entry(nil); ; {
		stored, err := r.back.stored(ctx)
		if err != nil {
			r.t.Fatal(err)
		}
		if before != nil && cmp.Equal(before, stored) {
			return stored
		}
		before = stored
		if !waitUntil(ctx, settleLimit, func() bool {
			missing, quiet := r.clients.missing(stored)
			return missing <= r.dropped() || quiet > quietLimit
		}) {
			r.t.Logf("the clients are not done after %v", settleLimit)
			return stored
		}
	}
}

// TestTorture lets servers fail in the middle of their work: nothing accepted may be lost, shown twice or out of order.
func TestTorture(t *testing.T) {
	needNode(t)
	p := plan{
		duration: *duration, kills: *kills, clients: *crowdSize, rate: *rate, nodes: *nodes, outage: *outage,
		seed: runSeed(), sabotage: spoil,
	}
	v := p.run(t)
	fmt.Println(v)
	if v.lost+v.doubled+v.outOfOrder > 0 {
		t.Errorf("%s; again with -seed %d", v, p.seed)
	}
	if v.accepted == 0 {
		t.Error("nothing was accepted")
	}
}

// TestSabotage has a client show what it should not: the checker finds just that.
func TestSabotage(t *testing.T) {
	needNode(t)
	for kind, want := range map[sabotage]verdict{
		"drop": {lost: 1}, "double": {doubled: 1}, "swap": {outOfOrder: 1},
	} {
		t.Run(string(kind), func(t *testing.T) {
			p := plan{duration: 2 * time.Second, clients: 2, rate: 20, nodes: 1, seed: 1, sabotage: kind}
			v := p.run(t)
			if want.accepted = v.accepted; v.accepted < 4 || v.String() != want.String() {
				t.Errorf("got %s\nwant %s, of at least 4", v, want)
			}
		})
	}
}
