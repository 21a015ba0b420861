package signalr

import (
	"context"
	"testing"
	"time"
)

// TestHotPolledConnections: sockets go from the poller to a reader of their own and back, and calls that take their time
// come in between.
func TestHotPolledConnections(t *testing.T) {
	s, address := newPolledServer(t)
	c := polledClient(t, address)
	const calls = 40
	talk := func() {
		t.Helper()
		for range calls {
			if got := c.call("Echo", "hot"); got != result("c", `"hot"`) {
				t.Fatalf("got %s", got)
			}
		}
	}
	for range 3 {
		talk()
		time.Sleep(1200 * time.Millisecond) // cools
	}
	talk()
	c.send(invocation("1", "AskMe"))
	c.want(`{"type":1,"invocationId":"s1","target":"Answer","arguments":[]}`)
	c.send(`{"type":3,"invocationId":"s1","result":42}`)
	c.want(result("1", "42"))
	talk()
	c.send(invocation("2", "UntilTheEnd")) // the end of the socket is noticed while it runs
	_ = c.ws.Close()
	becomes(t, s, 0)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	other := polledClient(t, address)
	c = other
	talk()
	if err := s.Shutdown(ctx); err != nil { // of a server with a hot connection
		t.Error(err)
	}
}
