package httpconn

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"signalbox/signalr/transport"
)

// TestShutdown: each App is told, may say a last word, and Shutdown waits for all of it.
func TestShutdown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		b.onEnded = func(a *testApp, _ error) {
			_ = a.c.SendLast(text("bye"))
			a.c.Finish(nil)
		}
		n := b.serve()
		ws := n.socket("/c")
		<-b.apps
		target, _ := b.poll()
		waiting := b.start(http.MethodGet, target, "")
		b.do(http.MethodPost, at(b.negotiate().ConnectionToken), "claimed") // has no App
		unused := b.negotiate()
		synctest.Wait()
		down := make(chan error, 1)
		go func() { down <- b.mgr.Shutdown(context.Background()) }()
		<-waiting.done
		wantAnswer(t, "poll", waiting.ResponseRecorder, http.StatusOK, octets, "bye")
		wantAnswer(t, "next poll", b.do(http.MethodGet, target, ""), http.StatusNotFound, "text/plain", "No Connection with that ID")
		select {
		case err := <-down:
			t.Errorf("Shutdown returned (%v) before the WebSocket was closed", err)
		default:
		}
		last := ""
		if code := closing(ws, func(s string) { last = s }); code != websocket.CloseNormalClosure || last != "bye" {
			t.Errorf("closed with %d after %q", code, last)
		}
		if err := <-down; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		wantAnswer(t, "GET afterwards", b.do(http.MethodGet, at(unused.ConnectionToken), ""), http.StatusNotFound, "text/plain", "No Connection with that ID")
		if _, res, err := n.ws.Dial("ws://httpconn.test/c", nil); err == nil || res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("WebSocket afterwards: %v", err)
		}
		if err := b.mgr.Shutdown(context.Background()); err != nil {
			t.Errorf("second Shutdown: %v", err)
		}
	})
}

// TestShutdownCuts: whoever is not done in time is cut.
func TestShutdownCuts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		_, a := b.poll()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		start := time.Now()
		if err := b.mgr.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v, want that time was up", err)
		}
		if d := time.Since(start); d != 2*time.Second || a.c.Context().Err() == nil || b.mgr.Count() != 0 {
			t.Errorf("after %v: %d connections are left", d, b.mgr.Count())
		}
	})
}

// TestShutdownOfNothing: when there is nothing to wait for no time is needed.
func TestShutdownOfNothing(t *testing.T) {
	for range 50 {
		m, err := NewManager(ManagerOptions{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := m.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// TestIdleManager: no goroutine runs without connections, nor when they are gone and their tokens expired.
func TestIdleManager(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		_, a := b.poll()
		a.c.Abort()
		time.Sleep(time.Minute)
		b.mgr.mu.Lock()
		defer b.mgr.mu.Unlock()
		if b.mgr.ticking || len(b.mgr.spent) > 0 {
			t.Errorf("ticking %t, %d spent tokens are kept", b.mgr.ticking, len(b.mgr.spent))
		}
	})
}

type taskFunc func()

func (f taskFunc) Run() { f() }

func TestWorkers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorkers()
		const tasks = 3 * maxIdleWorkers
		gate, ran := make(chan struct{}), make(chan int, tasks+1)
		for i := range tasks {
			w.Do(taskFunc(func() { <-gate; ran <- i })) // all of them at once: none waits for another
		}
		synctest.Wait()
		close(gate)
		for range tasks {
			<-ran
		}
		synctest.Wait()
		if n := len(w.idle); n != maxIdleWorkers {
			t.Errorf("%d workers stay warm, want %d", n, maxIdleWorkers)
		}
		w.Do(taskFunc(func() { ran <- 0 }))
		<-ran
		w.close()
		w.wait()
		w.Do(taskFunc(func() { ran <- 0 })) // still runs, and leaves nothing behind
		<-ran
	})
}

// TestWorkersWhileWaiting: a send may bring a task while a shutdown waits for the workers, even when none is left.
func TestWorkersWhileWaiting(t *testing.T) {
	for range 200 {
		w := newWorkers()
		ran := make(chan struct{})
		go w.Do(taskFunc(func() { close(ran) }))
		w.close()
		w.wait()
		<-ran
	}
}

// TestShutdownWaitsForEnded: a client drops at the moment of the shutdown. Its App must have been told, and what that
// started must have run, before Shutdown returns.
func TestShutdownWaitsForEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		gate := make(chan struct{})
		b.onEnded = func(*testApp, error) { <-gate }
		_, a := b.poll()
		go a.c.Abort()
		synctest.Wait() // Ended runs
		down := make(chan error, 1)
		go func() { down <- b.mgr.Shutdown(context.Background()) }()
		synctest.Wait()
		select {
		case <-down:
			t.Error("Shutdown has returned while an App is being told that its connection is over")
		default:
		}
		close(gate)
		synctest.Wait()
	})
}

// TestShutdownWaitsForCutHandlers: a handler that only waits for its context is cut when the time is up, and given a
// moment to return.
func TestShutdownWaitsForCutHandlers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ended := make(chan struct{})
		b := newRawBench(t, func(ctx context.Context, _ Snapshot, _ transport.Conn) error {
			defer close(ended)
			<-ctx.Done()
			return nil
		})
		b.do(http.MethodGet, at(b.negotiate().ConnectionToken), "")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := b.mgr.Shutdown(ctx)
		select {
		case <-ended:
		default:
			t.Errorf("Shutdown returned (%v) before the handler did, which heeds its context", err)
		}
	})
}
