package signalr

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/transport"
)

// TestUsage: connections are counted by the name of their hub, whatever path they came by, and what waits for a client
// that does not read is seen until it has gone.
func TestUsage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTestServer(t, nil)
		if got := s.Usage(); len(got) != 0 {
			t.Errorf("without connections: %+v", got)
		}
		h := s.hub(&HubOptions{Name: "Shop", Connection: ConnectionOptions{SendQueueLimit: 1 << 20}})
		s.MapHub(s.mux, "/hub", h)
		s.MapHub(s.mux, "/other", h)
		c := s.connect()
		synctest.Wait()
		want := []Usage{{Hub: "Shop", Transport: transport.WebSockets, Connections: 1}}
		if diff := cmp.Diff(want, s.Usage()); diff != "" {
			t.Errorf("one connection (-want +got):\n%s", diff)
		}
		const each, messages = 10_000, 20
		for range messages {
			if err := h.Clients().All().Send(t.Context(), "M", strings.Repeat("x", each)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		// The transport may have passed some of it on.
		if got := s.Usage(); len(got) != 1 || got[0].QueuedBytes < each*messages/2 || got[0].QueuedBytes > (each+100)*messages {
			t.Errorf("with %d bytes sent to who does not read: %+v", each*messages, got)
		}
		_ = c.ws.Close()
		synctest.Wait()
		if got := s.Usage(); len(got) != 0 {
			t.Errorf("when the connection is over: %+v", got)
		}
	})
}
