package signalr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/transport"
)

func TestResults(t *testing.T) {
	type person struct {
		Name string
		Age  int
	}
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, func(h *Hub) {
			h.Handle("Void", Action0(func(context.Context, *Caller) error { return nil }))
			h.Handle("Add", Func2(func(_ context.Context, _ *Caller, a, b int) (int, error) { return a + b, nil }))
			h.Handle("Join", Func3(func(_ context.Context, _ *Caller, a string, b bool, c []int) (string, error) {
				return fmt.Sprint(a, b, c), nil
			}))
			h.Handle("Birthday", Func1(func(_ context.Context, _ *Caller, p person) (*person, error) { p.Age++; return &p, nil }))
			h.Handle("Nobody", Func0(func(context.Context, *Caller) (*person, error) { return nil, nil }))
			h.Handle("Take1", Action1(func(context.Context, *Caller, int) error { return nil }))
			h.Handle("Take2", Action2(func(context.Context, *Caller, int, int) error { return nil }))
			h.Handle("Take3", Action3(func(context.Context, *Caller, int, int, int) error { return nil }))
			h.Handle("Ärger", Func0(func(context.Context, *Caller) (string, error) { return "ä", nil }))
		})
		c := s.connect()
		for _, row := range []struct {
			target string
			args   []any
			want   string
		}{
			{"Void", nil, `null`},
			{"Add", []any{1, 2}, `3`},
			{"aDD", []any{1, 2}, `3`},
			{"Join", []any{"a", true, []int{1, 2}}, `"atrue [1 2]"`},
			{"Birthday", []any{map[string]any{"name": "Ann", "AGE": 41, "other": 1}}, `{"name":"Ann","age":42}`},
			{"Nobody", nil, `null`},
			{"Take1", []any{1}, `null`},
			{"Take2", []any{1, 2}, `null`},
			{"Take3", []any{1, 2, 3}, `null`},
			{"äRGER", nil, `"ä"`},
			{"Echo", []any{"still there"}, `"still there"`},
		} {
			if got, want := c.call(row.target, row.args...), result("c", row.want); got != want {
				t.Errorf("%s: %s, want %s", row.target, got, want)
			}
		}
	})
}

// codedError is an error with a name of its own.
type codedError struct{}

func (codedError) Error() string     { return "coded" }
func (codedError) ErrorName() string { return "CodedException" }

// TestErrors: what clients are told (F-081 to F-085), without and with detailed errors.
func TestErrors(t *testing.T) {
	secret := errors.New("secret")
	fails := map[string]error{
		"Plain": secret, "Wrapped": fmt.Errorf("outer: %w", secret), "Named": codedError{}, "Typed": &fs.PathError{Op: "open", Path: "p", Err: secret},
		"Hub": Errorf("told %d", 7), "WrappedHub": fmt.Errorf("outer: %w", &HubError{"inner"}), "EmptyHub": &HubError{},
	}
	const (
		invoking = "An unexpected error occurred invoking '%s' on the server."
		failed   = "Failed to invoke '%s' due to an error on the server."
		binding  = " InvalidDataException: Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."
	)
	for _, row := range []struct {
		target   string
		args     []any
		stream   bool
		text     string // %s is the target
		detailed string // appended with detailed errors
	}{
		{target: "Plain", text: invoking, detailed: " Error: secret"},
		{target: "Wrapped", text: invoking, detailed: " Error: outer: secret"},
		{target: "Named", text: invoking, detailed: " CodedException: coded"},
		{target: "Typed", text: invoking, detailed: " PathError: open p: secret"},
		{target: "Hub", text: invoking + " HubException: told 7"},
		{target: "WrappedHub", text: invoking + " HubException: inner"},
		{target: "EmptyHub", text: invoking + " HubException: "},
		{target: "Panic", text: invoking, detailed: " panic: boom"},
		{target: "Nope", text: failed + " HubException: Method does not exist."},
		{target: "", text: failed + " HubException: Method does not exist."},
		{target: "Nope", stream: true, text: failed + " HubException: Method does not exist."},
		{target: "Echo", text: failed, detailed: " InvalidDataException: Invocation provides 0 argument(s) but target expects 1."},
		{target: "Echo", args: []any{"a", "b"}, text: failed, detailed: " InvalidDataException: Invocation provides 2 argument(s) but target expects 1."},
		{target: "Echo", args: []any{5}, text: failed, detailed: binding},
		{target: "ECHO", args: []any{5}, text: strings.ReplaceAll(failed, "%s", "Echo"), detailed: binding},
		{target: "Echo", args: []any{map[string]int{}}, text: failed, detailed: binding},
		{target: "Count", text: "The client attempted to invoke the streaming '%s' method with a non-streaming invocation."},
		{target: "Echo", args: []any{"a"}, stream: true, text: "The client attempted to invoke the non-streaming '%s' method with a streaming invocation."},
		{target: "Count", stream: true, args: []any{1}, text: failed, detailed: " InvalidDataException: Invocation provides 1 argument(s) but target expects 0."},
	} {
		for _, detailed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %v stream=%t detailed=%t", row.target, row.args, row.stream, detailed), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s := hubServer(t, &HubOptions{EnableDetailedErrors: detailed}, func(h *Hub) {
						for name, err := range fails {
							h.Handle(name, Action0(func(context.Context, *Caller) error { return err }))
						}
						h.Handle("Panic", Action0(func(context.Context, *Caller) error { panic("boom") }))
						h.HandleStream("Count", Stream0(func(context.Context, *Caller) Seq { return count(3) }))
					})
					c := s.connect()
					call := invocation("c", row.target, row.args...)
					if row.stream {
						call = strings.Replace(call, `"type":1`, `"type":4`, 1)
					}
					c.send(call)
					text := strings.ReplaceAll(row.text, "%s", row.target)
					if detailed {
						text += row.detailed
					}
					c.want(failure("c", text))
					if got := c.call("Echo", "alive"); got != result("c", `"alive"`) {
						t.Errorf("afterwards: %s", got)
					}
				})
			})
		}
	}
}

// TestNoAnswerWithoutID (F-087).
func TestNoAnswerWithoutID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, func(h *Hub) {
			h.Handle("Fail", Action0(func(context.Context, *Caller) error { return Errorf("told nobody") }))
			h.HandleStream("Count", Stream0(func(context.Context, *Caller) Seq { return count(3) }))
		})
		c := s.connect()
		c.send(invocation("", "Echo", "a"), invocation("", "Fail"), invocation("", "Nope"), invocation("", "Echo"), invocation("", "Count"))
		if got := c.call("Echo", "c"); got != result("c", `"c"`) {
			t.Errorf("got %s", got)
		}
	})
}

// TestOrderOfCalls: with a limit of 1 one call after the other, in order, also when they come in one piece or cut in
// many (F-091, F-092).
func TestOrderOfCalls(t *testing.T) {
	for _, cut := range []int{0, 1, 7, 1000} {
		t.Run(fmt.Sprintf("pieces of %d", cut), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const calls = 200
				var got, want []int
				running := 0
				done := make(chan struct{})
				s := hubServer(t, nil, func(h *Hub) {
					h.Handle("Note", Action1(func(_ context.Context, _ *Caller, n int) error {
						running++
						if running > 1 {
							t.Error("two calls at once")
						}
						got = append(got, n)
						running--
						if n == calls-1 {
							close(done)
						}
						return nil
					}))
				})
				c := s.connect()
				var all strings.Builder
				for i := range calls {
					all.WriteString(invocation("", "Note", i) + "\x1e")
					want = append(want, i)
				}
				rest := all.String()
				for rest != "" {
					n := min(len(rest), cut)
					if cut == 0 {
						n = len(rest)
					}
					if err := c.ws.WriteMessage(1, []byte(rest[:n])); err != nil {
						t.Fatal(err)
					}
					rest = rest[n:]
				}
				<-done
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
			})
		})
	}
}

// TestParallelCalls: as many calls run as may; the next one waits, and everything behind it (F-092).
func TestParallelCalls(t *testing.T) {
	for _, limit := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				started, release := make(chan string, 100), make(chan struct{})
				s := hubServer(t, &HubOptions{MaximumParallelInvocationsPerClient: limit}, func(h *Hub) {
					h.Handle("Wait", Func1(func(_ context.Context, _ *Caller, name string) (string, error) {
						started <- name
						<-release
						return name, nil
					}))
				})
				c := s.connect()
				answers := make(chan string, 100)
				go func() {
					for range limit + 3 {
						answers <- c.next()
					}
					close(answers)
				}()
				for i := range limit + 2 {
					c.send(invocation(fmt.Sprint(i), "Wait", fmt.Sprint(i)))
				}
				c.send(invocation("x", "Nope"))
				for i := range limit + 2 {
					synctest.Wait()
					if n := len(started); n != min(limit, limit+2-i) {
						t.Fatalf("%d calls run after %d have ended, want %d", n, i, limit)
					}
					if n := len(answers); i < 2 && n != i {
						t.Fatalf("%d answers after %d calls have ended: something has overtaken a call that waits", n, i)
					}
					release <- struct{}{}
					<-started
				}
				all := 0
				for range answers {
					all++
				}
				if all != limit+3 {
					t.Errorf("%d answers, want %d", all, limit+3)
				}
			})
		})
	}
}

// TestUnencodableResult (F-088): the connection ends; the client may come back.
func TestUnencodableResult(t *testing.T) {
	for name, value := range map[string]any{"channel": make(chan int), "panics": bomb{}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				causes := make(chan error, 1)
				s := hubServer(t, nil, func(h *Hub) {
					h.Handle("Bad", Func0(func(context.Context, *Caller) (any, error) { return value, nil }))
					h.OnDisconnected(func(_ context.Context, _ *Caller, cause error) error { causes <- cause; return nil })
				})
				c := s.connect()
				c.send(invocation("1", "Bad"))
				c.want(`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`, "close 1000")
				if cause := <-causes; cause == nil {
					t.Error("OnDisconnected gets nil, want the error")
				}
			})
		})
	}
}

func TestRegister(t *testing.T) {
	ok := func(context.Context, *Invocation) (any, error) { return nil, nil }
	mapped := NewHub(nil)
	newTestServerWithout(t).MapHub(discardMux{}, "/x", mapped)
	twice := NewHub(nil)
	twice.Handle("Twice", ok)
	for name, f := range map[string]func(){
		"no name":          func() { NewHub(nil).Handle("", ok) },
		"no handler":       func() { NewHub(nil).Register(Method{Name: "A"}) },
		"negative streams": func() { NewHub(nil).Register(Method{Name: "A", Invoke: ok, StreamArgs: -1}) },
		"twice":            func() { twice.Handle("TWICE", ok) },
		"after mapping":    func() { mapped.Handle("Late", ok) },
		"OnConnected late": func() {
			mapped.OnConnected(func(context.Context, *Caller) error { return nil })
		},
		"OnDisconnected late": func() {
			mapped.OnDisconnected(func(context.Context, *Caller, error) error { return nil })
		},
		"mapped twice":          func() { newTestServerWithout(t).MapHub(discardMux{}, "/y", mapped) },
		"no turns":              func() { NewHub(&HubOptions{MaximumParallelInvocationsPerClient: -1}) },
		"no items":              func() { NewHub(&HubOptions{StreamBufferCapacity: -1}) },
		"negative time":         func() { NewHub(&HubOptions{KeepAliveInterval: -1}) },
		"origin with path":      func() { NewHub(&HubOptions{Connection: ConnectionOptions{Origins: []string{"https://a.example/"}}}) },
		"origin without scheme": func() { NewHub(&HubOptions{Connection: ConnectionOptions{Origins: []string{"a.example"}}}) },
		"raw handler's origin": func() {
			raw := func(context.Context, transport.Conn, *Request) error { return nil }
			newTestServerWithout(t).MapConnectionHandler(discardMux{}, "/z", raw, &ConnectionOptions{Origins: []string{"x"}})
		},
		"no raw handler": func() { newTestServerWithout(t).MapConnectionHandler(discardMux{}, "/z", nil, nil) },
	} {
		func() {
			defer func() {
				if p := recover(); p == nil {
					t.Errorf("%s: no panic", name)
				} else if !strings.HasPrefix(fmt.Sprint(p), "signalr: ") {
					t.Errorf("%s: panic %v does not say where it comes from", name, p)
				}
			}()
			f()
		}()
	}
}

// bomb cannot be encoded.
type bomb struct{}

func (bomb) MarshalJSON() ([]byte, error) { panic("boom") }

// TestEncodingPanics: a result whose own code panics while it is encoded must end its connection, not the process: the
// goroutine is the server's.
func TestEncodingPanics(t *testing.T) {
	_, err := func() (_ any, err error) {
		defer func() {
			if p := recover(); p != nil {
				err = nil
				t.Errorf("encoding panics: %v", p)
			}
		}()
		return encodeFrame(jsonprotocol.New(nil), &protocol.Completion{InvocationID: "1", HasResult: true, Result: bomb{}})
	}()
	if err == nil {
		t.Error("no error for a result that cannot be encoded")
	}
}
