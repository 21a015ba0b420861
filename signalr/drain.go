package signalr

import (
	"context"
	"fmt"
)

// DrainOptions are the settings of [Server.Drain]. The zero value is ready.
type DrainOptions struct {
	// Rate is how many connections are asked to go in a second. Stock clients come back at once, and then after 2, 10 and
	// 30 s, all of them at the same moments: this pace is what the servers that they come back to see. Default, and for
	// what is below zero: all at once.
	Rate int
}

// Drain ends every connection as [Server.Shutdown] does, but at a pace, so that clients who come back to other servers do
// not come all at once; nil options are the defaults. Call it when readiness has been failing for long enough that
// balancers send nobody any more.
//
// From now on negotiating, and a WebSocket without it, is answered 503 with Retry-After; who has negotiated before may
// still connect. Connections go in batches of random ones, about ten in a second with jitter between them: each client
// gets a Close message that allows it to reconnect, one that is between two polls with its next poll, for which it has
// 5 s. A stream that is passed on to another node of the farm is cut among them, for its client connects anew, too. When
// ctx has a deadline that the pace would miss, they go evenly over three quarters of the time, the rest being for them to
// end: the deadline is kept rather than the pace. A Shutdown meanwhile ends the pace.
func (s *Server) Drain(ctx context.Context, o *DrainOptions) error {
	if o == nil {
		o = &DrainOptions{}
	}
	if err := s.conns.Drain(ctx, o.Rate); err != nil {
		return fmt.Errorf("draining SignalR connections: %w", err)
	}
	return nil
}
