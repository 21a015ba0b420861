package httpconn

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

type shortFunc func()

func (f shortFunc) Run()        { f() }
func (f shortFunc) Short() bool { return true }

// hotBench has a WebSocket whose App knows four messages: a short call, one that waits for "go", and one that does so
// and is not short.
func hotBench(t *testing.T) (b *bench, say func(string), d *wsDriver) {
	t.Helper()
	b = newBench(t)
	gate := make(chan struct{})
	b.onReceive = func(a *testApp, data []byte) (Task, error) {
		switch m := string(data); m {
		case "go":
			gate <- struct{}{}
			return nil, nil
		case "wait":
			return shortFunc(func() { <-gate; a.got <- m }), nil
		case "wait long":
			return taskFunc(func() { <-gate; a.got <- m }), nil
		default:
			return shortFunc(func() { a.got <- m }), nil
		}
	}
	ws := b.serve().socket("/c")
	a := <-b.apps
	say = func(m string) {
		t.Helper()
		if err := ws.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
			t.Fatal(err)
		}
		if m == "call" {
			<-a.got
		}
	}
	say("call")
	synctest.Wait()
	return b, say, a.c.wsDriverForTest()
}

func TestHotConnection(t *testing.T) {
	heat := func(say func(string)) {
		for range 2 * hotStreak {
			say("call")
		}
		synctest.Wait()
	}
	t.Run("runs calls in its reader", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			_, say, d := hotBench(t)
			if d.hot != nil {
				t.Fatal("hot after one message")
			}
			heat(say)
			if d.hot == nil || d.hot.state.Load() != hotUsed {
				t.Fatal("not hot after many messages")
			}
		})
	})
	t.Run("is read while a call takes its time", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b, say, d := hotBench(t)
			heat(say)
			say("wait")
			say("go")
			synctest.Wait()
			if n := len(b.mgr.hot); n != 0 || d.hot != nil {
				t.Error("hot, though its calls are not short")
			}
			heat(say)
			if d.hot != nil {
				t.Error("hot again, though its calls were not short a moment ago")
			}
			for range -slowStreak {
				say("call")
			}
			heat(say)
			if d.hot == nil {
				t.Error("never hot again")
			}
		})
	})
	t.Run("runs other calls on workers", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			_, say, d := hotBench(t)
			heat(say)
			start := time.Now()
			say("wait long")
			say("go")
			synctest.Wait()
			if waited := time.Since(start); waited > 0 || d.hot == nil {
				t.Errorf("read on after %v, hot %t", waited, d.hot != nil)
			}
			same := d.hot
			for range 40 { // two seconds
				time.Sleep(50 * time.Millisecond)
				say("wait long")
				say("go")
			}
			synctest.Wait()
			if d.hot != same {
				t.Error("has cooled while it was busy")
			}
		})
	})
	t.Run("cools", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b, say, d := hotBench(t)
			heat(say)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if n := len(b.mgr.hot); n != 0 || b.mgr.watching {
				t.Errorf("%d are hot after two seconds of silence, watching %t", n, b.mgr.watching)
			}
			say("call")
			synctest.Wait()
			if d.hot != nil {
				t.Error("hot after a single message")
			}
		})
	})
	t.Run("ends", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b, say, d := hotBench(t)
			heat(say)
			d.c.Abort()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if n := len(b.mgr.hot); n != 0 {
				t.Errorf("%d are hot after the end", n)
			}
		})
	})
}
