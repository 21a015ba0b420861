//go:build goals

package signalr

import (
	"context"
	"strings"
	"testing"
)

// The goals of the hot paths. TestAllocations in bench_test.go holds what is reached already.
const (
	echoAllocations      = 6    // for one invocation with a typed argument and its result
	broadcastAllocations = 0.05 // for each of many receivers: what a message costs once is shared among them
)

// TestAllocationGoals holds an echo of 100 bytes and a broadcast to 1,000 receivers to the goals. It has the build tag goals
// for as long as they are not reached.
func TestAllocationGoals(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	text := strings.Repeat("x", 100)
	t.Run("echo", func(t *testing.T) {
		_, connect := benchServer(t, nil)
		c := connect()
		waitOpen(c)
		in := []byte(invocation("1", "Echo", text) + "\x1e")
		n := testing.AllocsPerRun(2000, func() { echoOnce(t, c, in) })
		t.Logf("%v allocations for an echo", n)
		if n > echoAllocations {
			t.Errorf("%v allocations for an echo, want at most %v", n, echoAllocations)
		}
	})
	t.Run("broadcast", func(t *testing.T) {
		const receivers = 1000
		hub, connect := benchServer(t, &HubOptions{Connection: ConnectionOptions{SendQueueLimit: 1 << 30}})
		for range receivers {
			waitOpen(connect())
		}
		to := hub.Clients().All()
		n := testing.AllocsPerRun(200, func() {
			if err := to.Send(context.Background(), "Receive", text); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("%v allocations for a broadcast to %d receivers", n, receivers)
		if per := n / receivers; per > broadcastAllocations {
			t.Errorf("%.3f allocations for each receiver of a broadcast, want at most %v", per, broadcastAllocations)
		}
	})
}
