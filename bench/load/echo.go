package load

import (
	"context"
	"fmt"
)

// EchoOptions are the settings of [Swarm.Echo].
type EchoOptions struct {
	Length
	// InFlight is how many invocations of each connection are under way at any time, at most 9.
	InFlight int
	// Size is the length of the text in bytes.
	Size int
}

// Echo lets each connection invoke Echo again as soon as the result is there. An operation is one invocation with its
// result.
func (s *Swarm) Echo(ctx context.Context, o EchoOptions) (Sample, error) {
	if o.InFlight < 1 || o.InFlight > 9 {
		return Sample{}, fmt.Errorf("load: %d invocations in flight, want 1 to 9", o.InFlight)
	}
	calls := make([][]byte, o.InFlight)
	for slot := range calls {
		calls[slot] = s.dialect.invoke(slot, "Echo", payload(0, o.Size))
	}
	r := newRun(s)
	err := s.loop.call(ctx, func() {
		underWay := 0
		fire := func(c *client, slot int) {
			c.started[slot] = now()
			c.send(calls[slot])
		}
		s.onCompleted = func(c *client, slot int, m []byte) {
			if len(m) < o.Size || slot >= o.InFlight {
				r.fail(fmt.Errorf("load: the server answered Echo with %.200q", m))
			}
			r.count(c.started[slot])
			if r.stopped {
				if underWay--; underWay == 0 {
					close(r.drained)
				}
				return
			}
			fire(c, slot)
		}
		underWay = len(s.clients) * o.InFlight
		for _, c := range s.clients {
			c.echoSize = len(calls[0])
			for slot := range calls {
				fire(c, slot)
			}
		}
	})
	if err != nil {
		return Sample{}, err
	}
	return r.measure(ctx, o.Length)
}
