package signalr

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// statefulClient is a client that uses stateful reconnect as the official ones do: it numbers what it sends, keeps it
// until it is acknowledged, and after a cut goes on where the server says.
type statefulClient struct {
	t      *testing.T
	s      *testServer
	target string
	id     string

	mu      sync.Mutex
	ws      *websocket.Conn
	unacked []string // numbered messages, the first of which has the number first
	first   int64
	got     int64 // numbered messages received for the first time
	next    int64 // number of the next one
	seqs    []int // arguments of Seq, in order
}

func newStatefulClient(s *testServer) *statefulClient {
	s.t.Helper()
	res, err := s.http.Post("http://signalr.test/hub/negotiate?negotiateVersion=1&useStatefulReconnect=true", "", http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var n struct {
		ConnectionID, ConnectionToken string
		UseStatefulReconnect          bool
	}
	if err := json.NewDecoder(res.Body).Decode(&n); err != nil || !n.UseStatefulReconnect {
		s.t.Fatalf("negotiation: %+v, %v", n, err)
	}
	return &statefulClient{t: s.t, s: s, target: "ws://signalr.test/hub?id=" + n.ConnectionToken, id: n.ConnectionID, first: 1, next: 1}
}

// open opens a socket. After the first one it goes on where the last was cut.
func (c *statefulClient) open(fresh bool) {
	c.t.Helper()
	ws, res, err := c.s.ws.Dial(c.target, nil)
	if err != nil {
		status := ""
		if res != nil {
			status = res.Status
		}
		c.t.Fatalf("opening a WebSocket: %v %s", err, status)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ws = ws
	if fresh {
		c.write(`{"protocol":"json","version":2}`)
		return
	}
	// Lost if the socket is cut again at once.
	c.write(append([]string{fmt.Sprintf(`{"type":9,"sequenceId":%d}`, c.first)}, c.unacked...)...)
}

// write writes messages; that a cut comes in between is what this is about.
func (c *statefulClient) write(msgs ...string) {
	_ = c.ws.WriteMessage(websocket.TextMessage, []byte(strings.Join(msgs, "\x1e")+"\x1e"))
}

// send sends a numbered message.
func (c *statefulClient) send(m string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unacked = append(c.unacked, m)
	c.write(m)
}

// read reads until the socket is gone.
func (c *statefulClient) read() {
	for {
		_, p, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		for m := range strings.SplitSeq(strings.TrimSuffix(string(p), "\x1e"), "\x1e") {
			c.handle(m)
		}
	}
}

func (c *statefulClient) handle(text string) {
	var m struct {
		Type       int
		SequenceID int64 `json:"sequenceId"`
		Target     string
		Arguments  []int
		Error      string
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		c.t.Errorf("message %q: %v", text, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m.Type {
	case 9:
		if m.SequenceID > c.got+1 {
			c.t.Errorf("the server goes on with %d, after %d", m.SequenceID, c.got)
		}
		c.next = m.SequenceID
	case 8:
		for len(c.unacked) > 0 && c.first <= m.SequenceID {
			c.unacked, c.first = c.unacked[1:], c.first+1
		}
	case 7:
		c.t.Errorf("closed: %s", text)
	case 1:
		n := c.next
		c.next++
		if n <= c.got {
			return // again
		}
		c.got = n
		c.seqs = append(c.seqs, m.Arguments[0])
		if n%3 == 0 {
			c.write(fmt.Sprintf(`{"type":8,"sequenceId":%d}`, n))
		}
	}
}

var cutsFlag = flag.Int("cuts", 200, "how often TestStatefulReconnectCuts cuts the socket")

// TestStatefulReconnectCuts cuts the socket again and again in the middle of traffic in both directions: no message may
// be lost, doubled or out of order (F-127 to F-137).
func TestStatefulReconnectCuts(t *testing.T) {
	cuts := *cutsFlag
	var mu sync.Mutex
	var notes []int
	var hub *Hub
	s := newTestServer(t, nil)
	hub = s.hub(&HubOptions{EnableDetailedErrors: true, Connection: ConnectionOptions{AllowStatefulReconnects: true}})
	hub.OnDisconnected(func(_ context.Context, _ *Caller, cause error) error {
		t.Logf("disconnected: %v", cause)
		return nil
	})
	hub.Handle("Note", Action1(func(_ context.Context, _ *Caller, n int) error {
		mu.Lock()
		defer mu.Unlock()
		notes = append(notes, n)
		return nil
	}))
	s.MapHub(s.mux, "/hub", hub)

	c := newStatefulClient(s)
	random := rand.New(rand.NewPCG(1, uint64(cuts)))
	sent, pushed := 0, 0
	for cut := range cuts {
		c.open(cut == 0)
		read := make(chan struct{})
		go func() {
			defer close(read)
			c.read()
		}()
		if cut == 0 { // messages before the handshake's answer would go to nobody
			waitFor(t, func() bool { return s.Connections() == 1 && c.connected(hub) })
		}
		var traffic sync.WaitGroup
		traffic.Go(func() {
			for range random.IntN(5) {
				sent++
				c.send(invocation("", "Note", sent))
			}
		})
		for range rand.IntN(5) {
			pushed++
			if err := hub.Clients().Client(c.id).Send(context.Background(), "Seq", pushed); err != nil {
				t.Error(err)
			}
		}
		if rand.IntN(2) == 0 {
			traffic.Wait()
		}
		_ = c.ws.NetConn().Close()
		traffic.Wait()
		<-read
		if t.Failed() {
			break
		}
	}
	c.open(false)
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read()
	}()
	waitFor(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(notes) >= sent && len(c.seqs) >= pushed
	})
	_ = c.ws.NetConn().Close()
	<-read
	mu.Lock()
	defer mu.Unlock()
	if want := upTo(sent); fmt.Sprint(notes) != fmt.Sprint(want) {
		t.Errorf("the server got %d messages, want %d in order: %v", len(notes), sent, notes)
	}
	if want := upTo(pushed); fmt.Sprint(c.seqs) != fmt.Sprint(want) {
		t.Errorf("the client got %d messages, want %d in order: %v", len(c.seqs), pushed, c.seqs)
	}
}

func (c *statefulClient) connected(h *Hub) bool {
	m := h.manager.(*MemoryLifetimeManager)
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.conns[c.id] != nil
}

func upTo(n int) []int {
	list := []int{}
	for i := range n {
		list = append(list, i+1)
	}
	return list
}

// waitFor waits, within a bound, for what another goroutine does in its own time.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for !done() {
		select {
		case <-limit:
			t.Fatal("waited in vain")
		case <-time.After(time.Millisecond):
		}
	}
}

// TestStatefulAcknowledgementBehindWaitingCalls: the client's acknowledgement is read although calls wait for their turn
// in front of it, and makes room for the answer of the one that runs.
func TestStatefulAcknowledgementBehindWaitingCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTestServer(t, nil)
		h := s.hub(&HubOptions{StatefulReconnectBufferSize: 100, Connection: ConnectionOptions{AllowStatefulReconnects: true}})
		h.Handle("Burst", Action1(func(ctx context.Context, c *Caller, n int) error {
			for i := range n {
				if err := c.Clients().Caller().Send(ctx, "Seq", i); err != nil {
					return err
				}
			}
			return nil
		}))
		s.MapHub(s.mux, "/hub", h)
		c := newStatefulClient(s)
		c.open(true)
		ws := &client{t: t, ws: c.ws}
		defer ws.ws.Close()
		ws.want(`{}`)
		ws.send(invocation("", "Burst", 10), invocation("", "Burst", 0), invocation("1", "Echo", "end"))
		for got := 0; ; {
			m := ws.next()
			if m == result("1", `"end"`) {
				if got != 10 {
					t.Errorf("%d of 10 messages came before the end", got)
				}
				return
			}
			if strings.HasPrefix(m, `{"type":8,`) {
				continue
			}
			got++
			ws.send(fmt.Sprintf(`{"type":8,"sequenceId":%d}`, got))
		}
	})
}

// TestSuspendedConnectionsHaveABudget: what suspended connections keep together is bounded, and one that goes beyond is
// closed without holding up the others.
func TestSuspendedConnectionsHaveABudget(t *testing.T) {
	for _, row := range []struct {
		name   string
		before int // messages that are not acknowledged when the socket is cut
		after  int
	}{
		{"what is sent meanwhile", 0, 20},
		{"what was sent before", 20, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newTestServer(t, &ServerOptions{SuspendedBufferLimit: 10_000})
			var gone sync.Map
			h := s.hub(&HubOptions{Connection: ConnectionOptions{AllowStatefulReconnects: true}})
			h.OnDisconnected(func(_ context.Context, c *Caller, cause error) error {
				gone.Store(c.ConnectionID(), cause)
				return nil
			})
			s.MapHub(s.mux, "/hub", h)
			away := newStatefulClient(s)
			away.open(true)
			waitFor(t, func() bool { return away.connected(h) })
			here := s.connect()
			send := func(n int) {
				for range n {
					if err := h.Clients().All().Send(t.Context(), "M", strings.Repeat("x", 1000)); err != nil {
						t.Fatal(err)
					}
					if m := here.next(); !strings.Contains(m, `"target":"M"`) {
						t.Fatalf("got %.100s", m)
					}
				}
			}
			send(row.before)
			_ = away.ws.NetConn().Close()
			send(row.after)
			waitFor(t, func() bool { cause, ok := gone.Load(away.id); return ok && cause == ErrSlowConsumer })
		})
	}
}
