package signalr

import (
	"context"
	"net/http"
	"testing"
)

// TestBaseContextMayBeNil: an application whose BaseContext has nothing to give gives nil.
func TestBaseContextMayBeNil(t *testing.T) {
	bubble(t, func(t *testing.T) {
		none := func(*http.Request) context.Context { return nil }
		s := hubServer(t, &HubOptions{Connection: ConnectionOptions{BaseContext: none}}, func(h *Hub) {
			type key struct{}
			h.Handle("Ask", Func0(func(ctx context.Context, _ *Caller) (bool, error) { return ctx.Value(key{}) == nil, nil }))
		})
		if got := s.connect().call("Ask"); got != result("c", "true") {
			t.Errorf("got %s", got)
		}
	})
}
