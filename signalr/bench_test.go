package signalr

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// benchServer serves a hub whose method Echo returns its argument, on connections in memory. What the server writes to
// a client goes to sink.
func benchServer(tb testing.TB, o *HubOptions) (*Hub, func() *Connection) {
	tb.Helper()
	srv, err := NewServer(nil)
	if err != nil {
		tb.Fatal(err)
	}
	hub, conns := NewHub(o), make(chan *Connection, 1)
	hub.Handle("Echo", Func1(func(_ context.Context, _ *Caller, s string) (string, error) { return s, nil }))
	hub.OnConnected(func(_ context.Context, c *Caller) error { conns <- c.conn; return nil })
	mux := http.NewServeMux()
	srv.MapHub(mux, "/hub", hub)
	ln := newPipeListener()
	hs := &http.Server{Handler: mux}
	var wg sync.WaitGroup
	wg.Go(func() { _ = hs.Serve(ln) })
	var clients []net.Conn
	tb.Cleanup(func() {
		for _, c := range clients {
			_ = c.Close()
		}
		_ = srv.Shutdown(context.Background())
		_ = hs.Close()
		wg.Wait()
	})
	return hub, func() *Connection {
		ws, _, err := (&websocket.Dialer{NetDialContext: ln.dial}).Dial("ws://signalr.test/hub", nil)
		if err != nil {
			tb.Fatal(err)
		}
		clients = append(clients, ws.NetConn())
		if err := ws.WriteMessage(websocket.TextMessage, []byte(jsonHandshake+"\x1e")); err != nil {
			tb.Fatal(err)
		}
		if _, _, err := ws.ReadMessage(); err != nil {
			tb.Fatal(err)
		}
		wg.Go(func() { _, _ = io.Copy(io.Discard, ws.NetConn()) })
		return <-conns
	}
}

// waitOpen waits until OnConnected has returned for a connection, so that its messages are handled at once.
func waitOpen(c *Connection) {
	for c.isConnecting() {
		_ = c.http.SendWait(context.Background(), c.hub.pings[c.proto], nil) // takes its time, and no time out of the air
	}
}

// echoOnce carries one invocation of Echo through a connection, from the bytes that come in to those that go out.
func echoOnce(tb testing.TB, c *Connection, in []byte) {
	task, err := c.Receive(context.Background(), in)
	if err != nil {
		tb.Fatal(err)
	}
	if task != nil {
		task.Run()
	}
}

// TestAllocations holds the hot paths to what they cost.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	t.Run("echo", func(t *testing.T) {
		_, connect := benchServer(t, nil)
		c := connect()
		waitOpen(c)
		in := []byte(invocation("1", "Echo", "hello") + "\x1e")
		if n := testing.AllocsPerRun(1000, func() { echoOnce(t, c, in) }); n > 6 {
			t.Errorf("%v allocations for an echo, want at most 6", n)
		}
	})
	t.Run("broadcast", func(t *testing.T) {
		const receivers = 200
		hub, connect := benchServer(t, nil)
		for range receivers {
			waitOpen(connect())
		}
		to := hub.Clients().All()
		n := testing.AllocsPerRun(200, func() {
			if err := to.Send(context.Background(), "M", "hello"); err != nil {
				t.Fatal(err)
			}
		})
		if per := n / receivers; per > 0.1 {
			t.Errorf("%.2f allocations for each receiver of a broadcast (%v in all), want 0", per, n)
		}
	})
}

func BenchmarkEcho(b *testing.B) {
	_, connect := benchServer(b, nil)
	c := connect()
	waitOpen(c)
	in := []byte(invocation("1", "Echo", "hello") + "\x1e")
	b.ReportAllocs()
	for b.Loop() {
		echoOnce(b, c, in)
	}
}

func BenchmarkBroadcast1000(b *testing.B) {
	const receivers = 1000
	hub, connect := benchServer(b, &HubOptions{Connection: ConnectionOptions{SendQueueLimit: 1 << 30}})
	for range receivers {
		waitOpen(connect())
	}
	to := hub.Clients().All()
	b.ReportAllocs()
	for b.Loop() {
		if err := to.Send(context.Background(), "M", "hello"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/receivers, "ns/receiver")
}
