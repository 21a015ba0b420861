package churn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tally counts lives by what they were.
type tally struct {
	mu     sync.Mutex
	lives  map[string]int
	closed int // by the server
	failed int
}

// maxReported is how many failures are told in full.
const maxReported = 20

func (c *tally) add(t *testing.T, name string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lives[name]++
	switch {
	case err == nil:
		return
	case errors.Is(err, errClosed):
		c.closed++
		return
	}
	if c.failed++; c.failed <= maxReported {
		t.Error(err)
	}
}

func (c *tally) String() string {
	var b strings.Builder
	total := 0
	for _, name := range slices.Sorted(maps.Keys(c.lives)) {
		fmt.Fprintf(&b, "\n  %6d  %s", c.lives[name], name)
		total += c.lives[name]
	}
	return fmt.Sprintf("%d connections, %d closed by the server, %d failed%s", total, c.closed, c.failed, b.String())
}

// TestChurn lets clients come and go, and looks for what they have left behind.
func TestChurn(t *testing.T) {
	seed := *seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("%d clients for %v; again with -seed %d", *crowd, *duration, seed)
	// Whoever comes too late because the machine is busy must not be given up.
	disconnect := min(max(time.Duration(*crowd)*60*time.Millisecond, 3*time.Second), time.Minute)
	h := newHost(t, disconnect)
	defer h.stop()
	before := heap()

	over, cancel := context.WithTimeout(t.Context(), *duration)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { h.disturb(over) })
	count := &tally{lives: make(map[string]int)}
	for i := range *crowd {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			for over.Err() == nil {
				name, err := live(t.Context(), h, rng) // a life that has begun goes on to its end
				count.add(t, name, err)
			}
		})
	}
	wg.Wait()
	t.Log(count)
	t.Logf("at most %d connections at a time, %d of them past the handshake, and %d handlers; %d goroutines at the end",
		h.active.peak.Load(), h.connected.peak.Load(), h.handlers.peak.Load(), runtime.NumGoroutine())
	if count.failed > maxReported {
		t.Errorf("%d more have failed", count.failed-maxReported)
	}
	if n := h.closings.Load(); int64(count.closed) > n {
		t.Errorf("the server has ended %d connections, but was told to end %d", count.closed, n)
	}
	waitUntilNothingIsLeft(t, h, disconnect+time.Minute)
	after := heap()
	t.Logf("the heap has grown by %d KiB", (after-before)>>10)
	if after-before > maxGrowth {
		t.Errorf("the heap has grown from %d to %d bytes", before, after)
	}
}

// maxGrowth is how much the heap may have grown when all clients have gone, whatever their number: pools keep a little.
const maxGrowth = 32 << 20

// heap returns how many bytes are in use after a garbage collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools gave up with the first
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// waitUntilNothingIsLeft gives the server the time that it needs to give up those who have vanished.
func waitUntilNothingIsLeft(t *testing.T, h *host, patience time.Duration) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for left := h.left(); left != ""; left = h.left() {
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatalf("all clients have gone, and %v later there are still %s", patience, left)
		}
	}
}
