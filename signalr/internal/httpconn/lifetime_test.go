package httpconn

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
)

type lifetimeKey struct{}

func TestLifetime(t *testing.T) {
	t.Run("ends", func(t *testing.T) {
		var l Lifetime
		if err := l.Err(); err != nil {
			t.Fatalf("error %v before the end", err)
		}
		done := l.Done()
		l.End()
		l.End()
		<-done
		if err := l.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v after the end", err)
		}
	})
	t.Run("ended before anybody asked", func(t *testing.T) {
		var l Lifetime
		l.End()
		if err := l.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		<-l.Done()
		if err := context.Cause(&l); !errors.Is(err, context.Canceled) {
			t.Errorf("cause %v", err)
		}
	})
	t.Run("ends what is derived from it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var l Lifetime
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithCancel(context.WithValue(&l, lifetimeKey{}, 1))
			defer cancel()
			if n := runtime.NumGoroutine(); n != before {
				t.Errorf("deriving a context started %d goroutines", n-before)
			}
			called := make(chan struct{})
			context.AfterFunc(&l, func() { close(called) })
			l.End()
			<-ctx.Done()
			<-called
		})
	})
	t.Run("forgets what is derived from it", func(t *testing.T) {
		var l Lifetime
		ctx, cancel := context.WithCancel(&l)
		cancel()
		if l.Err() != nil || ctx.Err() == nil {
			t.Errorf("errors %v and %v", l.Err(), ctx.Err())
		}
	})
	t.Run("is small", func(t *testing.T) {
		l := new(Lifetime)
		if n := testing.AllocsPerRun(100, func() {
			if l.Err() != nil || l.Value(lifetimeKey{}) != nil {
				t.Error("it has ended, or has a value")
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
