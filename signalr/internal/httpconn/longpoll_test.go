package httpconn

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/transport"
)

const octets = "application/octet-stream"

func TestPolls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		target := at(b.negotiate().ConnectionToken)
		first := b.do(http.MethodGet, target, "")
		wantAnswer(t, "first poll", first, http.StatusOK, octets, "")
		got := map[string]string{}
		for _, h := range []string{"Content-Length", "Cache-Control", "Pragma", "Expires"} {
			got[h] = first.Header().Get(h)
		}
		want := map[string]string{
			"Content-Length": "0", "Cache-Control": "no-cache, no-store", "Pragma": "no-cache", "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("headers of the first poll (F-033): -want +got\n%s", diff)
		}
		a := <-b.apps
		<-a.started
		for _, s := range []string{"one,", "two,", "three"} {
			if err := a.c.Send(text(s)); err != nil {
				t.Fatal(err)
			}
		}
		wantAnswer(t, "what is there", b.do(http.MethodGet, target, ""), http.StatusOK, octets, "one,two,three")

		waiting := b.start(http.MethodGet, target, "")
		synctest.Wait()
		if waiting.isDone() {
			t.Fatalf("a poll without data was answered: %d", waiting.Code)
		}
		if err := a.c.Send(text("four")); err != nil {
			t.Fatal(err)
		}
		<-waiting.done
		wantAnswer(t, "what comes", waiting.ResponseRecorder, http.StatusOK, octets, "four")
		if l := waiting.Header().Get("Content-Length"); l != "4" {
			t.Errorf("Content-Length %q", l)
		}

		start := time.Now()
		wantAnswer(t, "nothing", b.do(http.MethodGet, target, ""), http.StatusOK, "text/plain", "")
		if d := time.Since(start); d != 90*time.Second {
			t.Errorf("a poll without data took %v, want 90 s (F-036)", d)
		}
		if a.over() {
			t.Error("the connection has ended although it was polled all the time")
		}
	})
}

// TestPollEnd (F-037, F-043): what is queued is still delivered, then 204, then the connection is unknown.
func TestPollEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		target, a := b.poll()
		if err := a.c.Send(text("last")); err != nil {
			t.Fatal(err)
		}
		a.c.Finish(nil)
		if err := a.c.Send(text("too late")); !errors.Is(err, ErrClosed) {
			t.Errorf("sending after the end: %v, want ErrClosed", err)
		}
		wantAnswer(t, "the rest", b.do(http.MethodGet, target, ""), http.StatusOK, octets, "last")
		wantAnswer(t, "the end", b.do(http.MethodGet, target, ""), http.StatusNoContent, "text/plain", "")
		wantAnswer(t, "after it", b.do(http.MethodGet, target, ""), http.StatusNotFound, "text/plain", "No Connection with that ID")
		if b.mgr.Count() != 0 || !a.over() {
			t.Error("the connection is still there")
		}
	})
	t.Run("while a poll waits", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			target, a := b.poll()
			p := b.start(http.MethodGet, target, "")
			synctest.Wait()
			a.c.Finish(nil)
			<-p.done
			wantAnswer(t, "the end", p.ResponseRecorder, http.StatusNoContent, "text/plain", "")
		})
	})
	t.Run("with an error", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			target, a := b.poll()
			a.c.Finish(errors.New("broken"))
			for range 2 {
				wantAnswer(t, "poll", b.do(http.MethodGet, target, ""), http.StatusInternalServerError, "text/plain", "")
			}
		})
	})
	t.Run("cut", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			target, a := b.poll()
			p := b.start(http.MethodGet, target, "")
			synctest.Wait()
			a.c.Abort()
			<-p.done
			wantAnswer(t, "poll", p.ResponseRecorder, http.StatusNoContent, "text/plain", "")
		})
	})
}

// TestOverlappingPolls (F-038): the newer poll wins; the older is answered with 204 and takes nothing.
func TestOverlappingPolls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		target, a := b.poll()
		var polls []*pending
		for range 4 {
			polls = append(polls, b.start(http.MethodGet, target, ""))
			synctest.Wait()
		}
		for i, p := range polls[:3] {
			if !p.isDone() || p.Code != http.StatusNoContent {
				t.Errorf("poll %d: done %t, %d, want 204", i, p.isDone(), p.Code)
			}
		}
		if err := a.c.Send(text("data")); err != nil {
			t.Fatal(err)
		}
		<-polls[3].done
		wantAnswer(t, "the newest", polls[3].ResponseRecorder, http.StatusOK, octets, "data")
	})
}

// TestPollDropped (F-039, F-005): nobody polls any more.
func TestPollDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		target, a := b.poll()
		p := b.start(http.MethodGet, target, "")
		synctest.Wait()
		time.Sleep(time.Minute) // a poll that waits keeps its connection
		start := time.Now()
		p.cancel()
		<-p.done
		if p.Body.Len() > 0 || len(p.Header()["Content-Type"]) > 0 {
			t.Errorf("a poll whose client is gone was answered: %d %q", p.Code, p.Body)
		}
		<-a.ended
		if d := time.Since(start); d < 15*time.Second || d > 17*time.Second {
			t.Errorf("ended %v after the last poll, want 15 s", d)
		}
		if a.err != nil {
			t.Errorf("ended with %v, want nil (F-111)", a.err)
		}
	})
	t.Run("and comes back", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			target, a := b.poll()
			for range 5 {
				time.Sleep(14 * time.Second)
				p := b.start(http.MethodGet, target, "")
				synctest.Wait()
				p.cancel()
				<-p.done
			}
			if err := a.c.Send(text("still here")); err != nil {
				t.Fatal(err)
			}
			wantAnswer(t, "poll", b.do(http.MethodGet, target, ""), http.StatusOK, octets, "still here")
		})
	})
}

func TestDelete(t *testing.T) {
	const cannot = "Cannot terminate this connection using the DELETE endpoint."
	t.Run("without a poll", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			b.onEnded = func(a *testApp, _ error) { a.c.Finish(nil) }
			target, a := b.poll()
			wantAnswer(t, "DELETE", b.do(http.MethodDelete, target, ""), http.StatusAccepted, "text/plain", "")
			<-a.ended
			wantAnswer(t, "poll", b.do(http.MethodGet, target, ""), http.StatusNotFound, "text/plain", "No Connection with that ID")
			if n := b.mgr.Count(); n != 0 {
				t.Errorf("%d connections are left", n)
			}
		})
	})
	t.Run("last word for the poll that waits", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			b.onEnded = func(a *testApp, _ error) {
				_ = a.c.SendLast(text("bye"))
				go a.c.Finish(nil)
			}
			target, a := b.poll()
			p := b.start(http.MethodGet, target, "")
			synctest.Wait()
			wantAnswer(t, "DELETE", b.do(http.MethodDelete, target, ""), http.StatusAccepted, "text/plain", "")
			<-p.done
			wantAnswer(t, "the poll", p.ResponseRecorder, http.StatusOK, octets, "bye")
			<-a.ended
			synctest.Wait()
			wantAnswer(t, "next poll", b.do(http.MethodGet, target, ""), http.StatusNotFound, "text/plain", "No Connection with that ID")
			if n := b.mgr.Count(); n != 0 {
				t.Errorf("%d connections are left", n)
			}
		})
	})
	t.Run("after the App has ended", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			target, a := b.poll()
			a.c.Finish(nil) // because of what was posted; the client polls no more
			wantAnswer(t, "DELETE", b.do(http.MethodDelete, target, ""), http.StatusAccepted, "text/plain", "")
			<-a.ended
			if n := b.mgr.Count(); n != 0 {
				t.Errorf("%d connections are left", n)
			}
		})
	})
	t.Run("an App that does not end", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			target, a := b.poll()
			p := b.start(http.MethodGet, target, "")
			synctest.Wait()
			b.do(http.MethodDelete, target, "")
			<-a.ended
			time.Sleep(2 * time.Minute)
			if !p.isDone() || b.mgr.Count() != 0 {
				t.Errorf("poll done %t, %d connections, want it over after the time for polls and for returning", p.isDone(), b.mgr.Count())
			}
		})
	})
	t.Run("before the first poll", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			wantAnswer(t, "DELETE", b.do(http.MethodDelete, at(b.negotiate().ConnectionToken), ""), http.StatusBadRequest, "text/plain", cannot)
		})
	})
	b := newBench(t)
	wantAnswer(t, "without id", b.do(http.MethodDelete, "/c", ""), http.StatusBadRequest, "text/plain", "Connection ID required")
	wantAnswer(t, "unknown id", b.do(http.MethodDelete, "/c?id=x", ""), http.StatusNotFound, "text/plain", "No Connection with that ID")
}

// brokenWriter fails as a connection does whose client is gone.
type brokenWriter struct{ *httptest.ResponseRecorder }

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestPollWriteFails (F-040): what was lost cannot be sent again in order, so that the connection ends.
func TestPollWriteFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		target, a := b.poll()
		if err := a.c.Send(text("lost")); err != nil {
			t.Fatal(err)
		}
		b.ep.ServeHTTP(brokenWriter{httptest.NewRecorder()}, request(t.Context(), http.MethodGet, target, ""))
		if !a.over() {
			t.Error("the connection goes on with a message missing")
		}
	})
}

// TestPollNeverRead: the client takes no byte of an answer (F-040).
func TestPollNeverRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		n := b.serve()
		target, a := b.poll()
		if err := a.c.Send(text(strings.Repeat("x", 100_000))); err != nil {
			t.Fatal(err)
		}
		conn, err := n.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		start := time.Now()
		if _, err := conn.Write([]byte("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		<-a.ended
		if d := time.Since(start); d < 10*time.Second || d > 12*time.Second {
			t.Errorf("cut after %v, want 10 s", d)
		}
	})
}

func TestPollTransportOff(t *testing.T) {
	b := newBench(t, func(o *EndpointOptions) { o.Transports = transport.WebSockets })
	wantAnswer(t, "poll", b.do(http.MethodGet, at(b.negotiate().ConnectionToken), ""), http.StatusNotFound, "text/plain",
		"LongPolling transport not supported by this end point type")
	wantAnswer(t, "stream", b.do(http.MethodGet, at(b.negotiate().ConnectionToken), "", "Accept", "text/event-stream"), http.StatusNotFound, "text/plain",
		"ServerSentEvents transport not supported by this end point type")
}

func TestMethods(t *testing.T) {
	b := newBench(t)
	for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodOptions} {
		w := b.do(method, at(b.negotiate().ConnectionToken), "")
		wantAnswer(t, method, w, http.StatusMethodNotAllowed, "text/plain", "")
		if allow := w.Header().Get("Allow"); allow != "" {
			t.Errorf("%s: Allow is %q, want none", method, allow)
		}
	}
}

// TestQueryKeys (F-016).
func TestQueryKeys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		for _, key := range []string{"id", "ID", "Id"} {
			if w := b.do(http.MethodGet, "/c?x=1&"+key+"="+b.negotiate().ConnectionToken, ""); w.Code != http.StatusOK {
				t.Errorf("%s: %d", key, w.Code)
			}
		}
		wantAnswer(t, "empty id", b.do(http.MethodGet, "/c?id=", ""), http.StatusBadRequest, "text/plain", "Connection ID required")
	})
}

// TestSupersededPollIsForgotten: a poll takes the place of another and its client goes away before the other has
// unwound. The connection must then time out like any without a poll.
func TestSupersededPollIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		target, a := b.poll()
		gate := make(chan struct{})
		w := &slowWriter{httptest.NewRecorder(), gate}
		go b.ep.ServeHTTP(w, request(t.Context(), http.MethodGet, target, ""))
		synctest.Wait()
		second := b.start(http.MethodGet, target, "")
		synctest.Wait() // the first poll is about to answer
		second.cancel()
		<-second.done
		close(gate)
		time.Sleep(time.Minute)
		if !a.over() {
			t.Error("a connection without a poll lives for ever")
		}
	})
}

// slowWriter answers when the gate opens.
type slowWriter struct {
	*httptest.ResponseRecorder
	gate chan struct{}
}

func (w *slowWriter) WriteHeader(status int) {
	<-w.gate
	w.ResponseRecorder.WriteHeader(status)
}

// plainWriter is what middleware that counts bytes makes of a ResponseWriter: no more than the interface.
type plainWriter struct{ http.ResponseWriter }

// TestPollBehindPlainMiddleware: a poll's answer is complete, so that it need not be flushed.
func TestPollBehindPlainMiddleware(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		target, a := b.poll()
		for _, want := range []string{"one", "two"} {
			if err := a.c.Send(text(want)); err != nil {
				t.Fatalf("sending %q: %v", want, err)
			}
			w := httptest.NewRecorder()
			b.ep.ServeHTTP(plainWriter{w}, request(t.Context(), http.MethodGet, target, ""))
			if w.Body.String() != want {
				t.Errorf("poll: %d %q, want %q", w.Code, w.Body, want)
			}
		}
		if a.over() {
			t.Error("the connection was closed because a poll could not be flushed")
		}
	})
}

// TestServerTimeouts: the HTTP server's own limits, which are meant for ordinary requests, must not end event streams
// and polls.
func TestServerTimeouts(t *testing.T) {
	limits := func(s *http.Server) { s.ReadTimeout, s.WriteTimeout = 5*time.Second, 20*time.Second }
	t.Run("event stream", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			n := b.serve(limits)
			res := n.get(at(b.negotiate().ConnectionToken), "Accept", "text/event-stream")
			a := <-b.apps
			read := make(chan string)
			go func() {
				p, _ := io.ReadAll(res.Body)
				read <- string(p)
			}()
			time.Sleep(time.Minute)
			if err := a.c.Send(text("late")); err != nil {
				t.Errorf("sending: %v", err)
			}
			synctest.Wait()
			a.c.Finish(nil)
			if got, want := <-read, ":\r\ndata: late\r\n\r\n"; got != want {
				t.Errorf("the stream was %q, want %q", got, want)
			}
		})
	})
	for _, row := range []struct{ name, want string }{{"poll with data", "late"}, {"poll without", ""}} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t)
				n := b.serve(limits)
				target, a := b.poll()
				go func() {
					time.Sleep(time.Minute)
					if row.want != "" {
						_ = a.c.Send(text(row.want))
					}
				}()
				res, err := n.http.Get("http://httpconn.test" + target)
				if err != nil {
					t.Fatalf("poll: %v", err)
				}
				defer res.Body.Close()
				if p, err := io.ReadAll(res.Body); string(p) != row.want || err != nil {
					t.Errorf("poll: %q, %v, want %q", p, err, row.want)
				}
			})
		})
	}
}
