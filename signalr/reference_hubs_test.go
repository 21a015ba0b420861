package signalr

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/msgpackprotocol"
)

// greeter is a hub with what it needs, and formalGreeter one that has its methods but for one of its own.
type greeter struct {
	words  map[string]string
	titles []string
}

func (g greeter) Hello(_ context.Context, _ *Caller, name string) (string, error) {
	return g.words["hello"] + " " + name, nil
}

func (g greeter) Bye(context.Context, *Caller) (string, error) { return g.words["bye"], nil }

type formalGreeter struct{ greeter }

func (g formalGreeter) Hello(ctx context.Context, c *Caller, name string) (string, error) {
	return g.greeter.Hello(ctx, c, g.titles[0]+" "+name)
}

// TestHubsOfMethods: handlers may be methods, with what they need in their receiver; those of an embedded hub are the
// outer one's too, unless it has its own.
func TestHubsOfMethods(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := formalGreeter{greeter{map[string]string{"hello": "hello", "bye": "bye"}, []string{"Dr"}}}
		c := hubServer(t, nil, func(h *Hub) {
			h.Handle("Hello", Func1(g.Hello))
			h.Handle("Farewell", Func0(g.Bye)) // under a name of its own
		}).connect()
		c.send(invocation("1", "Hello", "Ann"), invocation("2", "Farewell"))
		c.want(result("1", `"hello Dr Ann"`), result("2", `"bye"`))
		c.send(invocation("3", "Bye"))
		c.want(failure("3", "Failed to invoke 'Bye' due to an error on the server. HubException: Method does not exist."))
	})
}

// TestSharedFilters: filters that several hubs share run in front of those of a single one.
func TestSharedFilters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var seen []string
		named := func(name string) HubFilter {
			return HubFilter{InvokeMethod: func(ctx context.Context, inv *Invocation, next HandlerFunc) (any, error) {
				seen = append(seen, name)
				return next(ctx, inv)
			}}
		}
		shared := []HubFilter{named("first"), named("second")}
		s := newTestServer(t, nil)
		for _, path := range []string{"/a", "/b"} {
			s.MapHub(s.mux, path, s.hub(&HubOptions{Filters: slices.Concat(shared, []HubFilter{named("own of " + path)})}))
		}
		for _, path := range []string{"/a", "/b"} {
			c := s.open(path)
			c.send(jsonHandshake)
			c.want(`{}`)
			c.call("Echo", "x")
			synctest.Wait()
			if want := []string{"first", "second", "own of " + path}; !slices.Equal(seen, want) {
				t.Errorf("%s: %v, want %v", path, seen, want)
			}
			seen = nil
		}
	})
}

// TestHubsHaveTheirOwnOptions: what one hub is told counts for no other.
func TestHubsHaveTheirOwnOptions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTestServer(t, nil)
		s.MapHub(s.mux, "/small", s.hub(&HubOptions{MaximumReceiveMessageSize: 100}))
		s.MapHub(s.mux, "/usual", s.hub(nil))
		for path, want := range map[string]string{"/small": `{"type":7,`, "/usual": `{"type":3,`} {
			c := s.open(path)
			c.send(jsonHandshake)
			c.want(`{}`)
			if got := c.call("Echo", strings.Repeat("x", 200)); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %.100s", path, got)
			}
		}
		s.MapHub(s.mux, "/binary", s.hub(&HubOptions{Protocols: []protocol.HubProtocol{msgpackprotocol.New(nil)}}))
		c := s.open("/binary")
		c.send(jsonHandshake)
		c.want(`{"error":"The protocol 'json' is not supported."}`, "close 1000")
	})
}

// TestNoProtocols: a hub that speaks nothing is a mistake.
func TestNoProtocols(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a hub without protocols was made")
		}
	}()
	NewHub(&HubOptions{Protocols: []protocol.HubProtocol{}})
}
