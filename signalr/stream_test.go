package signalr

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// Seq is a stream of numbers.
type Seq = iter.Seq2[int, error]

// count is the stream 0, 1, ... n-1.
func count(n int) Seq {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
}

func streamInvocation(id, target string, args ...any) string {
	return strings.Replace(invocation(id, target, args...), `"type":1`, `"type":4`, 1)
}

// withStreams is an invocation that brings streams.
func withStreams(call string, ids ...string) string {
	return strings.TrimSuffix(call, "}") + fmt.Sprintf(`,"streamIds":["%s"]}`, strings.Join(ids, `","`))
}

func item(id string, v any) string {
	return fmt.Sprintf(`{"type":2,"invocationId":%q,"item":%v}`, id, v)
}

// completed ends a stream in either direction.
func completed(id string) string { return fmt.Sprintf(`{"type":3,"invocationId":%q}`, id) }

func cancelled(id string) string { return fmt.Sprintf(`{"type":5,"invocationId":%q}`, id) }

func TestStreams(t *testing.T) {
	const streaming = "An error occurred on the server while streaming results."
	for _, row := range []struct {
		name   string
		method StreamHandlerFunc
		args   []any
		want   []string
	}{
		{"items", Stream1(func(_ context.Context, _ *Caller, n int) Seq { return count(n) }), []any{3}, []string{item("s", 0), item("s", 1), item("s", 2), completed("s")}},
		{"none", Stream0(func(context.Context, *Caller) Seq { return count(0) }), nil, []string{completed("s")}},
		{"two arguments", Stream2(func(_ context.Context, _ *Caller, a, b int) Seq { return count(a * b) }), []any{1, 2}, []string{item("s", 0), item("s", 1), completed("s")}},
		{"HubError", Stream0(func(context.Context, *Caller) Seq {
			return func(yield func(int, error) bool) { _ = yield(1, nil) && yield(0, Errorf("told")) }
		}), nil, []string{item("s", 1), failure("s", streaming+" HubException: told")}},
		{"hidden error", Stream0(func(context.Context, *Caller) Seq {
			return func(yield func(int, error) bool) { _ = yield(0, context.DeadlineExceeded) }
		}), nil, []string{failure("s", streaming)}},
		{"panic", Stream0(func(context.Context, *Caller) Seq {
			return func(yield func(int, error) bool) { yield(1, nil); panic("boom") }
		}), nil, []string{item("s", 1), failure("s", streaming)}},
		{"failure before there is a stream", func(context.Context, *Invocation) (iter.Seq2[any, error], error) {
			return nil, Errorf("not today")
		}, nil, []string{failure("s", "An unexpected error occurred invoking 'M' on the server. HubException: not today")}},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := hubServer(t, nil, func(h *Hub) { h.HandleStream("M", row.method) })
				c := s.connect()
				for range 2 { // the id is free again when the stream has ended
					c.send(streamInvocation("s", "M", row.args...))
					c.want(row.want...)
				}
			})
		})
	}
}

// TestStreamCancel (F-098): the method's context ends, and a completion without error follows.
func TestStreamCancel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ended := make(chan error, 1)
		s := hubServer(t, nil, func(h *Hub) {
			h.HandleStream("Wait", Stream0(func(ctx context.Context, _ *Caller) Seq {
				return func(yield func(int, error) bool) {
					yield(1, nil)
					<-ctx.Done()
					ended <- ctx.Err()
					yield(0, ctx.Err())
				}
			}))
		})
		c := s.connect()
		c.send(cancelled("unknown"), streamInvocation("s", "Wait"))
		c.want(item("s", 1))
		c.send(streamInvocation("s", "Wait"))
		c.want(failure("s", "Invocation ID 's' is already in use."))
		c.send(cancelled("s"))
		c.want(completed("s"))
		if err := <-ended; err == nil {
			t.Error("the method's context has not ended")
		}
		c.send(streamInvocation("t", "Wait"))
		c.want(item("t", 1))
		_ = c.ws.Close()
		if err := <-ended; err == nil { // F-099
			t.Error("the method's context has not ended with the connection")
		}
	})
}

// TestStreamsNeedNoTurn (F-093): a stream runs beside a call, and calls beside a stream.
func TestStreamsNeedNoTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		s := hubServer(t, nil, func(h *Hub) {
			h.Handle("Slow", Action0(func(context.Context, *Caller) error { <-release; return nil }))
			h.HandleStream("Count", Stream0(func(context.Context, *Caller) Seq { return count(2) }))
			h.HandleStream("Wait", Stream0(func(ctx context.Context, _ *Caller) Seq {
				return func(yield func(int, error) bool) { <-ctx.Done() }
			}))
		})
		c := s.connect()
		c.send(streamInvocation("w", "Wait"), invocation("1", "Slow"), streamInvocation("s", "Count"))
		c.want(item("s", 0), item("s", 1), completed("s"))
		c.send(cancelled("w"))
		c.want(completed("w"))
		close(release)
		c.want(result("1", "null"))
	})
}

// TestStreamBackPressure: a stream goes no further than the client's queue, and is not closed for it.
func TestStreamBackPressure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		produced := 0
		s := hubServer(t, &HubOptions{Connection: ConnectionOptions{SendQueueLimit: 1000, TransportSendTimeout: -1}}, func(h *Hub) {
			h.HandleStream("Endless", Stream0(func(context.Context, *Caller) Seq {
				return func(yield func(int, error) bool) {
					for produced = 0; yield(produced, nil); produced++ {
					}
				}
			}))
		})
		c := s.connect()
		c.send(streamInvocation("s", "Endless"))
		synctest.Wait()
		before := produced
		if before > 40 { // about 45 bytes each
			t.Errorf("%d items were produced for a client that reads nothing", before)
		}
		for i := range 200 {
			if got, want := c.next(), item("s", i); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
		synctest.Wait()
		if n := produced; n < 200 || n > 200+2*before+2 {
			t.Errorf("%d items were produced when 200 were read", n)
		}
		c.send(cancelled("s"))
		for {
			if m := c.next(); m == completed("s") {
				break
			}
		}
	})
}

func TestUploads(t *testing.T) {
	register := func(h *Hub) {
		h.Register(Method{Name: "Sum", StreamArgs: 1, Invoke: func(_ context.Context, inv *Invocation) (any, error) {
			if err := inv.Decode(); err != nil {
				return nil, err
			}
			sum := 0
			for n, err := range StreamArg[int](inv, 0) {
				if err != nil {
					return nil, err
				}
				sum += n
			}
			return sum, nil
		}})
		h.Register(Method{Name: "Two", StreamArgs: 2, Invoke: func(_ context.Context, inv *Invocation) (any, error) {
			var name string
			if err := inv.Decode(&name); err != nil {
				return nil, err
			}
			for i := range 2 {
				for s, err := range StreamArg[string](inv, i) {
					if err != nil {
						return nil, err
					}
					name += s
				}
			}
			return name, nil
		}})
		h.Register(Method{Name: "Double", StreamArgs: 1, Stream: func(_ context.Context, inv *Invocation) (iter.Seq2[any, error], error) {
			return Items(func(yield func(int, error) bool) {
				for n, err := range StreamArg[int](inv, 0) {
					if !yield(2*n, err) {
						return
					}
				}
			}), inv.Decode()
		}})
		h.Register(Method{Name: "First", StreamArgs: 1, Invoke: func(_ context.Context, inv *Invocation) (any, error) {
			for n, err := range StreamArg[int](inv, 0) {
				return n, err
			}
			return nil, inv.Decode()
		}})
	}
	const sum = "An unexpected error occurred invoking 'Sum' on the server."
	for _, row := range []struct {
		name string
		send []string
		want []string
	}{
		{"items", []string{withStreams(invocation("1", "Sum"), "u"), item("u", 1), item("u", 2), completed("u")}, []string{result("1", "3")}},
		{"more than the buffer", append(append([]string{withStreams(invocation("1", "Sum"), "u")},
			strings.Split(strings.Repeat(item("u", 1)+"\n", 99)+item("u", 1), "\n")...), completed("u")), []string{result("1", "100")}},
		{"two streams", []string{withStreams(invocation("1", "Two", "x"), "a", "b"), item("b", `"3"`), item("a", `"1"`), completed("b"), item("a", `"2"`), completed("a")}, []string{result("1", `"x123"`)}},
		{"both ways", []string{withStreams(streamInvocation("1", "Double"), "u"), item("u", 1), item("u", 2), completed("u")}, []string{item("1", 2), item("1", 4), completed("1")}},
		{"client fails", []string{withStreams(invocation("1", "Sum"), "u"), item("u", 1), failure("u", "why")}, []string{failure("1", sum+" HubException: why")}},
		{"client fails without a text", []string{withStreams(invocation("1", "Sum"), "u"), failure("u", "")}, []string{failure("1", sum+" HubException: ")}},
		{"item of another type", []string{withStreams(invocation("1", "Sum"), "u"), item("u", `"x"`), item("u", 1), completed("u")}, []string{failure("1", sum+" HubException: Failed to bind Stream message.")}},
		{"items before their ids", []string{`{"type":2,"item":7,"invocationId":"nobody"}`, withStreams(invocation("1", "Sum"), "u"),
			`{"item":3,"invocationId":"u","type":2}`, completed("u")}, []string{result("1", "3")}},
		{"items that nobody wants", []string{item("nobody", 1), completed("nobody"), withStreams(invocation("1", "Sum"), "u"), completed("u"), item("u", 5)}, []string{result("1", "0")}},
		{"method stops early", []string{withStreams(invocation("1", "First"), "u"), item("u", 7), item("u", 8), item("u", 9)}, []string{result("1", "7")}},
		{"no stream", []string{invocation("1", "Sum")}, []string{failure("1", sum+" HubException: Client sent 0 stream(s), Hub method expects 1.")}},
		{"too many streams", []string{withStreams(invocation("1", "Sum"), "a", "b")}, []string{failure("1", sum+" HubException: Client sent 2 stream(s), Hub method expects 1.")}},
		{"stream for a method without", []string{withStreams(invocation("1", "Echo", "x"), "a")}, []string{failure("1", "An unexpected error occurred invoking 'Echo' on the server. HubException: Client sent 1 stream(s), Hub method expects 0.")}},
		{"one id for two streams", []string{withStreams(invocation("1", "Two", "x"), "a", "a")}, []string{failure("1", "An unexpected error occurred invoking 'Two' on the server. HubException: Stream ID 'a' is already in use.")}},
		{"item without id", []string{item("", 1)}, []string{`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`, "close 1000"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := hubServer(t, nil, register)
				c := s.connect()
				c.send(row.send...)
				c.want(row.want...)
				if !strings.HasPrefix(row.want[len(row.want)-1], "close") {
					if got := c.call("Echo", "alive"); got != result("c", `"alive"`) {
						t.Errorf("afterwards: %s", got)
					}
				}
			})
		})
	}
}

// TestUploadBackPressure (F-102): a stream whose buffer is full holds up everything behind it, and nothing before.
func TestUploadBackPressure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		next, got := make(chan struct{}), make(chan int, 100)
		s := hubServer(t, &HubOptions{StreamBufferCapacity: 3}, func(h *Hub) {
			h.Register(Method{Name: "Take", StreamArgs: 1, Invoke: func(_ context.Context, inv *Invocation) (any, error) {
				if err := inv.Decode(); err != nil {
					return nil, err
				}
				<-next
				for n, err := range StreamArg[int](inv, 0) {
					if err != nil {
						return nil, err
					}
					got <- n
					<-next
				}
				return nil, nil
			}})
		})
		c := s.connect()
		c.send(withStreams(invocation("1", "Take"), "u"), item("u", 0), item("u", 1), item("u", 2), invocation("e1", "Echo", "before"))
		c.want(result("e1", `"before"`))
		c.send(item("u", 3), invocation("e2", "Echo", "behind"), completed("u"))
		answers := make(chan string, 10)
		go func() {
			for range 2 {
				answers <- c.next()
			}
		}()
		synctest.Wait()
		if len(answers) != 0 {
			t.Errorf("%s overtakes an item that waits", <-answers)
		}
		var items []int
		for i := range 4 {
			next <- struct{}{}
			items = append(items, <-got)
			synctest.Wait()
			if want := 1; i == 0 && len(answers) != want {
				t.Errorf("%d answers when there was room again, want %d", len(answers), want)
			}
		}
		next <- struct{}{}
		if diff := cmp.Diff([]int{0, 1, 2, 3}, items); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if a, b := <-answers, <-answers; a != result("e2", `"behind"`) || b != result("1", "null") {
			t.Errorf("answers %s and %s", a, b)
		}
	})
}

// TestUploadEndsWithTheConnection (F-104).
func TestUploadEndsWithTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		failed := make(chan error, 1)
		s := hubServer(t, nil, func(h *Hub) {
			h.Register(Method{Name: "Take", StreamArgs: 1, Invoke: func(_ context.Context, inv *Invocation) (any, error) {
				var last error
				for _, err := range StreamArg[int](inv, 0) {
					last = err
				}
				failed <- last
				return nil, inv.Decode()
			}})
		})
		c := s.connect()
		c.send(withStreams(invocation("", "Take"), "u"), item("u", 1))
		synctest.Wait()
		_ = c.ws.Close()
		if err := <-failed; err == nil || err.Error() != "The underlying connection was closed." {
			t.Errorf("the stream ended with %v", err)
		}
	})
}
