package load

import (
	"context"
	"fmt"
)

// FanOptions are the settings of [Swarm.Fan].
type FanOptions struct {
	Length
	// Count, if not zero, is how many messages are sent instead of sending for a time; there is no warm-up then.
	Count int
	// Window is how many messages are under way at any time.
	Window int
	// Groups is over how many groups the connections are spread, evenly; messages go to one group after the other. Zero
	// means that they go to everybody.
	Groups int
	// Size is the length of the text in bytes.
	Size int
}

// Fan lets the first connection send to everybody, or to groups, as soon as what was sent before has arrived. An operation
// is one delivery to one receiver. The latency is that from the sender to the receiver.
func (s *Swarm) Fan(ctx context.Context, o FanOptions) (Sample, error) {
	calls, err := s.fanCalls(ctx, o)
	if err != nil {
		return Sample{}, err
	}
	r := newRun(s)
	begin, err := usageOf(s.target.PID)
	if err != nil {
		return Sample{}, err
	}
	err = s.loop.call(ctx, func() { s.fan(r, o, calls) })
	if err != nil {
		return Sample{}, err
	}
	if o.Count == 0 {
		return r.measure(ctx, o.Length)
	}
	if err := r.drain(ctx); err != nil {
		return Sample{}, err
	}
	end, err := usageOf(s.target.PID)
	if err != nil {
		return Sample{}, err
	}
	var sample Sample
	err = s.loop.call(ctx, func() { sample = r.sample(0) })
	sample.since(begin, end)
	return sample, err
}

// fanCalls makes the messages that are sent in turn.
func (s *Swarm) fanCalls(ctx context.Context, o FanOptions) ([][]byte, error) {
	text := payload(0, o.Size)
	if o.Groups == 0 {
		return [][]byte{s.dialect.invoke(-1, "Broadcast", text)}, nil
	}
	group := func(i int) string { return fmt.Sprintf("group-%d", i%o.Groups) }
	if err := s.JoinGroups(ctx, func(i int) []string { return []string{group(i)} }); err != nil {
		return nil, err
	}
	var calls [][]byte
	for i := range o.Groups {
		calls = append(calls, s.dialect.invoke(-1, "SendToGroup", group(i), text))
	}
	return calls, nil
}

// fan runs on the loop.
func (s *Swarm) fan(r *run, o FanOptions, calls [][]byte) {
	receivers := len(s.clients) / len(calls)
	if receivers == 0 || len(s.clients)%len(calls) != 0 {
		r.fail(fmt.Errorf("load: %d connections cannot be spread over %d groups", len(s.clients), len(calls)))
		return
	}
	sent, received := 0, 0
	pump := func() {
		for !r.stopped && sent-received/receivers < o.Window {
			call := calls[sent%len(calls)]
			restamp(call, now())
			sent++
			s.clients[0].send(call)
			if sent == o.Count {
				r.stopped = true
			}
		}
		if r.stopped && received == sent*receivers {
			close(r.drained)
		}
	}
	s.onCompleted = nil
	s.onDelivered = func(_ *client, m []byte) {
		at, ok := stampOf(m)
		if !ok {
			r.fail(fmt.Errorf("load: the server delivered %.200q", m))
			return
		}
		r.count(at)
		if received++; received%receivers == 0 {
			pump()
		}
	}
	pump()
}
