package signalr

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"
)

// TestStreamIDsAreFreeAgain: however a stream ends, its id can be used again.
func TestStreamIDsAreFreeAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const text = "An unexpected error occurred invoking 'Broken' on the server."
		s := hubServer(t, nil, func(h *Hub) {
			h.Register(Method{Name: "Broken", Stream: func(context.Context, *Invocation) (iter.Seq2[any, error], error) {
				return nil, Errorf("no stream")
			}})
			h.Register(Method{Name: "Nothing", Stream: func(context.Context, *Invocation) (iter.Seq2[any, error], error) { return nil, nil }})
			h.HandleStream("One", Stream0(func(context.Context, *Caller) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) { yield(1, nil) }
			}))
		})
		c := s.connect()
		for range 2 {
			c.send(streamInvocation("s", "Broken"))
			c.want(failure("s", text+" HubException: no stream"))
			c.send(streamInvocation("s", "Nothing"))
			c.next() // how it fails is not what this is about
			c.send(streamInvocation("s", "One"))
			c.want(item("s", 1), completed("s"))
		}
	})
}

// TestStreamOfNull: an argument of a stream may be null.
func TestStreamOfNull(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, func(h *Hub) {
			h.HandleStream("IsNull", Stream1(func(_ context.Context, _ *Caller, n *int) iter.Seq2[bool, error] {
				return func(yield func(bool, error) bool) { yield(n == nil, nil) }
			}))
		})
		c := s.connect()
		c.send(streamInvocation("1", "IsNull", nil), streamInvocation("2", "IsNull", 5))
		got := map[string]bool{c.next(): true, c.next(): true, c.next(): true, c.next(): true} // of both, in any order
		for _, want := range []string{item("1", true), completed("1"), item("2", false), completed("2")} {
			if !got[want] {
				t.Errorf("no %s among %v", want, got)
			}
		}
	})
}

// TestUploadedObjects: items are bound like arguments.
func TestUploadedObjects(t *testing.T) {
	type point struct{ X, Y int }
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, func(h *Hub) {
			h.Register(Method{Name: "Add", StreamArgs: 1, Invoke: func(_ context.Context, inv *Invocation) (any, error) {
				var sum point
				for p, err := range StreamArg[point](inv, 0) {
					if err != nil {
						return nil, err
					}
					sum.X, sum.Y = sum.X+p.X, sum.Y+p.Y
				}
				return sum, nil
			}})
		})
		c := s.connect()
		c.send(withStreams(invocation("1", "Add"), "u"), item("u", `{"x":1,"y":2}`), item("u", `{"X":10,"z":0}`), completed("u"))
		c.want(result("1", `{"x":11,"y":2}`))
	})
}

// TestClientResultsInStreams: methods that stream, either way, ask the caller as others do.
func TestClientResultsInStreams(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, func(h *Hub) {
			h.HandleStream("Down", Stream0(func(ctx context.Context, c *Caller) iter.Seq2[int, error] {
				return func(yield func(int, error) bool) { yield(Invoke[int](ctx, c.Clients().Caller(), "Question")) }
			}))
			h.Register(Method{Name: "Up", StreamArgs: 1, Invoke: func(ctx context.Context, inv *Invocation) (any, error) {
				for _, err := range StreamArg[int](inv, 0) {
					if err != nil {
						return nil, err
					}
				}
				return Invoke[int](ctx, inv.Caller().Clients().Caller(), "Question")
			}})
		})
		c := s.connect()
		c.send(streamInvocation("1", "Down"))
		c.want(asked(1, "Question", ""))
		c.send(result("s1", "42"))
		c.want(item("1", 42), completed("1"))
		c.send(withStreams(invocation("2", "Up"), "u"), item("u", 1), completed("u"))
		c.want(asked(2, "Question", ""))
		c.send(result("s2", "43"))
		c.want(result("2", "43"))
	})
}

// TestUploadsLeaveNothing: once a method that reads a stream has ended, whether the client wants an answer or not, its
// stream is forgotten: the id is free for another call.
func TestUploadsLeaveNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		sums := make(chan int, 1)
		s := hubServer(t, nil, func(h *Hub) {
			h.Register(Method{Name: "Sum", StreamArgs: 1, Invoke: func(_ context.Context, inv *Invocation) (any, error) {
				sum := 0
				for n, err := range StreamArg[int](inv, 0) {
					if err != nil {
						return nil, err
					}
					sum += n
				}
				sums <- sum
				return sum, nil
			}})
		})
		c := s.connect()
		for _, id := range []string{"1", "", "2", ""} {
			c.send(withStreams(invocation(id, "Sum"), "u"), item("u", 1), item("u", 2), completed("u"))
			if sum := <-sums; sum != 3 {
				t.Errorf("sum %d", sum)
			}
			if id != "" {
				c.want(result(id, "3"))
			}
			synctest.Wait()
		}
	})
}

// TestPanicAtTheEnd: a method that panics because its context has ended keeps nobody from hearing of the end.
func TestPanicAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		told := make(chan error, 1)
		s := hubServer(t, nil, func(h *Hub) {
			h.Handle("Wait", Action0(func(ctx context.Context, _ *Caller) error {
				<-ctx.Done()
				panic("boom")
			}))
			h.OnDisconnected(func(_ context.Context, _ *Caller, cause error) error { told <- cause; return nil })
		})
		c := s.connect()
		c.send(invocation("", "Wait"))
		synctest.Wait()
		c.send(`{"type":7}`)
		if cause := <-told; cause != nil {
			t.Errorf("OnDisconnected got %v", cause)
		}
	})
}
