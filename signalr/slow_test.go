package signalr

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"signalbox/signalr/protocol"
)

// slowClient is connected to a hub with room for ten messages of a kilobyte, and reads nothing until asked to.
func slowClient(t *testing.T, slow SlowClients) (*Hub, *client) {
	t.Helper()
	var hub *Hub
	s := hubServer(t, &HubOptions{SlowClients: slow, EnableDetailedErrors: true, Connection: ConnectionOptions{SendQueueLimit: 10_500}}, func(h *Hub) {
		hub = h
		h.Handle("TellMe", Action0(func(ctx context.Context, c *Caller) error {
			return c.Clients().Caller().Send(ctx, "Moved", "own", 0, "")
		}))
	})
	return hub, s.connect()
}

// position is a message about something: which of them it is, and about what.
func sendPosition(t *testing.T, h *Hub, of string, i int) {
	t.Helper()
	if err := h.Clients().All().Send(t.Context(), "Moved", of, i, strings.Repeat("x", 970)); err != nil {
		t.Fatal(err)
	}
}

// positions reads until there is an answer to a call that is made now, and returns what came, as "of i", and the answers.
func positions(t *testing.T, c *client) (got, answers []string) {
	t.Helper()
	c.send(invocation("end", "Echo", "end"))
	for {
		m := c.next()
		var parsed struct {
			Target       string
			InvocationID string `json:"invocationId"`
			Arguments    []any
		}
		if err := json.Unmarshal([]byte(strings.TrimSuffix(m, "\x1e")), &parsed); err != nil {
			t.Fatalf("%.200s: %v", m, err)
		}
		switch {
		case parsed.InvocationID == "end":
			return got, answers
		case parsed.InvocationID != "":
			answers = append(answers, parsed.InvocationID)
		case parsed.Target == "Moved":
			got = append(got, fmt.Sprint(parsed.Arguments[0], " ", parsed.Arguments[1]))
		default:
			t.Fatalf("unexpected %.200s", m)
		}
	}
}

func keyOfPosition(m *QueuedMessage) string {
	var of, text string
	var i int
	if m.Target() != "Moved" || m.Decode(&of, &i, &text) != nil {
		return ""
	}
	return of
}

func TestSlowClients(t *testing.T) {
	t.Run("drop the oldest", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h, c := slowClient(t, DropOldest())
			sendPosition(t, h, "a", 0)
			synctest.Wait() // it is being written
			for i := 1; i < 50; i++ {
				sendPosition(t, h, "a", i)
			}
			got, _ := positions(t, c)
			want := []string{"a 0"}
			for i := 40; i < 50; i++ {
				want = append(want, fmt.Sprint("a ", i))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want what was being written and the newest that fit: %v", got, want)
			}
		})
	})
	t.Run("keep answers", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h, c := slowClient(t, DropOldest())
			sendPosition(t, h, "a", 0)
			synctest.Wait()
			c.send(invocation("1", "Echo", strings.Repeat("y", 1000)))
			synctest.Wait() // the answer waits in front of everything else
			for i := 1; i < 50; i++ {
				sendPosition(t, h, "a", i)
			}
			got, answers := positions(t, c)
			if len(got) != 10 || got[9] != "a 49" {
				t.Errorf("got %v, want the first and the newest nine", got)
			}
			if !slices.Equal(answers, []string{"1"}) {
				t.Errorf("answers %v: the one to the call was dropped", answers)
			}
		})
	})
	t.Run("keep what a connection sends to itself", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h, c := slowClient(t, DropOldest())
			sendPosition(t, h, "a", 0)
			synctest.Wait()
			c.send(invocation("1", "TellMe"))
			synctest.Wait()
			for i := 1; i < 50; i++ {
				sendPosition(t, h, "a", i)
			}
			if got, _ := positions(t, c); !slices.Contains(got, "own 0") {
				t.Errorf("got %v, without what it has sent to itself", got)
			}
		})
	})
	for name, slow := range map[string]SlowClients{"dropping": DropOldest(), "coalescing": Coalesce(keyOfPosition)} {
		t.Run("answer a client that is always behind, "+name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, c := slowClient(t, slow)
				c.send(invocation("1", "Echo", "?"))
				for i := range 100 { // two come for each that is read
					for _, of := range []string{"a", "b", "c", "d", "e", "f", "g"} {
						sendPosition(t, h, of, i)
						sendPosition(t, h, of, i)
					}
					if i == 50 {
						c.send(invocation("2", "Echo", "still?"))
					}
					for range 7 {
						if c.next() == result("2", `"still?"`) {
							return
						}
					}
				}
				t.Error("no answer")
			})
		})
	}
	t.Run("coalesce by key", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h, c := slowClient(t, Coalesce(keyOfPosition))
			sendPosition(t, h, "z", 0)
			synctest.Wait()
			for i := range 50 {
				for _, of := range []string{"a", "b", "c"} {
					sendPosition(t, h, of, i)
				}
			}
			got, _ := positions(t, c)
			if got[0] != "z 0" || len(got) > 11 {
				t.Errorf("got %v, want no more than fit", got)
			}
			if last := got[len(got)-3:]; !slices.Equal(last, []string{"a 49", "b 49", "c 49"}) {
				t.Errorf("the last are %v, want the newest of each", last)
			}
			next := map[string]int{}
			for _, p := range got {
				var of string
				var i int
				if _, err := fmt.Sscan(p, &of, &i); err != nil {
					t.Fatal(err)
				}
				if i < next[of] {
					t.Errorf("got %v: out of order", got)
				}
				next[of] = i + 1
			}
		})
	})
	t.Run("close when all keys differ", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h, c := slowClient(t, Coalesce(keyOfPosition))
			for i := range 30 {
				sendPosition(t, h, fmt.Sprint("thing-", i), i)
			}
			for {
				if m := c.next(); strings.HasPrefix(m, `{"type":7,`) {
					if !strings.Contains(m, "SlowConsumerException") {
						t.Errorf("closed with %s", m)
					}
					return
				}
			}
		})
	})
	t.Run("a key that panics drops nothing", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h, c := slowClient(t, Coalesce(func(*QueuedMessage) string { panic("no key") }))
			sendPosition(t, h, "a", 0)
			for i := 1; i < 8; i++ {
				sendPosition(t, h, "a", i)
			}
			if got, _ := positions(t, c); len(got) != 8 {
				t.Errorf("got %v", got)
			}
			for i := range 30 {
				sendPosition(t, h, "a", i)
			}
			for !strings.HasPrefix(c.next(), `{"type":7,`) { // the connection ends, and the process does not
			}
		})
	})
	t.Run("messages that came encoded", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h, c := slowClient(t, DropOldest())
			for i := range 30 {
				b, err := NewSerializedMessage(&protocol.Invocation{
					Target: "Moved", Arguments: []any{"a", i, strings.Repeat("x", 970)},
				}).Bytes(h.opts.Protocols[0])
				if err != nil {
					t.Fatal(err)
				}
				m := NewEncodedMessage(EncodedMessage{Protocol: "json", Data: b})
				if err := h.manager.Send(t.Context(), Target{Kind: TargetAll}, m); err != nil {
					t.Fatal(err)
				}
			}
			if got, _ := positions(t, c); got[len(got)-1] != "a 29" || len(got) > 20 {
				t.Errorf("got %v", got)
			}
		})
	})
}
