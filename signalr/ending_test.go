package signalr

import (
	"strings"
	"testing"
)

// TestCallsBeforeTheEndAreAnswered sends a call and, in the same frame, what ends the connection: the call's answer comes
// first, as it does where handlers run up to their first wait before anything else is read.
func TestCallsBeforeTheEndAreAnswered(t *testing.T) {
	const closeError = `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`
	for _, row := range []struct{ name, behind, want string }{
		{"a message that is too long", invocation("2", "Echo", strings.Repeat("x", 40_000)), closeError},
		{"a malformed message", `{"type":1,`, closeError},
		{"a Close message", `{"type":7}`, `{"type":7}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := hubServer(t, nil, func(*Hub) {}).connect()
				c.send(invocation("1", "Echo", "first"), row.behind)
				c.want(result("1", `"first"`), row.want, "close 1000")
			})
		})
	}
}
