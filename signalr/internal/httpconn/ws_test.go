package httpconn

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"signalbox/signalr/transport"
)

func TestWebSocket(t *testing.T) {
	for _, negotiated := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			n := b.serve()
			target, id := "/c", ""
			if negotiated {
				answer := b.negotiate()
				target, id = at(answer.ConnectionToken), answer.ConnectionID
			}
			ws := n.socket(target)
			a := <-b.apps
			if negotiated && a.c.ID() != id || a.c.ID() == "" {
				t.Errorf("connection id %q, want %q", a.c.ID(), id)
			}
			if got := a.c.Transport(); got != transport.WebSockets {
				t.Errorf("transport %v", got)
			}
			for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
				if err := ws.WriteMessage(kind, []byte("up")); err != nil {
					t.Fatal(err)
				}
				if got := <-a.got; got != "up" {
					t.Errorf("received %q", got)
				}
			}
			for want, f := range map[int]Frame{
				websocket.TextMessage: text("down"), websocket.BinaryMessage: NewFrame(transport.Binary, []byte("down")),
			} {
				if err := a.c.Send(f); err != nil {
					t.Fatal(err)
				}
				if kind, p, err := ws.ReadMessage(); kind != want || string(p) != "down" || err != nil {
					t.Errorf("read %d %q, %v, want %d", kind, p, err, want)
				}
			}
			if negotiated {
				upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
				wantAnswer(t, "second WebSocket", b.do(http.MethodGet, target, "", upgrade...), http.StatusConflict, "text/plain", "")
				wantAnswer(t, "poll", b.do(http.MethodGet, target, ""), http.StatusBadRequest, "text/plain", "Cannot change transports mid-connection")
			}
			a.c.Finish(nil)
			if code := closing(ws, nil); code != websocket.CloseNormalClosure {
				t.Errorf("closed with %d, want 1000", code)
			}
			<-a.ended
			synctest.Wait()
			if a.err != nil || b.mgr.Count() != 0 {
				t.Errorf("ended with %v, %d connections left", a.err, b.mgr.Count())
			}
		})
	}
}

func TestWebSocketUnknownID(t *testing.T) {
	b := newBench(t)
	w := b.do(http.MethodGet, "/c?id=x", "", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	if w.Code != http.StatusNotFound || w.Body.String() != "No Connection with that ID" || len(w.Header()["Content-Type"]) != 0 {
		t.Errorf("%d %q %q, want 404 without a type (F-025)", w.Code, w.Header()["Content-Type"], w.Body)
	}
	w = b.do(http.MethodGet, "/c?id=x", "", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "8", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	wantAnswer(t, "improper upgrade, which is a poll (F-003)", w, http.StatusNotFound, "text/plain", "No Connection with that ID")
}

// TestWebSocketEnds: who ends it, and what both sides learn (F-050, F-051).
func TestWebSocketEnds(t *testing.T) {
	raw := func(frame ...byte) func(*websocket.Conn, *testApp) {
		return func(ws *websocket.Conn, _ *testApp) { _, _ = ws.NetConn().Write(frame) }
	}
	for _, row := range []struct {
		name string
		end  func(*websocket.Conn, *testApp)
		code int  // of the close frame that the client gets; 0 for none
		err  bool // Ended gets an error
	}{
		{"App is done", func(_ *websocket.Conn, a *testApp) { a.c.Finish(nil) }, 1000, false},
		{"App has failed", func(_ *websocket.Conn, a *testApp) { a.c.Finish(errors.New("broken")) }, 1011, false},
		{"cut", func(_ *websocket.Conn, a *testApp) { a.c.Abort() }, 0, false},
		{"client closes", func(ws *websocket.Conn, _ *testApp) {
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1001, "going"), time.Time{})
		}, 1000, false},
		{"client closes without code", raw(0x88, 0x80, 0, 0, 0, 0), 1000, false},
		{"client drops", func(ws *websocket.Conn, _ *testApp) { _ = ws.NetConn().Close() }, 0, false},
		{"not masked", raw(0x81, 0x01, 'x'), 1002, true},
		{"reserved bit", raw(0xC1, 0x80, 0, 0, 0, 0), 1002, true},
		{"reserved opcode", raw(0x83, 0x80, 0, 0, 0, 0), 1002, true},
		{"close code 1005", raw(0x88, 0x82, 0, 0, 0, 0, 0x03, 0xED), 1002, true},
		{"close with one byte", raw(0x88, 0x81, 0, 0, 0, 0, 0x03), 1002, true},
		{"text that is not UTF-8", raw(0x81, 0x81, 0, 0, 0, 0, 0xFF), 1007, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newBench(t)
				n := b.serve()
				ws := n.socket("/c")
				a := <-b.apps
				code := make(chan int, 1)
				go func() { code <- closing(ws, nil) }()
				synctest.Wait()
				row.end(ws, a)
				if got := <-code; got != row.code {
					t.Errorf("close code %d, want %d", got, row.code)
				}
				<-a.ended
				if (a.err != nil) != row.err {
					t.Errorf("Ended with %v, want an error %t", a.err, row.err)
				}
				synctest.Wait()
				if a.c.Context().Err() == nil || b.mgr.Count() != 0 {
					t.Errorf("%d connections left", b.mgr.Count())
				}
			})
		})
	}
}

// TestCloseTimeout: the client answers nothing to the server's close frame (F-050).
func TestCloseTimeout(t *testing.T) {
	for _, chatty := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			n := b.serve()
			ws := n.socket("/c")
			ws.SetCloseHandler(func(int, string) error { return nil })
			a := <-b.apps
			a.c.Finish(nil)
			if code := closing(ws, nil); code != 1000 {
				t.Fatalf("close code %d", code)
			}
			start := time.Now()
			silent := make(chan struct{})
			if !chatty {
				close(silent)
			} else {
				go func() {
					defer close(silent)
					for ws.WriteMessage(websocket.TextMessage, []byte("still here")) == nil {
						time.Sleep(time.Second)
					}
				}()
			}
			<-a.ended
			if d := time.Since(start); d < 5*time.Second || d > 5*time.Second+tickInterval {
				t.Errorf("chatty %t: cut after %v, want 5 s, or a tick more", chatty, d)
			}
			<-silent
		})
	}
}

// TestCrossingCloses: the client's close frame comes while the server's is being written (RFC 6455, section 7.1.1).
func TestCrossingCloses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		ws := b.serve().socket("/c")
		a := <-b.apps
		a.c.Finish(nil)
		synctest.Wait() // nobody reads what the server writes
		if _, err := ws.NetConn().Write([]byte("\x88\x82\x00\x00\x00\x00\x03\xe8")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if code := closing(ws, nil); code != 1000 {
			t.Errorf("close code %d, want 1000", code)
		}
		<-a.ended
	})
}

// TestNothingIsReadBehindAClose: bytes behind a close frame are nobody's.
func TestNothingIsReadBehindAClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		n := b.serve()
		ws := n.socket("/c")
		a := <-b.apps
		go closing(ws, nil)
		_, err := ws.NetConn().Write([]byte{0x81, 0x81, 0, 0, 0, 0, 'a', 0x88, 0x80, 0, 0, 0, 0, 0x81, 0x81, 0, 0, 0, 0, 'b'})
		if err != nil {
			t.Fatal(err)
		}
		<-a.ended
		close(a.got)
		got := ""
		for s := range a.got {
			got += s
		}
		if got != "a" {
			t.Errorf("received %q, want what came before the close frame", got)
		}
	})
}

// TestPings: each ping is answered, but a flood of them with the latest alone and in bounded memory.
func TestPings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		n := b.serve()
		ws := n.socket("/c")
		a := <-b.apps
		pongs := make(chan string, 10_000)
		ws.SetPongHandler(func(s string) error { pongs <- s; return nil })
		if err := ws.WriteControl(websocket.PingMessage, []byte("first"), time.Time{}); err != nil {
			t.Fatal(err)
		}
		go closing(ws, nil)
		if got := <-pongs; got != "first" {
			t.Errorf("pong %q", got)
		}
		few := bytes.Repeat([]byte{0x89, 0x81, 0, 0, 0, 0, '1'}, 10)
		for i := range 10 {
			few[i*7+6] += byte(i)
		}
		if _, err := ws.NetConn().Write(few); err != nil { // in one piece
			t.Fatal(err)
		}
		for i := range 10 {
			if got, want := <-pongs, string(rune('1'+i)); got != want {
				t.Errorf("pong %q, want %q", got, want)
			}
		}
		flood := bytes.Repeat([]byte{0x89, 0x84, 0, 0, 0, 0, 'p', 'i', 'n', 'g'}, 5000)
		if _, err := ws.NetConn().Write(flood); err != nil {
			t.Fatal(err)
		}
		if err := ws.WriteControl(websocket.PingMessage, []byte("last"), time.Time{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		count, last := len(pongs), ""
		for range count {
			last = <-pongs
		}
		if last != "last" || count == 0 {
			t.Errorf("%d pongs, the last %q", count, last)
		}
		if err := a.c.Send(text("alive")); err != nil {
			t.Error(err)
		}
	})
}

// TestPingFloodOfADeafClient: the client pings and reads nothing; what waits for it does not grow.
func TestPingFloodOfADeafClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		n := b.serve()
		ws := n.socket("/c")
		a := <-b.apps
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			frame := append([]byte{0x89, 0xFD, 0, 0, 0, 0}, make([]byte, 125)...)
			for range 10_000 {
				if _, err := ws.NetConn().Write(frame); err != nil {
					return
				}
			}
		}()
		<-sent
		synctest.Wait()
		a.c.mu.Lock()
		waiting := len(a.c.frames) + len(a.c.wsDriverForTest().pong)
		a.c.mu.Unlock()
		if waiting > maxPongs {
			t.Errorf("%d bytes and frames wait", waiting)
		}
		start := time.Now()
		<-a.ended // the pong could not be written
		if d := time.Since(start); d > 12*time.Second {
			t.Errorf("cut after %v, want 10 s", d)
		}
	})
}

func (c *Conn) wsDriverForTest() *wsDriver {
	d, _ := c.driver.(*wsDriver)
	return d
}

// TestWebSocketNeverRead (F-052): a client that stops reading is cut after the send time-out; one that reads slowly is
// not.
func TestWebSocketNeverRead(t *testing.T) {
	t.Run("stops", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			n := b.serve()
			n.socket("/c")
			a := <-b.apps
			start := time.Now()
			if err := a.c.Send(text("x")); err != nil {
				t.Fatal(err)
			}
			<-a.ended
			if d := time.Since(start); d < 10*time.Second || d > 12*time.Second {
				t.Errorf("cut after %v, want 10 s", d)
			}
			if a.err != nil {
				t.Errorf("Ended with %v, want nil", a.err)
			}
		})
	})
	t.Run("stops, without limit", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t, func(o *EndpointOptions) { o.TransportSendTimeout = -1 })
			n := b.serve()
			n.socket("/c")
			a := <-b.apps
			_ = a.c.Send(text("x"))
			time.Sleep(time.Hour)
			if a.over() {
				t.Error("cut")
			}
		})
	})
	t.Run("slow", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			n := b.serve()
			ws := n.socket("/c")
			a := <-b.apps
			big := strings.Repeat("x", 1_000_000)
			if err := a.c.Send(text(big)); err != nil {
				t.Fatal(err)
			}
			got, buf := 0, make([]byte, 64<<10)
			for got < len(big) {
				time.Sleep(5 * time.Second) // 64 kB in 5 s is slow, but not stuck
				k, err := ws.NetConn().Read(buf)
				if err != nil {
					t.Fatalf("after %d bytes: %v", got, err)
				}
				got += k
			}
		})
	})
}

// TestBackPressure: a WebSocket is not read while the App takes nothing.
func TestBackPressure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := newRawBench(t, func(ctx context.Context, s Snapshot, conn transport.Conn) error {
			<-gate
			return echo(ctx, s, conn)
		}, func(o *EndpointOptions) { o.ApplicationMaxBufferSize = 10_000 })
		n := b.serve()
		ws := n.socket("/c")
		sent := 0
		done := make(chan struct{})
		big := []byte(strings.Repeat("0123456789", 100))
		go func() {
			defer close(done)
			for range 100 {
				if err := ws.WriteMessage(websocket.TextMessage, big); err != nil {
					t.Error(err)
					return
				}
				sent++
			}
		}()
		synctest.Wait()
		if sent > 30 {
			t.Errorf("%d kB were read although 10 may wait", sent)
		}
		close(gate)
		got := 0
		for got < 100_000 {
			_, p, err := ws.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			got += len(p)
		}
		<-done
	})
}

// TestRaw: a connection handler over each transport.
func TestRaw(t *testing.T) {
	t.Run("WebSocket", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newRawBench(t, echo)
			n := b.serve()
			ws := n.socket("/c")
			if err := ws.WriteMessage(websocket.BinaryMessage, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			if kind, p, err := ws.ReadMessage(); kind != websocket.TextMessage || string(p) != "hello" || err != nil {
				t.Errorf("echo: %d %q, %v, want text (F-049)", kind, p, err)
			}
		})
	})
	t.Run("event stream", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newRawBench(t, echo)
			n := b.serve()
			target := at(b.negotiate().ConnectionToken)
			res := n.get(target, "Accept", "text/event-stream")
			b.do(http.MethodPost, target, "hello")
			want := ":\r\ndata: hello\r\n\r\n"
			p := make([]byte, len(want))
			if _, err := io.ReadFull(res.Body, p); err != nil || string(p) != want {
				t.Errorf("%q, %v", p, err)
			}
		})
	})
	for _, row := range []struct {
		name string
		h    RawHandler
		code int
	}{
		{"returns", func(context.Context, Snapshot, transport.Conn) error { return nil }, 1000},
		{"fails", func(context.Context, Snapshot, transport.Conn) error { return errors.New("broken") }, 1011},
		{"panics", func(context.Context, Snapshot, transport.Conn) error { panic("broken") }, 1011},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newRawBench(t, row.h)
				n := b.serve()
				if code := closing(n.socket("/c"), nil); code != row.code {
					t.Errorf("close code %d, want %d", code, row.code)
				}
			})
		})
	}
}

// TestAuthenticationExpires (F-126): of the latest GET.
func TestAuthenticationExpires(t *testing.T) {
	on := func(o *EndpointOptions) { o.CloseOnAuthenticationExpiration = true }
	t.Run("WebSocket", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t, on)
			b.serve().socket("/c", "X-User", "ann", "X-Expires", "30s")
			start := time.Now()
			<-(<-b.apps).ended
			if d := time.Since(start); d < 30*time.Second || d > 32*time.Second {
				t.Errorf("ended after %v", d)
			}
		})
	})
	t.Run("renewed by a poll", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t, on)
			target := at(b.negotiate().ConnectionToken)
			b.do(http.MethodGet, target, "", "X-Expires", "30s")
			a := <-b.apps
			b.do(http.MethodGet, target, "", "X-Expires", "10m") // waits 90 s
			if a.over() {
				t.Error("ended by the expiry of an older request")
			}
		})
	})
	t.Run("off", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			b.serve().socket("/c", "X-Expires", "30s")
			a := <-b.apps
			time.Sleep(time.Hour)
			if a.over() {
				t.Error("ended")
			}
		})
	})
}

func TestSubProtocolAndOrigin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t, func(o *EndpointOptions) {
			o.SubProtocol = func(offered []string) string { return offered[len(offered)-1] }
			o.CheckOrigin = func(r *http.Request) bool { return r.Header.Get("Origin") != "http://evil.example" }
		})
		n := b.serve()
		if got := n.socket("/c", "Sec-WebSocket-Protocol", "a, b").Subprotocol(); got != "b" {
			t.Errorf("sub-protocol %q", got)
		}
		_, res, err := n.ws.Dial("ws://httpconn.test/c", http.Header{"Origin": {"http://evil.example"}})
		if err == nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("foreign origin: %v, want 403", err)
		}
		if c := b.mgr.Count(); c != 1 {
			t.Errorf("%d connections", c)
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
