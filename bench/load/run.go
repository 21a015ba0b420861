package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"signalbox/bench/proc"
)

// Length says how long a run takes. Warm-up comes first and is not counted: it lasts until the processor time of an
// operation stays the same, as servers that compile while they run take longer at first, for Warmup at least and five
// times as long at most.
type Length struct {
	Warmup, Duration time.Duration
}

// stallTimeout is how long nothing may arrive before a run is given up: longer than any server waits for a client that
// does not read.
const stallTimeout = 20 * time.Second

// run is what a closed loop of operations counts. It belongs to the loop, except for progress and failed.
type run struct {
	swarm    *Swarm
	latency  Histogram
	ops      uint64
	stopped  bool
	drained  chan struct{} // closed when nothing is under way any more after the stop
	progress atomic.Uint64
	failed   atomic.Pointer[error]
}

func newRun(s *Swarm) *run { return &run{swarm: s, drained: make(chan struct{})} }

// count counts an operation that began at start.
func (r *run) count(start int64) {
	r.latency.Add(time.Duration(now() - start))
	r.ops++
	r.progress.Add(1)
}

func (r *run) fail(err error) { r.failed.CompareAndSwap(nil, &err) }

// measure lets a run go on for its length, stops it, and waits until nothing is under way any more.
func (r *run) measure(ctx context.Context, l Length) (Sample, error) {
	if err := r.warmUp(ctx, l.Warmup); err != nil {
		return Sample{}, err
	}
	var from uint64
	if err := r.swarm.loop.call(ctx, func() { r.latency.Reset(); from = r.ops }); err != nil {
		return Sample{}, err
	}
	begin, err := usageOf(r.swarm.target.PID)
	if err != nil {
		return Sample{}, err
	}
	if err := r.pass(ctx, l.Duration); err != nil {
		return Sample{}, err
	}
	var sample Sample
	err = r.swarm.loop.call(ctx, func() { sample = r.sample(from); r.stopped = true })
	if err != nil {
		return Sample{}, err
	}
	end, err := usageOf(r.swarm.target.PID)
	if err != nil {
		return Sample{}, err
	}
	sample.since(begin, end)
	if err := r.drain(ctx); err != nil {
		return Sample{}, err
	}
	if sample.Ops == 0 {
		return Sample{}, fmt.Errorf("load: nothing was done in %v", l.Duration)
	}
	return sample, nil
}

// warmUp compares the last fifth of the warm-up with the one before, and goes on by fifths until both are much the same.
func (r *run) warmUp(ctx context.Context, d time.Duration) error {
	if err := r.pass(ctx, d*3/5); err != nil {
		return err
	}
	before := math.Inf(1)
	for i := range 5*5 - 3 {
		begin, err := proc.CPU(r.swarm.target.PID)
		if err != nil {
			return err
		}
		ops := r.progress.Load()
		if err := r.pass(ctx, d/5); err != nil {
			return err
		}
		end, err := proc.CPU(r.swarm.target.PID)
		if err != nil {
			return err
		}
		each := float64(end-begin) / float64(max(r.progress.Load()-ops, 1))
		if i > 0 && each > 0.95*before {
			return nil
		}
		before = each
	}
	return nil
}

// sample is called on the loop.
func (r *run) sample(from uint64) Sample {
	return Sample{
		Ops: r.ops - from, P50: r.latency.Percentile(0.5), P99: r.latency.Percentile(0.99), Max: r.latency.Max(),
		Conns: len(r.swarm.clients),
	}
}

// pass waits, unless the run fails meanwhile.
func (r *run) pass(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return r.check(ctx)
		}
		if err := wait(ctx, min(left, 200*time.Millisecond)); err != nil {
			return err
		}
		if err := r.check(ctx); err != nil {
			return err
		}
	}
}

func (r *run) check(ctx context.Context) error {
	if err := r.failed.Load(); err != nil {
		return *err
	}
	return r.swarm.check(ctx)
}

// drain waits until nothing is under way any more. It gives up when nothing has arrived for a long time.
func (r *run) drain(ctx context.Context) error {
	for {
		before := r.progress.Load()
		select {
		case <-r.drained:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(stallTimeout):
		}
		if r.progress.Load() == before {
			return errors.Join(fmt.Errorf("load: nothing arrived for %v", stallTimeout), r.check(ctx))
		}
	}
}

var epoch = time.Now()

// now is the time in nanoseconds since the generator began.
func now() int64 { return int64(time.Since(epoch)) }
