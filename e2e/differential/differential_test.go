package differential_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"signalbox/e2e/hosttest"
	"signalbox/e2e/wire"
)

// Options of the servers that scripts are played on.
const (
	hostDefault  = ""
	hostDetailed = "DETAILED=1"
	hostParallel = "PARALLEL=4"
	hostStateful = "STATEFUL=1"
)

// generators make scripts; the weight says how often each is used.
func generators() []generator {
	return []generator{
		{"calls", 20, callScript}, {"batch", 8, batchScript}, {"slow", 2, slowScript}, {"negotiate", 8, negotiateScript},
		{"handshake", 10, handshakeScript}, {"auth", 4, authScript}, {"echo", 3, echoScript}, {"requests", 6, requestScript},
		{"polls", 6, pollScript}, {"chunked", 2, chunkedScript}, {"upgrade", 3, upgradeScript}, {"malformed", 14, malformedScript},
		{"arguments", 4, brokenArgumentScript}, {"size", 3, sizeScript}, {"garbage", 3, garbageScript}, {"frames", 7, frameScript},
		{"streams", 8, streamScript}, {"cancel", 4, cancelScript}, {"uploads", 9, uploadScript}, {"results", 4, resultScript},
		{"sends", 8, sendScript}, {"broadcast", 1, broadcastScript}, {"abort", 3, abortScript}, {"stateful", 4, statefulScript},
	}
}

type generator struct {
	family string
	weight int
	make   func(*script)
}

// newScript makes the script of an exchange, which depends on the seed and its number alone.
func newScript(seed uint64, number int) *script {
	s := &script{
		Rand: rand.New(rand.NewPCG(seed, uint64(number))), mark: fmt.Sprintf("m%dn%d", seed, number),
		kinds: map[string]string{}, counts: map[string]int{},
	}
	all := generators()
	total := 0
	for _, g := range all {
		total += g.weight
	}
	at := s.IntN(total)
	for _, g := range all {
		if at -= g.weight; at < 0 {
			s.family = g.family
			if s.chance(3) {
				s.host = hostDetailed
			}
			g.make(s)
			break
		}
	}
	return s
}

// TestDifferential plays exchanges on ASP.NET Core and on our reference host and compares what they answer.
func TestDifferential(t *testing.T) {
	reference := hosttest.Reference()
	if len(reference) == 0 {
		t.Skipf("%s does not name the start command of ASP.NET Core's server, and there is nothing else to compare with", hosttest.ReferenceVariable)
	}
	program, err := hosttest.Build(buildDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d, %d exchanges", *seed, *exchanges)
	scripts := scriptsToPlay()
	pairs := map[string]*pair{}
	for _, s := range scripts {
		if pairs[s.host] == nil {
			pairs[s.host] = startPair(t, reference, []string{program}, s.host)
		}
	}
	warmUp(t, pairs)
	r := &results{known: map[string]int{}, families: map[string]int{}}
	queue := make(chan *script)
	var players sync.WaitGroup
	for range *workers {
		players.Go(func() {
			for s := range queue {
				playScript(t, pairs[s.host], s, r)
			}
		})
	}
	for _, s := range scripts {
		queue <- s
	}
	close(queue)
	players.Wait()
	t.Log(r)
	if most := max(3, len(scripts)/100); len(r.unsteady) > most {
		t.Errorf("%d differences were seen once only: more than a busy machine explains", len(r.unsteady))
	}
}

// TestKnownDifferences checks that docs/differences.md names each difference that is excused.
func TestKnownDifferences(t *testing.T) {
	page, err := os.ReadFile("../../docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range knownDifferences() {
		if (k.row == "") == (k.open == "") || !strings.Contains(string(page), "\n| "+k.row) {
			t.Errorf("%s: docs/differences.md has no row %q", k.name, k.row)
		}
	}
}

// warmUp plays some scripts whose answers count for nothing: a server that has just started is slow.
func warmUp(t *testing.T, pairs map[string]*pair) {
	t.Helper()
	var players sync.WaitGroup
	for host, p := range pairs {
		for i := range 8 {
			s := newScript(*seed+1, i)
			s.host = host
			players.Go(func() {
				if _, _, _, err := p.play(t.Context(), s, slowly); err != nil {
					t.Errorf("warming up: %v", err)
				}
			})
		}
	}
	players.Wait()
}

// scriptsToPlay returns the scripts that the flags ask for.
func scriptsToPlay() []*script {
	if *only >= 0 {
		s := newScript(*seed, *only)
		s.number = *only
		return []*script{s}
	}
	var scripts []*script
	for i := range *exchanges {
		if s := newScript(*seed, i); *families == "" || s.family == *families {
			s.number = i
			scripts = append(scripts, s)
		}
	}
	// Those that must be alone come last, so that nothing waits for them.
	slices.SortStableFunc(scripts, func(a, b *script) int { return strings.Compare(fmt.Sprint(a.alone), fmt.Sprint(b.alone)) })
	return scripts
}

// startPair starts both servers with the same options.
func startPair(t *testing.T, reference, ours []string, options string) *pair {
	t.Helper()
	ref, err := hosttest.Start(t, reference, options, false)
	if err != nil {
		t.Fatalf("the reference: %v", err)
	}
	address, err := hosttest.Start(t, ours, strings.TrimSpace(options+" PROTOCOLS=json"), true)
	if err != nil {
		t.Fatalf("our server: %v", err)
	}
	return &pair{ref: &wire.Replayer{Address: ref}, ours: &wire.Replayer{Address: address}}
}

// results counts what was played. Its fields are guarded by mu.
type results struct {
	mu              sync.Mutex
	played, answers int
	failures        int
	known, families map[string]int
	// unsteady are differences that were not there when the exchange was played again.
	unsteady []string
}

// playScript plays one script and reports what cannot be explained.
func playScript(t *testing.T, p *pair, s *script, r *results) {
	ref, ours, diff, err := p.play(t.Context(), s, quickly)
	suspect := diff != nil && explain(knownDifferences(), s, ref, diff) == nil
	unsteady := false
	for again := 0; suspect && !unsteady && err == nil && again < 2; again++ { // more looks tell a difference from a delay
		var d *difference
		if ref, ours, d, err = p.play(t.Context(), s, slowly); d == nil {
			unsteady = err == nil
		} else {
			diff = d
		}
	}
	if err != nil {
		t.Errorf("exchange %d of seed %d (%s): %v\n%s", s.number, *seed, s.family, err, s)
		return
	}
	var excuse *known
	if diff != nil && !unsteady {
		excuse = explain(knownDifferences(), s, ref, diff)
	}
	r.mu.Lock()
	r.played++
	r.families[s.family]++
	for _, step := range ref {
		if step.Sign == '<' {
			r.answers++
		}
	}
	if excuse != nil {
		r.known[excuse.name]++
	}
	if unsteady {
		r.unsteady = append(r.unsteady, fmt.Sprintf("%d (%s, options %q): %v", s.number, s.family, s.host, diff))
	}
	failed := diff != nil && excuse == nil && !unsteady
	if failed {
		r.failures++
	}
	full := failed && r.failures <= *most
	r.mu.Unlock()
	switch {
	case full:
		t.Error(report(t.Context(), p, s, diff))
	case failed:
		t.Errorf("exchange %d (%s, options %q): %v", s.number, s.family, s.host, diff)
	case *only >= 0:
		t.Logf("the reference:\n%s\nours:\n%s", transcript(ref), transcript(ours))
	}
}

// report shrinks a script whose answers differ and writes it and what both servers do.
func report(ctx context.Context, p *pair, s *script, first *difference) string {
	small := p.shrink(ctx, s, first)
	ref, ours, diff, err := p.play(ctx, small, slowly)
	if err != nil || diff == nil { // it does not show every time
		return fmt.Sprintf("exchange %d (%s, options %q), not seen a second time: %v\n%s", s.number, s.family, s.host, first, s)
	}
	return fmt.Sprintf("exchange %d (%s, options %q): %v\n--- the reference\n%s\n--- ours\n%s\n--- again: -seed %d -only %d",
		s.number, s.family, s.host, diff, transcript(ref), transcript(ours), *seed, s.number)
}

// transcript writes steps as they stand in transcripts.
func transcript(steps []wire.Step) string {
	lines := make([]string, len(steps))
	for i, step := range steps {
		lines[i] = clip(step.String())
	}
	return strings.Join(lines, "\n")
}

// String sums up.
func (r *results) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d exchanges with %d answers of the reference; %d differ without an explanation", r.played, r.answers, r.failures)
	for _, name := range slices.Sorted(maps.Keys(r.known)) {
		fmt.Fprintf(&b, "\n  %5d differ as docs/differences.md or the contract has it: %s", r.known[name], name)
	}
	for _, name := range slices.Sorted(maps.Keys(r.families)) {
		fmt.Fprintf(&b, "\n  %5d %s", r.families[name], name)
	}
	for _, d := range r.unsteady {
		fmt.Fprintf(&b, "\n  seen once, not when played again more slowly: exchange %s", d)
	}
	return b.String()
}
