package httpconn

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pollers is a bench with n clients whose polls wait, and when each of their Apps was told that it is over.
func pollers(t *testing.T, n int) (b *bench, ended func() []time.Time) {
	t.Helper()
	b = newBench(t)
	var mu sync.Mutex
	var times []time.Time
	b.onEnded = func(a *testApp, _ error) {
		mu.Lock()
		times = append(times, time.Now())
		mu.Unlock()
		_ = a.c.SendLast(text("bye"))
		a.c.Finish(nil)
	}
	for range n {
		target, _ := b.poll()
		waiting := b.start(http.MethodGet, target, "")
		t.Cleanup(func() {
			<-waiting.done
			wantAnswer(t, "poll", waiting.ResponseRecorder, http.StatusOK, octets, "bye")
		})
	}
	synctest.Wait()
	return b, func() []time.Time {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(times)
	}
}

// most is how many of times lie in any second.
func most(times []time.Time) int {
	n := 0
	for i, first := range times {
		j := i
		for j < len(times) && times[j].Sub(first) < time.Second {
			j++
		}
		n = max(n, j-i)
	}
	return n
}

// TestDrainKeepsItsPace: in no second more go than the rate allows, but for one batch, and not many fewer in all.
func TestDrainKeepsItsPace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n, rate = 90, 20
		b, ended := pollers(t, n)
		began := time.Now()
		if err := b.mgr.Drain(context.Background(), rate); err != nil {
			t.Errorf("Drain: %v", err)
		}
		times := ended()
		if took := time.Since(began); len(times) != n || took < (n-1)*time.Second/rate || took > (n+rate)*time.Second/rate {
			t.Errorf("%d of %d connections ended in %v, at %d a second", len(times), n, took, rate)
		}
		if got := most(times); got > rate+4 {
			t.Errorf("%d connections ended within one second, at %d a second", got, rate)
		}
		batches := map[time.Duration]bool{}
		for i := 1; i < n; i++ {
			if d := times[i].Sub(times[i-1]); d > 0 {
				batches[d] = true
			}
		}
		if len(batches) < 10 {
			t.Errorf("the batches are at %d distances from each other: there is no jitter", len(batches))
		}
	})
}

// TestDrainKeepsItsDeadline: with too little time for the pace, connections go evenly and faster.
func TestDrainKeepsItsDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n = 100
		b, ended := pollers(t, n)
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		if err := b.mgr.Drain(ctx, 1); err != nil {
			t.Errorf("Drain: %v", err)
		}
		times := ended()
		if len(times) != n || most(times) > n/4 {
			t.Errorf("%d of %d connections ended, %d within one second; want all of them in 6 s, evenly", len(times), n, most(times))
		}
	})
}

// TestDrainRefuses: nobody negotiates any more; who has done so before may come, and is told to go.
func TestDrainRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, ended := pollers(t, 20)
		early := b.negotiate()
		down := make(chan error, 1)
		go func() { down <- b.mgr.Drain(context.Background(), 10) }()
		synctest.Wait()
		refused := func(when string) {
			t.Helper()
			w := httptest.NewRecorder()
			b.ep.ServeNegotiate(w, request(t.Context(), http.MethodPost, "/c/negotiate?negotiateVersion=1", ""))
			wantAnswer(t, "negotiating "+when, w, http.StatusServiceUnavailable, "text/plain", "")
			if got := w.Header().Get("Retry-After"); got != "1" {
				t.Errorf("Retry-After %q %s, want 1", got, when)
			}
			w = b.do(http.MethodGet, "/c", "", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
				"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
			wantAnswer(t, "a WebSocket "+when, w, http.StatusServiceUnavailable, "text/plain", "")
		}
		refused("meanwhile")
		target := at(early.ConnectionToken)
		wantAnswer(t, "the first poll", b.do(http.MethodGet, target, ""), http.StatusOK, octets, "")
		wantAnswer(t, "the second poll", b.do(http.MethodGet, target, ""), http.StatusOK, octets, "bye")
		if err := <-down; err != nil || len(ended()) != 21 {
			t.Errorf("Drain: %v, %d connections ended", err, len(ended()))
		}
		refused("afterwards")
	})
}

// TestShutdownWhileDraining: whoever loses patience ends the pace.
func TestShutdownWhileDraining(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, ended := pollers(t, 100)
		down := make(chan error, 1)
		go func() { down <- b.mgr.Drain(context.Background(), 1) }()
		time.Sleep(3 * time.Second)
		began := time.Now()
		if err := b.mgr.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-down; err != nil || len(ended()) != 100 || time.Since(began) > time.Second {
			t.Errorf("Drain: %v, %d connections ended %v after the shutdown", err, len(ended()), time.Since(began))
		}
	})
}
