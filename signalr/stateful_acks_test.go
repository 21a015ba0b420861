package signalr

import "testing"

// TestStatefulOddAcknowledgements: an acknowledgement of what was not sent, or of less than before, changes nothing
// (F-130).
func TestStatefulOddAcknowledgements(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTestServer(t, nil)
		s.MapHub(s.mux, "/hub", s.hub(&HubOptions{Connection: ConnectionOptions{AllowStatefulReconnects: true}}))
		target := newStatefulClient(s).target[len("ws://signalr.test"):]
		c := s.open(target)
		c.send(`{"protocol":"json","version":2}`)
		c.want(`{}`)
		c.send(`{"type":8,"sequenceId":0}`, `{"type":8,"sequenceId":7}`)
		c.send(invocation("1", "Echo", "a"), invocation("2", "Echo", "b"))
		c.want(result("1", `"a"`), result("2", `"b"`))
		c.send(`{"type":8,"sequenceId":1}`, `{"type":8,"sequenceId":0}`, invocation("3", "Echo", "c"))
		c.want(result("3", `"c"`))
		_ = c.ws.NetConn().Close()
		c = s.open(target)
		c.want(`{"type":9,"sequenceId":2}`, result("2", `"b"`), result("3", `"c"`))
	})
}
