package load

import (
	"context"
	"fmt"
	"time"

	"signalbox/bench/proc"
)

// IdleOptions are the settings of [Idle].
type IdleOptions struct {
	// Conns is how many connections there are.
	Conns int
	// Groups is how many groups each connection joins.
	Groups int
	// Hold is how long they are idle, with pings, before memory is read. The processor time of that span is measured.
	Hold time.Duration
}

// Idle opens connections that do nothing and measures what they cost. The server is warmed up by a tenth of them first.
// An operation is one connection that is held.
func Idle(ctx context.Context, t Target, o IdleOptions) (sample Sample, err error) {
	if err := visit(ctx, t, max(o.Conns/10, 1)); err != nil {
		return Sample{}, err
	}
	s, err := New(t)
	if err != nil {
		return Sample{}, err
	}
	defer s.Close()
	t = s.target
	if sample.Before, err = t.settled(ctx); err != nil {
		return Sample{}, err
	}
	if err := s.Connect(ctx, o.Conns); err != nil {
		return Sample{}, err
	}
	if o.Groups > 0 {
		// As in life, some groups are shared by few and some by many.
		err := s.JoinGroups(ctx, func(i int) (names []string) {
			for g := range o.Groups {
				names = append(names, fmt.Sprintf("group-%d-%d", g, i%(10*(g+1))))
			}
			return names
		})
		if err != nil {
			return Sample{}, err
		}
	}
	if err := wait(ctx, 2*t.Settle); err != nil { // what connecting left to be done
		return Sample{}, err
	}
	begin, err := usageOf(t.PID)
	if err != nil {
		return Sample{}, err
	}
	if err := wait(ctx, o.Hold); err != nil {
		return Sample{}, err
	}
	end, err := usageOf(t.PID)
	if err != nil {
		return Sample{}, err
	}
	sample.since(begin, end)
	held, err := proc.MemoryOf(t.PID)
	if err != nil {
		return Sample{}, err
	}
	sample.Ops, sample.Conns, sample.Held = uint64(o.Conns), o.Conns, held.RSS
	if sample.Collected, err = t.collected(ctx); err != nil {
		return Sample{}, err
	}
	if err := s.check(ctx); err != nil {
		return Sample{}, err
	}
	if err := s.Leave(ctx); err != nil {
		return Sample{}, err
	}
	sample.After, err = t.settled(ctx)
	return sample, err
}

// PerConn returns the server's resident bytes for one idle connection: as it is, and after a full collection.
func (s Sample) PerConn() (held, collected float64) {
	if s.Conns == 0 {
		return 0, 0
	}
	n := float64(s.Conns)
	return float64(s.Held-s.Before) / n, float64(s.Collected-s.Before) / n
}

// visit connects and leaves, so that the server has done everything once.
func visit(ctx context.Context, t Target, n int) error {
	s, err := New(t)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Connect(ctx, n); err != nil {
		return err
	}
	return s.Leave(ctx)
}
