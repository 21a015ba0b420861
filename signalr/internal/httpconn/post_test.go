package httpconn

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/signalr/transport"
)

func TestPost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		target, a := b.poll()
		for _, body := range []string{"one", "", "a\x1eb\x1e"} {
			wantAnswer(t, "POST", b.do(http.MethodPost, target, body), http.StatusOK, "text/plain", "")
			if body == "" {
				continue
			}
			if got := <-a.got; got != body {
				t.Errorf("received %q, want %q", got, body)
			}
		}
	})
	b := newBench(t)
	wantAnswer(t, "without id", b.do(http.MethodPost, "/c", "x"), http.StatusBadRequest, "text/plain", "Connection ID required")
	wantAnswer(t, "unknown id", b.do(http.MethodPost, "/c?id=x", "x"), http.StatusNotFound, "text/plain", "No Connection with that ID")
}

// TestPostBeforeTheTransport (F-031): what is posted before the first GET is read first, also by a WebSocket.
func TestPostBeforeTheTransport(t *testing.T) {
	for _, row := range []struct {
		name string
		open func(*network, string)
	}{
		{"long polling", func(n *network, target string) { n.b.do(http.MethodGet, target, "") }},
		{"event stream", func(n *network, target string) { n.get(target, "Accept", "text/event-stream") }},
		{"WebSocket", func(n *network, target string) {
			if err := n.socket(target).WriteMessage(1, []byte("3")); err != nil {
				n.b.t.Error(err)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t)
				n := b.serve()
				target := at(b.negotiate().ConnectionToken)
				for _, body := range []string{"1", "2"} {
					wantAnswer(t, "POST", b.do(http.MethodPost, target, body), http.StatusOK, "text/plain", "")
				}
				row.open(n, target)
				a := <-b.apps
				got := <-a.got
				if row.name == "WebSocket" {
					got += <-a.got
					wantAnswer(t, "POST", b.do(http.MethodPost, target, "x"), http.StatusMethodNotAllowed, "text/plain",
						"POST requests are not allowed for WebSocket connections.")
				} else {
					b.do(http.MethodPost, target, "3")
					got += <-a.got
				}
				if got != "123" {
					t.Errorf("received %q, want 123", got)
				}
			})
		})
	}
}

// TestPostBeforeTheTransportIsBounded: more than the bound waits for a transport, and for no longer than a connection
// without one is kept.
func TestPostBeforeTheTransportIsBounded(t *testing.T) {
	small := func(o *EndpointOptions) { o.ApplicationMaxBufferSize = 100 }
	t.Run("transport comes", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t, small)
			target := at(b.negotiate().ConnectionToken)
			b.do(http.MethodPost, target, strings.Repeat("a", 80))
			waiting := b.start(http.MethodPost, target, strings.Repeat("b", 80))
			synctest.Wait()
			if waiting.isDone() {
				t.Error("more than the bound was taken")
			}
			b.do(http.MethodGet, target, "")
			<-waiting.done
			wantAnswer(t, "POST", waiting.ResponseRecorder, http.StatusOK, "text/plain", "")
			a := <-b.apps
			if first, second := <-a.got, <-a.got; first[0] != 'a' || second[0] != 'b' {
				t.Errorf("received %q, then %q", first, second)
			}
		})
	})
	t.Run("transport does not come", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t, small)
			target := at(b.negotiate().ConnectionToken)
			b.do(http.MethodPost, target, strings.Repeat("a", 80))
			waiting := b.start(http.MethodPost, target, strings.Repeat("b", 80))
			<-waiting.done
			wantAnswer(t, "POST", waiting.ResponseRecorder, http.StatusNotFound, "text/plain", "")
		})
	})
}

// TestPostsAreTakenInTurn (F-031): the second POST is not read before the first has been taken.
func TestPostsAreTakenInTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		target, a := b.poll()
		body, w := io.Pipe()
		first := make(chan struct{})
		go func() {
			defer close(first)
			r := request(t.Context(), http.MethodPost, target, "")
			r.Body = body
			b.ep.ServeHTTP(httptest.NewRecorder(), r)
		}()
		_, _ = w.Write([]byte("1a"))
		second := b.start(http.MethodPost, target, "2")
		third := b.start(http.MethodPost, target, "3")
		synctest.Wait()
		if second.isDone() || third.isDone() {
			t.Error("a POST overtakes another")
		}
		third.cancel() // whose client has gone is not served
		<-third.done
		_, _ = w.Write([]byte("1b"))
		_ = w.Close()
		<-second.done
		got := ""
		for range 3 {
			got += <-a.got + " "
		}
		if got != "1a 1b 2 " {
			t.Errorf("received %q", got)
		}
	})
}

// TestPostBackPressure (F-032): a POST waits while the App takes nothing more, and learns when it never will.
func TestPostBackPressure(t *testing.T) {
	read := make(chan struct{})
	limit := func(o *EndpointOptions) { o.ApplicationMaxBufferSize = 1000 }
	handler := func(ctx context.Context, _ Snapshot, conn transport.Conn) error {
		select {
		case <-read:
		case <-ctx.Done():
			return nil
		}
		return echo(ctx, Snapshot{}, conn)
	}
	t.Run("room comes", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			read = make(chan struct{})
			b := newRawBench(t, handler, limit)
			target := at(b.negotiate().ConnectionToken)
			b.do(http.MethodGet, target, "")
			big := strings.Repeat("0123456789", 5000)
			post := b.start(http.MethodPost, target, big)
			synctest.Wait()
			if post.isDone() {
				t.Error("a POST of 50 kB was taken although only 1 kB may wait")
			}
			close(read)
			got := ""
			for len(got) < len(big) {
				got += b.do(http.MethodGet, target, "").Body.String()
			}
			<-post.done
			if got != big || post.Code != http.StatusOK {
				t.Errorf("%d, %d bytes came back of %d", post.Code, len(got), len(big))
			}
		})
	})
	t.Run("connection ends", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			read = make(chan struct{})
			b := newRawBench(t, handler, limit)
			target := at(b.negotiate().ConnectionToken)
			b.do(http.MethodGet, target, "")
			post := b.start(http.MethodPost, target, strings.Repeat("x", 50_000))
			<-post.done // nobody polls: the connection is over after 15 s
			wantAnswer(t, "POST", post.ResponseRecorder, http.StatusNotFound, "text/plain", "")
		})
	})
}

// TestPostBeforeDelete (F-032): what was posted and not read when the connection is deleted was not taken.
func TestPostBeforeDelete(t *testing.T) {
	for range 20 { // who is first of several that are woken is chance
		bubble(t, func(t *testing.T) {
			b := newRawBench(t, echo, func(o *EndpointOptions) { o.ApplicationMaxBufferSize, o.SendQueueLimit = 1000, 1000 })
			target := at(b.negotiate().ConnectionToken)
			b.do(http.MethodGet, target, "")
			post := b.start(http.MethodPost, target, strings.Repeat("x", 50_000))
			synctest.Wait()
			b.do(http.MethodDelete, target, "")
			<-post.done
			wantAnswer(t, "POST", post.ResponseRecorder, http.StatusNotFound, "text/plain", "")
		})
	}
}

// TestPostBodyFails: the client breaks off (F-032).
func TestPostBodyFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		target, a := b.poll()
		body, w := io.Pipe()
		_ = w.CloseWithError(io.ErrUnexpectedEOF)
		r := request(t.Context(), http.MethodPost, target, "")
		r.Body = body
		answer := httptest.NewRecorder()
		b.ep.ServeHTTP(answer, r)
		wantAnswer(t, "POST", answer, http.StatusBadRequest, "text/plain", "")
		wantAnswer(t, "next POST", b.do(http.MethodPost, target, "x"), http.StatusOK, "text/plain", "")
		if got := <-a.got; got != "x" {
			t.Errorf("received %q", got)
		}
	})
}

// TestSlowPostHoldsNobodyUp: bodies that trickle in hold up their own connection alone.
func TestSlowPostHoldsNobodyUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		slow, slowApp := b.poll()
		fast, fastApp := b.poll()
		body, w := io.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			r := request(t.Context(), http.MethodPost, slow, "")
			r.Body = body
			b.ep.ServeHTTP(httptest.NewRecorder(), r)
		}()
		for _, c := range "slow" {
			_, _ = w.Write([]byte(string(c)))
			time.Sleep(time.Second)
			b.do(http.MethodPost, fast, "fast")
			if got := <-fastApp.got; got != "fast" {
				t.Errorf("received %q", got)
			}
		}
		_ = w.Close()
		<-done
		if got := <-slowApp.got + <-slowApp.got + <-slowApp.got + <-slowApp.got; got != "slow" {
			t.Errorf("received %q", got)
		}
	})
}

// TestPostEndsWithItsConnection (F-032): the body of a POST never comes, and meanwhile the connection ends.
func TestPostEndsWithItsConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		n := b.serve()
		target, a := b.poll()
		body, w := io.Pipe()
		defer w.Close()
		status := make(chan string, 1)
		go func() {
			res, err := n.http.Post("http://httpconn.test"+target, "text/plain", body)
			if err != nil {
				status <- err.Error()
				return
			}
			status <- res.Status
			_ = res.Body.Close()
		}()
		if _, err := w.Write([]byte("half of")); err != nil {
			t.Fatal(err)
		}
		if got := <-a.got; got != "half of" {
			t.Fatalf("received %q", got)
		}
		a.c.Abort()
		time.Sleep(time.Minute)
		select {
		case got := <-status:
			if got != "404 Not Found" {
				t.Errorf("the POST was answered with %s, want 404", got)
			}
		default:
			t.Error("the POST hangs although its connection is over")
			_ = w.CloseWithError(io.ErrClosedPipe)
			<-status
		}
	})
}

// deadlineWriter is a ResponseWriter whose deadlines take their time.
type deadlineWriter struct {
	*httptest.ResponseRecorder
	gate chan struct{}
}

func (w deadlineWriter) SetReadDeadline(time.Time) error {
	<-w.gate
	return nil
}

// TestNothingTouchesAResponseAfterItsHandler: what a POST has arranged for the end of its connection must be over when
// its handler returns: the response belongs to the next request then, and over HTTP/2 it is nil.
func TestNothingTouchesAResponseAfterItsHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		target, a := b.poll()
		body, w := io.Pipe()
		gate, returned := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(returned)
			r := request(t.Context(), http.MethodPost, target, "")
			r.Body = body
			b.ep.ServeHTTP(deadlineWriter{httptest.NewRecorder(), gate}, r)
		}()
		synctest.Wait()
		a.c.Abort()
		synctest.Wait() // the deadline is being set
		_ = w.Close()
		synctest.Wait()
		select {
		case <-returned:
			t.Error("the handler has returned while its response is still in use")
		default:
		}
		close(gate)
		<-returned
	})
}
