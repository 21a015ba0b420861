package signalr

import (
	"context"
	"iter"
)

// The adapters below make a [HandlerFunc] of a function with typed parameters: ActionN of one without a result, FuncN of
// one with a result, StreamN of one that streams its results. N is the number of arguments.

// Action0 adapts a method without arguments and result.
func Action0(f func(context.Context, *Caller) error) HandlerFunc {
	return func(ctx context.Context, inv *Invocation) (any, error) {
		if err := inv.Decode(); err != nil {
			return nil, err
		}
		return nil, f(ctx, inv.Caller())
	}
}

// Action1 adapts a method with one argument and no result.
func Action1[A any](f func(context.Context, *Caller, A) error) HandlerFunc {
	return func(ctx context.Context, inv *Invocation) (any, error) {
		var a A
		if err := inv.decode(1, &a, nil, nil); err != nil {
			return nil, err
		}
		return nil, f(ctx, inv.Caller(), a)
	}
}

// Action2 adapts a method with two arguments and no result.
func Action2[A, B any](f func(context.Context, *Caller, A, B) error) HandlerFunc {
	return func(ctx context.Context, inv *Invocation) (any, error) {
		var (
			a A
			b B
		)
		if err := inv.decode(2, &a, &b, nil); err != nil {
			return nil, err
		}
		return nil, f(ctx, inv.Caller(), a, b)
	}
}

// Action3 adapts a method with three arguments and no result.
func Action3[A, B, C any](f func(context.Context, *Caller, A, B, C) error) HandlerFunc {
	return func(ctx context.Context, inv *Invocation) (any, error) {
		var (
			a A
			b B
			c C
		)
		if err := inv.decode(3, &a, &b, &c); err != nil {
			return nil, err
		}
		return nil, f(ctx, inv.Caller(), a, b, c)
	}
}

// Func0 adapts a method without arguments.
func Func0[R any](f func(context.Context, *Caller) (R, error)) HandlerFunc {
	return func(ctx context.Context, inv *Invocation) (any, error) {
		if err := inv.Decode(); err != nil {
			return nil, err
		}
		return f(ctx, inv.Caller())
	}
}

// Func1 adapts a method with one argument.
func Func1[A, R any](f func(context.Context, *Caller, A) (R, error)) HandlerFunc {
	return func(ctx context.Context, inv *Invocation) (any, error) {
		var a A
		if err := inv.decode(1, &a, nil, nil); err != nil {
			return nil, err
		}
		return f(ctx, inv.Caller(), a)
	}
}

// Func2 adapts a method with two arguments.
func Func2[A, B, R any](f func(context.Context, *Caller, A, B) (R, error)) HandlerFunc {
	return func(ctx context.Context, inv *Invocation) (any, error) {
		var (
			a A
			b B
		)
		if err := inv.decode(2, &a, &b, nil); err != nil {
			return nil, err
		}
		return f(ctx, inv.Caller(), a, b)
	}
}

// Func3 adapts a method with three arguments.
func Func3[A, B, C, R any](f func(context.Context, *Caller, A, B, C) (R, error)) HandlerFunc {
	return func(ctx context.Context, inv *Invocation) (any, error) {
		var (
			a A
			b B
			c C
		)
		if err := inv.decode(3, &a, &b, &c); err != nil {
			return nil, err
		}
		return f(ctx, inv.Caller(), a, b, c)
	}
}

// Stream0 adapts a streaming method without arguments.
func Stream0[T any](f func(context.Context, *Caller) iter.Seq2[T, error]) StreamHandlerFunc {
	return func(ctx context.Context, inv *Invocation) (iter.Seq2[any, error], error) {
		if err := inv.Decode(); err != nil {
			return nil, err
		}
		return Items(f(ctx, inv.Caller())), nil
	}
}

// Stream1 adapts a streaming method with one argument.
func Stream1[A, T any](f func(context.Context, *Caller, A) iter.Seq2[T, error]) StreamHandlerFunc {
	return func(ctx context.Context, inv *Invocation) (iter.Seq2[any, error], error) {
		var a A
		if err := inv.decode(1, &a, nil, nil); err != nil {
			return nil, err
		}
		return Items(f(ctx, inv.Caller(), a)), nil
	}
}

// Stream2 adapts a streaming method with two arguments.
func Stream2[A, B, T any](f func(context.Context, *Caller, A, B) iter.Seq2[T, error]) StreamHandlerFunc {
	return func(ctx context.Context, inv *Invocation) (iter.Seq2[any, error], error) {
		var (
			a A
			b B
		)
		if err := inv.decode(2, &a, &b, nil); err != nil {
			return nil, err
		}
		return Items(f(ctx, inv.Caller(), a, b)), nil
	}
}

// Items forgets the type of a sequence, as [StreamHandlerFunc] wants it.
func Items[T any](seq iter.Seq2[T, error]) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for item, err := range seq {
			if !yield(item, err) {
				return
			}
		}
	}
}
