package signalr

import (
	"context"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
)

// TestStreamLeavesRoomForOthers: a stream that is faster than its client keeps the queue as full as it may. What others
// send meanwhile still finds room: the connection is not closed for it.
func TestStreamLeavesRoomForOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const limit, note = 10_000, 100
		var hub *Hub
		s := hubServer(t, &HubOptions{Connection: ConnectionOptions{SendQueueLimit: limit}}, func(h *Hub) {
			hub = h
			h.HandleStream("Firehose", Stream0(func(context.Context, *Caller) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) {
					for yield(1, nil) {
					}
				}
			}))
		})
		c := s.connect()
		c.send(strings.Replace(invocation("1", "Firehose"), `"type":1`, `"type":4`, 1))
		synctest.Wait() // until the stream waits for room
		for range limit / 4 / note {
			if err := hub.Clients().All().Send(t.Context(), "Note", strings.Repeat("x", note/2)); err != nil {
				t.Fatal(err)
			}
		}
		for notes := 0; notes < limit/4/note; {
			switch m := c.next(); {
			case strings.Contains(m, `"Note"`):
				notes++
			case !strings.Contains(m, `"item":1`):
				t.Fatalf("after %d notes came %s", notes, m)
			}
		}
		_ = c.ws.Close()
	})
}
