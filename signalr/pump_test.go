package signalr

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
)

// receive gives a connection bytes as a transport does.
func receive(c *Connection, data string) {
	task, err := c.Receive(context.Background(), []byte(data))
	if err != nil {
		panic(err)
	}
	if task != nil {
		task.Run()
	}
}

// TestPipelinedCallsDoNotDeepenTheStack keeps one call waiting behind the one that runs, as a busy client does.
func TestPipelinedCallsDoNotDeepenTheStack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const calls = 200
		var depths []int
		done := make(chan struct{})
		s := hubServer(t, nil, func(h *Hub) {
			h.Handle("Next", Action0(func(_ context.Context, c *Caller) error {
				depths = append(depths, runtime.Callers(0, make([]uintptr, 100000)))
				if len(depths) == calls {
					close(done)
					return nil
				}
				receive(c.conn, invocation("", "Next")+"\x1e") // comes while this one runs, and waits
				return nil
			}))
		})
		c := s.connect()
		c.send(invocation("", "Next"))
		<-done
		if first, last := depths[1], depths[calls-1]; last > first+20 {
			t.Errorf("call 2 ran %d frames deep, call %d ran %d deep: the stack grows with every call", first, calls, last)
		}
	})
}

// TestLargeMessageBehindARunningCall: what waits for room in the inbox must be woken when the pump has nothing to do
// but wait for the rest of a message that is longer than half of the inbox.
func TestLargeMessageBehindARunningCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		s := hubServer(t, &HubOptions{MaximumReceiveMessageSize: 1 << 20}, func(h *Hub) {
			h.Handle("Slow", Action0(func(context.Context, *Caller) error { <-release; return nil }))
			h.Handle("Length", Func1(func(_ context.Context, _ *Caller, v string) (int, error) { return len(v), nil }))
		})
		c := s.connect()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			c.send(invocation("1", "Slow"), invocation("2", "Length", "small"), invocation("3", "Length", strings.Repeat("x", 200_000)))
		}()
		synctest.Wait()
		close(release)
		c.want(result("1", "null"), result("2", "5"))
		synctest.Wait()
		select {
		case <-sent:
			c.want(result("3", "200000"))
		default:
			t.Error("the server has stopped reading: the large message never arrives")
			_ = c.ws.Close()
			<-sent
		}
	})
}

// TestOverlappingReceive: the second call of Receive comes while the first still handles messages. The first may take
// its memory back when it returns without a task.
func TestOverlappingReceive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		got, gate := make(chan string, 2), make(chan struct{})
		conns := make(chan *Connection, 1)
		s := hubServer(t, &HubOptions{MaximumParallelInvocationsPerClient: 3}, func(h *Hub) {
			h.OnConnected(func(_ context.Context, c *Caller) error { conns <- c.conn; return nil })
			h.Handle("Keep", func(_ context.Context, inv *Invocation) (any, error) {
				<-gate
				v := ""
				if err := inv.Decode(&v); err != nil {
					v = err.Error()
				}
				got <- v
				return nil, nil
			})
		})
		s.connect()
		conn := <-conns
		synctest.Wait()
		conn.mu.Lock()
		conn.pumping = true // the first call of Receive has come as far as this
		conn.mu.Unlock()
		if task, err := conn.Receive(context.Background(), []byte(invocation("", "Keep", "second")+"\x1e")); task != nil || err != nil {
			t.Fatalf("Receive = %v, %v while another call handles messages", task, err)
		}
		first := []byte(invocation("", "Keep", "first") + "\x1e")
		task := conn.pump(first, false)
		synctest.Wait()
		if task == nil {
			for i := range first { // without a task the memory is the caller's again
				first[i] = '#'
			}
		}
		close(gate)
		if task != nil {
			task.Run()
		}
		a, b := <-got, <-got
		if a == "second" {
			a, b = b, a
		}
		if a != "first" || b != "second" {
			t.Errorf("the calls got %q and %q, want first and second: memory was used after it was given back", a, b)
		}
	})
}

// TestCallsBeforeTheEnd: what a client has sent before it left is carried out, in order, as by ASP.NET Core: the second
// and third call wait for the first when the client goes.
func TestCallsBeforeTheEnd(t *testing.T) {
	calls := []string{invocation("", "Slow"), invocation("", "Note", 1), invocation("", "Note", 2)}
	for _, row := range []struct {
		name  string
		leave func(*client)
	}{
		{"close frame", func(c *client) {
			c.send(calls...)
			synctest.Wait()
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Time{})
		}},
		{"Close message", func(c *client) {
			c.send(append(calls, `{"type":7}`)...)
		}},
		{"Close message and close frame", func(c *client) {
			c.send(append(calls, `{"type":7}`)...)
			synctest.Wait()
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Time{})
		}},
		{"drop", func(c *client) {
			c.send(calls...)
			synctest.Wait()
			_ = c.ws.NetConn().Close()
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				release, notes := make(chan struct{}), make(chan int, 10)
				s := hubServer(t, nil, func(h *Hub) {
					h.Handle("Slow", Action0(func(context.Context, *Caller) error { <-release; return nil }))
					h.Handle("Note", Action1(func(_ context.Context, _ *Caller, n int) error { notes <- n; return nil }))
				})
				c := s.connect()
				go closing(c)
				row.leave(c)
				synctest.Wait()
				close(release)
				synctest.Wait()
				close(notes)
				var got []int
				for n := range notes {
					got = append(got, n)
				}
				if diff := cmp.Diff([]int{1, 2}, got); diff != "" {
					t.Errorf("calls that were made before the client left: -want +got\n%s", diff)
				}
			})
		})
	}
}

// TestBindingErrorsWaitForTheirTurn: unlike ASP.NET Core's (F-095), calls whose arguments do not fit are answered when
// their turn has come, for only the handler knows its types.
func TestBindingErrorsWaitForTheirTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		s := hubServer(t, nil, func(h *Hub) {
			h.Handle("Slow", Action0(func(context.Context, *Caller) error { <-release; return nil }))
		})
		c := s.connect()
		answers := make(chan string, 10)
		go func() {
			for {
				m := c.next()
				answers <- m
				if strings.HasPrefix(m, "close") || m == "lost" {
					return
				}
			}
		}()
		c.send(invocation("1", "Slow"), invocation("2", "Echo"), invocation("3", "Nope"), invocation("4", "Echo", 5))
		time.Sleep(time.Second)
		synctest.Wait()
		close(release)
		synctest.Wait()
		var got []string
		for range 4 {
			m := <-answers
			got = append(got, m[len(`{"type":3,"invocationId":`):][:3])
		}
		first := got[0]
		slices.Sort(got)
		if diff := cmp.Diff([]string{`"1"`, `"2"`, `"3"`, `"4"`}, got); diff != "" || first != `"1"` {
			t.Errorf("the first answer was to %s; all answers: -want +got\n%s", first, diff)
		}
	})
}

// TestWaitingCallsDoNotKeepAConnection: a call runs until its context ends, another waits behind it, and the connection
// is to end. The context must end all the same.
func TestWaitingCallsDoNotKeepAConnection(t *testing.T) {
	for _, row := range []struct {
		name string
		end  func(*testServer, *client)
	}{
		{"drop", func(_ *testServer, c *client) { _ = c.ws.NetConn().Close() }},
		{"close frame", func(_ *testServer, c *client) {
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Time{})
		}},
		{"shutdown", func(s *testServer, _ *client) { go func() { _ = s.Shutdown(context.Background()) }() }},
		{"expiry", func(*testServer, *client) {}}, // comes after 20 s
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				disconnected, conns := make(chan struct{}), make(chan *Connection, 1)
				s := hubServer(t, &HubOptions{Connection: ConnectionOptions{CloseOnAuthenticationExpiration: true}}, func(h *Hub) {
					h.OnConnected(func(_ context.Context, c *Caller) error { conns <- c.conn; return nil })
					h.OnDisconnected(func(context.Context, *Caller, error) error { close(disconnected); return nil })
					h.Handle("Wait", Action0(func(ctx context.Context, _ *Caller) error { <-ctx.Done(); return nil }))
				})
				token := "ann"
				if row.name == "expiry" {
					token += " until 20s"
				}
				c := s.user(token)
				c.send(invocation("", "Wait"), invocation("", "Echo", "x"))
				go closing(c)
				synctest.Wait()
				row.end(s, c)
				select {
				case <-disconnected:
				case <-time.After(5 * time.Minute):
					t.Error("the connection never ends: the call waits for its context, which waits for the call")
					(<-conns).Abort()
					<-disconnected
				}
			})
		})
	}
}
