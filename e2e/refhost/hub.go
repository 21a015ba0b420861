package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
)

// state is what the hubs of the process share.
type state struct {
	live  atomic.Int64
	mu    sync.Mutex
	notes []int32
}

// newTestHub returns the reference server's TestHub.
func newTestHub(st *state, o signalr.HubOptions) *signalr.Hub {
	h := signalr.NewHub(&o)
	h.OnConnected(func(ctx context.Context, c *signalr.Caller) error {
		st.live.Add(1)
		if c.Request().Query().Get("hello") == "1" {
			return c.Clients().Caller().Send(ctx, "Hello", c.ConnectionID())
		}
		return nil
	})
	h.OnDisconnected(func(_ context.Context, c *signalr.Caller, cause error) error {
		st.live.Add(-1)
		name := ""
		var named interface{ ErrorName() string }
		if errors.As(cause, &named) {
			name = " " + named.ErrorName()
		}
		fmt.Printf("DISCONNECTED %s%s\n", c.ConnectionID(), name)
		return nil
	})
	registerCalls(h, st)
	registerSends(h)
	registerStreams(h)
	registerResults(h)
	return h
}

func registerCalls(h *signalr.Hub, st *state) {
	h.Handle("Echo", signalr.Func1(func(_ context.Context, _ *signalr.Caller, s *string) (*string, error) { return s, nil }))
	h.Handle("Add", signalr.Func2(func(_ context.Context, _ *signalr.Caller, a, b int32) (int32, error) { return a + b, nil }))
	h.Handle("Void", signalr.Action0(func(context.Context, *signalr.Caller) error { return nil }))
	h.Handle("EchoPerson", signalr.Func1(func(_ context.Context, _ *signalr.Caller, p *Person) (Person, error) {
		if p == nil {
			return Person{}, &exception{"NullReferenceException", "Object reference not set to an instance of an object."}
		}
		return Person{p.Name, p.Age + 1}, nil
	}))
	h.Handle("Fail", signalr.Func0(func(context.Context, *signalr.Caller) (string, error) {
		return "", signalr.Errorf("failed on purpose")
	}))
	h.Handle("Panic", signalr.Func0(func(context.Context, *signalr.Caller) (string, error) {
		return "", &exception{"InvalidOperationException", "secret panic text"}
	}))
	h.Handle("Me", signalr.Func0(func(_ context.Context, c *signalr.Caller) (string, error) { return c.ConnectionID(), nil }))
	h.Handle("User", signalr.Func0(func(_ context.Context, c *signalr.Caller) (any, error) {
		if u := c.UserID(); u != "" {
			return u, nil
		}
		return nil, nil
	}))
	h.Handle("AbortMe", signalr.Action0(func(_ context.Context, c *signalr.Caller) error {
		c.Abort()
		return nil
	}))
	h.Handle("Slow", signalr.Func1(func(ctx context.Context, _ *signalr.Caller, ms int32) (string, error) {
		if ms < 0 {
			return "", pause(ctx, ms)
		}
		time.Sleep(time.Duration(ms) * time.Millisecond) // heeds no context, as there
		return "slow", nil
	}))
	h.Handle("Note", signalr.Action1(func(_ context.Context, _ *signalr.Caller, i int32) error {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.notes = append(st.notes, i)
		return nil
	}))
	h.Handle("Notes", signalr.Func0(func(context.Context, *signalr.Caller) ([]int32, error) {
		st.mu.Lock()
		defer st.mu.Unlock()
		all := st.notes
		st.notes = nil
		if all == nil {
			all = []int32{}
		}
		return all, nil
	}))
	h.Handle("EchoAny", signalr.Func1(func(_ context.Context, _ *signalr.Caller, v protocol.RawValue) (protocol.RawValue, error) {
		return v, nil
	}))
	h.Handle("EchoMap", signalr.Func1(func(_ context.Context, _ *signalr.Caller, m map[string]int32) (map[string]int32, error) {
		return m, nil
	}))
	h.Handle("EchoBytes", signalr.Func1(func(_ context.Context, _ *signalr.Caller, b []byte) ([]byte, error) { return b, nil }))
	h.Handle("EchoTime", signalr.Func1(func(_ context.Context, _ *signalr.Caller, t time.Time) (time.Time, error) { return t, nil }))
	h.Handle("EchoComplex", signalr.Func1(func(_ context.Context, _ *signalr.Caller, v *Complex) (*Complex, error) { return v, nil }))
}

func registerSends(h *signalr.Hub) {
	type caller = *signalr.Caller
	h.Handle("Broadcast", signalr.Action1(func(ctx context.Context, c caller, m *string) error {
		return c.Clients().All().Send(ctx, "Receive", m)
	}))
	h.Handle("SendCaller", signalr.Action1(func(ctx context.Context, c caller, m *string) error {
		return c.Clients().Caller().Send(ctx, "Receive", m)
	}))
	h.Handle("SendOthers", signalr.Action1(func(ctx context.Context, c caller, m *string) error {
		return c.Clients().Others().Send(ctx, "Receive", m)
	}))
	h.Handle("SendTo", signalr.Action2(func(ctx context.Context, c caller, id, m *string) error {
		if id == nil {
			return argumentNull("connectionId")
		}
		return c.Clients().Client(*id).Send(ctx, "Receive", m)
	}))
	h.Handle("SendToUser", signalr.Action2(func(ctx context.Context, c caller, user, m *string) error {
		if user == nil {
			return argumentNull("userId")
		}
		return c.Clients().User(*user).Send(ctx, "Receive", m)
	}))
	h.Handle("JoinGroup", signalr.Action1(func(ctx context.Context, c caller, g *string) error {
		if g == nil {
			return argumentNull("groupName")
		}
		return c.Groups().Add(ctx, c.ConnectionID(), *g)
	}))
	h.Handle("LeaveGroup", signalr.Action1(func(ctx context.Context, c caller, g *string) error {
		if g == nil {
			return argumentNull("groupName")
		}
		return c.Groups().Remove(ctx, c.ConnectionID(), *g)
	}))
	h.Handle("SendToGroup", signalr.Action2(func(ctx context.Context, c caller, g, m *string) error {
		if g == nil {
			return argumentNull("groupName")
		}
		return c.Clients().Group(*g).Send(ctx, "Receive", m)
	}))
	h.Handle("SendToOthersInGroup", signalr.Action2(func(ctx context.Context, c caller, g, m *string) error {
		if g == nil {
			return argumentNull("groupName")
		}
		return c.Clients().OthersInGroup(*g).Send(ctx, "Receive", m)
	}))
	h.Handle("SendAllExcept", signalr.Action2(func(ctx context.Context, c caller, ids []string, m *string) error {
		if ids == nil {
			return argumentNull("source")
		}
		return c.Clients().AllExcept(ids...).Send(ctx, "Receive", m)
	}))
	h.Handle("SendGroupExcept", signalr.Action3(func(ctx context.Context, c caller, g *string, ids []string, m *string) error {
		if g == nil {
			return argumentNull("groupName")
		}
		return c.Clients().GroupExcept(*g, ids...).Send(ctx, "Receive", m)
	}))
	h.Handle("Burst", signalr.Action1(func(ctx context.Context, c caller, n int32) error {
		for i := range n {
			if err := c.Clients().Caller().Send(ctx, "Seq", i); err != nil {
				return err
			}
		}
		return nil
	}))
}

func registerStreams(h *signalr.Hub) {
	counter := signalr.Stream2(func(ctx context.Context, _ *signalr.Caller, n, delayMs int32) iter.Seq2[int32, error] {
		return func(yield func(int32, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
				if err := pause(ctx, delayMs); err != nil {
					yield(0, err)
					return
				}
			}
		}
	})
	h.HandleStream("Counter", counter)
	h.HandleStream("CounterChannel", counter)
	h.HandleStream("Infinite", signalr.Stream0(func(ctx context.Context, _ *signalr.Caller) iter.Seq2[int32, error] {
		return func(yield func(int32, error) bool) {
			for i := int32(0); yield(i, nil) && pause(ctx, 5) == nil; i++ {
			}
		}
	}))
	h.HandleStream("CounterFail", signalr.Stream1(func(_ context.Context, _ *signalr.Caller, n int32) iter.Seq2[int32, error] {
		return func(yield func(int32, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
			yield(0, signalr.Errorf("stream failed on purpose"))
		}
	}))
	h.Register(signalr.Method{Name: "Upload", StreamArgs: 1, Invoke: func(_ context.Context, inv *signalr.Invocation) (any, error) {
		if err := inv.Decode(); err != nil {
			return nil, err
		}
		return sum(signalr.StreamArg[int32](inv, 0))
	}})
	h.Register(signalr.Method{Name: "UploadDouble", StreamArgs: 1, Stream: func(_ context.Context, inv *signalr.Invocation) (iter.Seq2[any, error], error) {
		if err := inv.Decode(); err != nil {
			return nil, err
		}
		return signalr.Items(double(signalr.StreamArg[int32](inv, 0))), nil
	}})
	h.Register(signalr.Method{Name: "UploadTwo", StreamArgs: 2, Invoke: func(_ context.Context, inv *signalr.Invocation) (any, error) {
		var name string
		if err := inv.Decode(&name); err != nil {
			return nil, err
		}
		return sumBoth(signalr.StreamArg[int32](inv, 0), signalr.StreamArg[int32](inv, 1))
	}})
}

// pause waits; -1 is for ever, and other negative delays are an error, as they are there.
func pause(ctx context.Context, ms int32) error {
	if ms == -1 {
		<-ctx.Done()
		return ctx.Err()
	}
	if ms < 0 {
		return &exception{"ArgumentOutOfRangeException", "The value needs to be either -1 (signifying an infinite timeout), " +
			"0 or a positive integer. (Parameter 'millisecondsDelay')"}
	}
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func sum(items iter.Seq2[int32, error]) (int32, error) {
	var total int32
	for i, err := range items {
		if err != nil {
			return 0, err
		}
		total += i
	}
	return total, nil
}

// sumBoth reads both streams at once: neither may wait for the other's end.
func sumBoth(a, b iter.Seq2[int32, error]) (int32, error) {
	var (
		wg       sync.WaitGroup
		first    int32
		firstErr error
	)
	wg.Go(func() { first, firstErr = sum(a) })
	second, err := sum(b)
	wg.Wait()
	return first + second, errors.Join(firstErr, err)
}

func double(items iter.Seq2[int32, error]) iter.Seq2[int32, error] {
	return func(yield func(int32, error) bool) {
		for i, err := range items {
			if !yield(2*i, err) || err != nil {
				return
			}
		}
	}
}

func registerResults(h *signalr.Hub) {
	h.Handle("AskCaller", signalr.Func1(func(ctx context.Context, c *signalr.Caller, x int32) (int32, error) {
		ctx, cancel := context.WithTimeout(ctx, resultTimeout)
		defer cancel()
		return signalr.Invoke[int32](ctx, c.Clients().Caller(), "Ask", x)
	}))
	h.Handle("AskOther", signalr.Func2(func(ctx context.Context, c *signalr.Caller, id, q *string) (*string, error) {
		if id == nil {
			return nil, argumentNull("connectionId")
		}
		ctx, cancel := context.WithTimeout(ctx, resultTimeout)
		defer cancel()
		return signalr.Invoke[*string](ctx, c.Clients().Client(*id), "AskText", q)
	}))
}

// clientText is an error as the reference server prints it.
func clientText(err error) string {
	if he, ok := errors.AsType[*signalr.HubError](err); ok {
		return he.Message
	}
	return err.Error()
}
