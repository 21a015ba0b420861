package httpconn

import (
	"context"
	"sync"
	"time"
)

// Lifetime is a [context.Context] that ends once, by End. It is what [context.WithCancel] gives, at a tenth of the
// memory as long as nobody waits for it, which is nearly all the time of nearly every connection. The zero value is
// ready; it must not be copied.
type Lifetime struct {
	mu    sync.Mutex
	ended bool
	// inner is made when somebody wants to wait. Contexts that are derived from a Lifetime register with it: package
	// context finds it by Value, and needs no goroutine then.
	inner *innerLifetime
}

type innerLifetime struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// End ends the context. Only the first call does something.
func (l *Lifetime) End() {
	l.mu.Lock()
	l.ended = true
	inner := l.inner
	l.mu.Unlock()
	if inner != nil {
		inner.cancel()
	}
}

// Deadline implements [context.Context]: there is none.
func (l *Lifetime) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done implements [context.Context].
func (l *Lifetime) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner == nil {
		ctx, cancel := context.WithCancel(context.Background())
		if l.ended {
			cancel()
		}
		l.inner = &innerLifetime{ctx, cancel}
	}
	return l.inner.ctx.Done()
}

// Err implements [context.Context].
func (l *Lifetime) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner != nil {
		return l.inner.ctx.Err() // in step with what is derived from it
	}
	if l.ended {
		return context.Canceled
	}
	return nil
}

// Value implements [context.Context].
func (l *Lifetime) Value(key any) any {
	l.mu.Lock()
	inner := l.inner
	l.mu.Unlock()
	if inner == nil {
		return nil
	}
	return inner.ctx.Value(key)
}
