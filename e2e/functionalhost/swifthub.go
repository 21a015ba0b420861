package main

import (
	"context"
	"iter"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
)

// newSwiftHub returns the hub that the Swift client's tests call.
func newSwiftHub(o *signalr.HubOptions) *signalr.Hub {
	h := signalr.NewHub(o)
	h.Handle("Echo", signalr.Action2(func(ctx context.Context, c *signalr.Caller, text *string, value protocol.RawValue) error {
		return c.Clients().Caller().Send(ctx, "EchoBack", text, value)
	}))
	h.Handle("Invoke", signalr.Func2(func(_ context.Context, _ *signalr.Caller, _ *string, value protocol.RawValue) (protocol.RawValue, error) {
		return value, nil
	}))
	h.Handle("InvokeWithoutReturn", signalr.Action1(func(context.Context, *signalr.Caller, *string) error { return nil }))
	h.Handle("InvokeWithClientResult", signalr.Action1(func(ctx context.Context, c *signalr.Caller, text *string) error {
		answer, err := signalr.Invoke[*string](ctx, c.Clients().Caller(), "ClientResult", text)
		if err != nil {
			return err
		}
		return c.Clients().Caller().Send(ctx, "EchoBack", answer)
	}))
	h.Handle("invokeWithEmptyClientResult", signalr.Action1(func(ctx context.Context, c *signalr.Caller, text *string) error {
		if _, err := signalr.Invoke[any](ctx, c.Clients().Caller(), "ClientResult", text); err != nil {
			return err
		}
		return c.Clients().Caller().Send(ctx, "EchoBack", "received")
	}))
	h.HandleStream("Stream", signalr.Stream0(streamABC))
	h.Register(signalr.Method{Name: "AddNumbers", StreamArgs: 1, Invoke: addNumbers})
	h.Register(signalr.Method{Name: "Count", StreamArgs: 1, Stream: count})
	return h
}

// addNumbers adds the client's numbers to the first one.
func addNumbers(_ context.Context, inv *signalr.Invocation) (any, error) {
	var sum int
	if err := inv.Decode(&sum); err != nil {
		return nil, err
	}
	for n, err := range signalr.StreamArg[int](inv, 0) {
		if err != nil {
			return nil, err
		}
		sum += n
	}
	return sum, nil
}

// count streams the numbers behind the first one, one for each item of the client's.
func count(_ context.Context, inv *signalr.Invocation) (iter.Seq2[any, error], error) {
	var n int
	if err := inv.Decode(&n); err != nil {
		return nil, err
	}
	return func(yield func(any, error) bool) {
		for _, err := range signalr.StreamArg[int](inv, 0) {
			n++
			if !yield(n, err) || err != nil {
				return
			}
		}
	}, nil
}
