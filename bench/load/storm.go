package load

import (
	"context"

	"signalbox/bench/proc"
)

// Storm opens connections as fast as it can, to a server that is warmed up by a tenth of them, and lets them leave again.
// An operation is one connect, with its negotiation if [Target.Negotiate] is set. No connection may be refused.
func Storm(ctx context.Context, t Target, conns int) (sample Sample, err error) {
	if err := visit(ctx, t, max(conns/10, 1)); err != nil {
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
	begin, err := usageOf(t.PID)
	if err != nil {
		return Sample{}, err
	}
	if err := s.Connect(ctx, conns); err != nil {
		return Sample{}, err
	}
	end, err := usageOf(t.PID)
	if err != nil {
		return Sample{}, err
	}
	sample.Ops, sample.Conns = uint64(conns), conns
	sample.since(begin, end)
	if err := wait(ctx, t.Settle); err != nil {
		return Sample{}, err
	}
	if err := s.check(ctx); err != nil {
		return Sample{}, err
	}
	held, err := proc.MemoryOf(t.PID)
	if err != nil {
		return Sample{}, err
	}
	sample.Held = held.RSS
	if err := s.Leave(ctx); err != nil {
		return Sample{}, err
	}
	sample.After, err = t.settled(ctx)
	return sample, err
}
