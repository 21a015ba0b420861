package httpconn

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// small sets a bound for the queue.
func small(o *EndpointOptions) { o.SendQueueLimit = 1000 }

// sized is a frame that counts as n bytes, begins with name and is told from others by it.
func sized(name string, n int) Frame {
	f := text(name + strings.Repeat(".", n))
	return text(name + strings.Repeat(".", n-(f.Size()-n)))
}

func TestQueueBound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, small)
		target, a := b.poll()
		for i := range 4 {
			if err := a.c.Send(sized(fmt.Sprint(i), 250)); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		if err := a.c.Send(text("x")); !errors.Is(err, ErrQueueFull) {
			t.Errorf("sending to a full queue: %v, want ErrQueueFull", err)
		}
		got := b.do(http.MethodGet, target, "").Body.String()
		if short := strings.ReplaceAll(got, ".", ""); short != "0123" || len(got) < 900 {
			t.Errorf("poll: %q, %d bytes", short, len(got))
		}
		if err := a.c.Send(sized("y", 1000)); err != nil {
			t.Errorf("sending when the queue has been fetched: %v", err)
		}
	})
}

// TestLastWord: it goes past the bound, and nothing goes behind it.
func TestLastWord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, small)
		target, a := b.poll()
		if err := a.c.Send(sized("full", 1000)); err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error, 1)
		go func() { waiting <- a.c.SendWait(t.Context(), text("waits"), nil) }()
		synctest.Wait()
		if err := a.c.SendLast(text("last")); err != nil {
			t.Errorf("the last word: %v", err)
		}
		if err := <-waiting; !errors.Is(err, ErrClosed) {
			t.Errorf("a send that waited: %v, want ErrClosed", err)
		}
		if err := a.c.Send(text("x")); !errors.Is(err, ErrClosed) {
			t.Errorf("a send behind it: %v, want ErrClosed", err)
		}
		if err := a.c.SendNow(t.Context(), text("x"), nil); !errors.Is(err, ErrClosed) {
			t.Errorf("a send behind it: %v, want ErrClosed", err)
		}
		if got := strings.ReplaceAll(b.do(http.MethodGet, target, "").Body.String(), ".", ""); got != "fulllast" {
			t.Errorf("poll: %q", got)
		}
	})
}

// TestLargeMessage: one message passes an empty queue however long it is, and nothing else passes behind it.
func TestLargeMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, small)
		target, a := b.poll()
		if err := a.c.Send(sized("large", 100_000)); err != nil {
			t.Fatal(err)
		}
		if err := a.c.Send(text("x")); !errors.Is(err, ErrQueueFull) {
			t.Errorf("sending behind it: %v, want ErrQueueFull", err)
		}
		if got := b.do(http.MethodGet, target, "").Body.Len(); got < 99_000 {
			t.Errorf("poll: %d bytes", got)
		}
	})
}

func TestSendWait(t *testing.T) {
	t.Run("room comes", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t, small)
			target, a := b.poll()
			sent := make(chan error, 10)
			go func() {
				for i := range 5 {
					sent <- a.c.SendWait(t.Context(), sized(fmt.Sprint(i), 600), nil)
				}
				close(sent)
			}()
			got := ""
			for i := range 5 {
				synctest.Wait()
				if len(sent) != 1 {
					t.Fatalf("%d messages are in the queue, want 1", len(sent))
				}
				if err := <-sent; err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				got += b.do(http.MethodGet, target, "").Body.String()
			}
			if got = strings.ReplaceAll(got, ".", ""); got != "01234" {
				t.Errorf("got %q", got)
			}
		})
	})
	for _, row := range []struct {
		name string
		do   func(*testApp, context.CancelFunc)
		want error
	}{
		{"context ends", func(_ *testApp, cancel context.CancelFunc) { cancel() }, context.Canceled},
		{"connection is cut", func(a *testApp, _ context.CancelFunc) { a.c.Abort() }, ErrClosed},
		{"App is done", func(a *testApp, _ context.CancelFunc) { a.c.Finish(nil) }, ErrClosed},
		{"queue is dropped", func(a *testApp, _ context.CancelFunc) { a.c.Clear() }, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t, small)
				_, a := b.poll()
				if err := a.c.Send(sized("1", 1000)); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				sent := make(chan error, 1)
				go func() { sent <- a.c.SendWait(ctx, text("2"), nil) }()
				synctest.Wait()
				row.do(a, cancel)
				if err := <-sent; !errors.Is(err, row.want) {
					t.Errorf("SendWait: %v, want %v", err, row.want)
				}
			})
		})
	}
}

// TestQueueCountsWhatIsBeingWritten: what a WebSocket has taken and not written yet fills the queue.
func TestQueueCountsWhatIsBeingWritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, small)
		n := b.serve()
		ws := n.socket("/c")
		a := <-b.apps
		<-a.started
		synctest.Wait()
		if err := a.c.Send(sized("1", 800)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it is being written, and nobody reads
		if err := a.c.Send(sized("2", 800)); !errors.Is(err, ErrQueueFull) {
			t.Errorf("sending: %v, want ErrQueueFull", err)
		}
		if _, p, err := ws.ReadMessage(); err != nil || p[0] != '1' {
			t.Fatalf("read %.10q, %v", p, err)
		}
		synctest.Wait()
		if err := a.c.Send(sized("3", 800)); err != nil {
			t.Errorf("sending when it was written: %v", err)
		}
	})
}

// TestOrder: what one goroutine sends arrives in its order, however it is sent.
func TestOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const senders, each = 4, 300
		b := newBench(t, small)
		n := b.serve()
		ws := n.socket("/c")
		a := <-b.apps
		for s := range senders {
			go func() {
				for i := range each {
					f := text(fmt.Sprintf("%d %d", s, i))
					var err error
					if i%2 == 0 {
						err = a.c.SendNow(t.Context(), f, nil)
					} else {
						err = a.c.SendWait(t.Context(), f, nil)
					}
					if err != nil {
						t.Errorf("sending: %v", err)
						return
					}
				}
			}()
		}
		var next [senders]int
		for range senders * each {
			_, p, err := ws.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			var s, i int
			if _, err := fmt.Sscanf(string(p), "%d %d", &s, &i); err != nil {
				t.Fatalf("%q: %v", p, err)
			}
			if i != next[s] {
				t.Fatalf("sender %d: message %d came when %d was due", s, i, next[s])
			}
			next[s]++
		}
	})
}

func TestFrame(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		want := strings.Repeat("x", n)
		f := text(want)
		if got := string(f.Payload()); got != want {
			t.Errorf("%d bytes: payload has %d", n, len(got))
		}
	}
}
