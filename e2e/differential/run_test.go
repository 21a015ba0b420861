package differential_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/e2e/wire"
)

const (
	// heard is how long nothing more may come after an answer before a move counts as answered, final the same for the
	// last move of a script, and silent how long a move may be without any answer that needs none.
	heard  = 15 * time.Millisecond
	final  = 60 * time.Millisecond
	silent = 40 * time.Millisecond
	// thinking is how long a call may be without an answer before it counts as one that waits for something.
	thinking = 400 * time.Millisecond
	// patience is how long a server may take for an answer that the other has given.
	patience = 2 * time.Second
	// look is how often a server's answers are looked at.
	look = 3 * time.Millisecond
)

// A pair is two servers with the same options.
type pair struct {
	ref, ours *wire.Replayer
	// shared is held for reading by each script that runs, and for writing by one that must be alone.
	shared sync.RWMutex
}

// Paces of play: a busy machine may take longer than usual for an answer, so that a difference is looked at slowly.
const (
	quickly = 1
	slowly  = 4
)

// play plays a script on both servers at once, until their answers differ; pace multiplies the waits. It returns the
// recordings, and the difference or nil.
func (p *pair) play(ctx context.Context, s *script, pace time.Duration) (ref, ours []wire.Step, diff *difference, err error) {
	if s.alone {
		p.shared.Lock()
		defer p.shared.Unlock()
	} else {
		p.shared.RLock()
		defer p.shared.RUnlock()
	}
	a, b := p.ref.Record(), p.ours.Record()
	defer a.Close()
	defer b.Close()
	for i, m := range s.moves {
		if err := a.Play(ctx, m.step); err != nil {
			return nil, nil, nil, fmt.Errorf("the reference: %w", err)
		}
		if err := b.Play(ctx, m.step); err != nil {
			return nil, nil, nil, fmt.Errorf("our server: %w", err)
		}
		last := i == len(s.moves)-1
		if m.rush && m.step.Verb != "http" && !last { // requests on connections of their own may overtake each other
			continue
		}
		if diff, err = settle(ctx, a, b, s.mixed, m.step, last, pace); diff != nil || err != nil {
			break
		}
	}
	return a.Steps(), b.Steps(), diff, err
}

// settle waits until both servers have said the same and say no more, or returns the difference.
func settle(ctx context.Context, a, b *wire.Recording, mixed bool, move wire.Step, last bool, pace time.Duration) (*difference, error) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	changed, quiet := time.Now(), pace*unanswered(move)
	var diff *difference
	for {
		newA, newB := a.Collect(ctx), b.Collect(ctx)
		if newA || newB {
			changed, quiet = time.Now(), pace*heard
			if last {
				quiet = pace * final
			}
			diff = compare(a.Steps(), b.Steps(), mixed)
		}
		switch calm := time.Since(changed); {
		case diff != nil && calm > pace*patience:
			return diff, nil
		case diff == nil && calm > quiet:
			return nil, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// unanswered is how long a move may be without an answer before the next follows.
func unanswered(move wire.Step) time.Duration {
	isCall := strings.Contains(move.Rest, `"arguments"`) && strings.Contains(move.Rest, `"invocationId"`)
	switch {
	case move.Verb == "http" && !strings.HasPrefix(move.Rest, "GET "), move.Verb == "ws.open", move.Verb == "sse.open":
		return patience
	case isCall && !strings.Contains(move.Rest, `"streamIds"`):
		return thinking
	default:
		return silent
	}
}

// shrink returns a script with fewer moves that still shows the same difference, after a bounded number of
// attempts.
func (p *pair) shrink(ctx context.Context, s *script, diff *difference) *script {
	small := *s
	for i, attempts := len(s.moves)-1, 12; i >= 0 && attempts > 0; i-- {
		if i >= len(small.moves) {
			continue
		}
		try := small
		try.moves = slices.Delete(slices.Clone(small.moves), i, i+1)
		attempts--
		_, _, d, err := p.play(ctx, &try, quickly)
		if err == nil && d != nil && d.ref == diff.ref && d.ours == diff.ours {
			small = try
		}
	}
	return &small
}
