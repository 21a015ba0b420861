package httpconn

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"signalbox/signalr/transport"
)

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

// TestImpossibleUpgrade: middleware that hides the connection makes WebSockets impossible; the client must be told.
func TestImpossibleUpgrade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		w := httptest.NewRecorder()
		b.ep.ServeHTTP(plainWriter{w}, request(t.Context(), http.MethodGet, "/c", "", "Connection", "Upgrade", "Upgrade", "websocket",
			"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
		if w.Code < 400 {
			t.Errorf("an upgrade that failed was answered with %d", w.Code)
		}
		if n := b.mgr.Count(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// TestRefusedWebSocketLeavesNothing: no connection is made for a WebSocket that the endpoint does not offer.
func TestRefusedWebSocketLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, func(o *EndpointOptions) { o.Transports = transport.LongPolling })
		w := b.do(http.MethodGet, "/c", "", "Connection", "Upgrade", "Upgrade", "websocket",
			"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		wantAnswer(t, "upgrade", w, http.StatusNotFound, "text/plain", "WebSockets transport not supported by this end point type")
		if n := b.mgr.Count(); n != 0 {
			t.Errorf("%d connections are left of a refused request", n)
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

// layered is a connection as a listener hands it out that does something of its own with the bytes.
type layered struct{ *net.TCPConn }

func (l layered) Read(p []byte) (int, error) {
	n, err := l.TCPConn.Read(p)
	for i := range p[:n] {
		p[i] ^= 0x55
	}
	return n, err
}

func (l layered) Write(p []byte) (int, error) {
	q := make([]byte, len(p))
	for i := range p {
		q[i] = p[i] ^ 0x55
	}
	return l.TCPConn.Write(q)
}

type layeredListener struct{ net.Listener }

func (l layeredListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return layered{c.(*net.TCPConn)}, nil
}

// TestLayeredConnection: what a listener's own connections do with the bytes must not be passed by.
func TestLayeredConnection(t *testing.T) {
	b := newRawBench(t, echo)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hs := &http.Server{Handler: b.ep}
	go func() { _ = hs.Serve(layeredListener{ln}) }()
	defer hs.Close()
	dialer := websocket.Dialer{NetDial: func(network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		if err != nil {
			return nil, err
		}
		return layered{c.(*net.TCPConn)}, nil
	}}
	ws, _, err := dialer.Dial("ws://"+ln.Addr().String()+"/c", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := ws.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	_ = ws.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, p, err := ws.ReadMessage(); string(p) != "hello" {
		t.Errorf("echo: %q, %v", p, err)
	}
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
