package signalrtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// client is a client of a server, with the JSON protocol on a WebSocket. A goroutine reads what comes.
type client struct {
	t        *testing.T
	id       string
	ws       *websocket.Conn
	messages chan message
	ended    chan struct{} // closed when the connection is
}

// message is what a client receives.
type message struct {
	Type         int               `json:"type"`
	InvocationID string            `json:"invocationId"`
	Target       string            `json:"target"`
	Arguments    []json.RawMessage `json:"arguments"`
	Result       json.RawMessage   `json:"result"`
	Error        string            `json:"error"`
}

// String is what tests compare: the target and its arguments, or what else it is.
func (m message) String() string {
	if m.Type != 1 {
		return fmt.Sprintf("type %d %s%s", m.Type, m.Result, m.Error)
	}
	return fmt.Sprintf("%s%s", m.Target, m.Arguments)
}

const recordSeparator = 0x1E

// connect opens a connection of nobody.
func (s *server) connect() *client { s.t.Helper(); return s.connectAs("") }

// connectAs opens a connection of a user, which lasts until the test ends.
func (s *server) connectAs(user string) *client {
	t := s.t
	t.Helper()
	ws, _, err := websocket.Dial(s.ctx(), s.http.URL+"/hub?user="+user, nil)
	if err != nil {
		t.Fatalf("connecting: %v", err)
	}
	ws.SetReadLimit(-1)
	c := &client{t: t, ws: ws, messages: make(chan message, 4096), ended: make(chan struct{})}
	t.Cleanup(c.close)
	c.write(`{"protocol":"json","version":1}`)
	go c.read()
	if m, ok := c.next(); !ok || m.Type != 0 || m.Error != "" {
		t.Fatalf("shaking hands: got %v", m)
	}
	c.write(`{"type":1,"invocationId":"me","target":"Me","arguments":[]}`)
	m, _ := c.next()
	if err := json.Unmarshal(m.Result, &c.id); err != nil || c.id == "" {
		t.Fatalf("asking for the connection's id: got %v", m)
	}
	return c
}

func (c *client) read() {
	defer close(c.ended)
	defer close(c.messages)
	for {
		_, data, err := c.ws.Read(context.Background()) // ends with the connection
		if err != nil {
			return
		}
		for part := range bytes.SplitSeq(data, []byte{recordSeparator}) {
			if len(part) == 0 {
				continue
			}
			var m message
			if err := json.Unmarshal(part, &m); err != nil {
				c.t.Errorf("a client received %q: %v", part, err)
				return
			}
			if m.Type != 6 {
				c.messages <- m
			}
		}
	}
}

func (c *client) write(text string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, append([]byte(text), recordSeparator)); err != nil {
		c.t.Fatalf("a client writes: %v", err)
	}
}

// next returns the next message; ok is false at the end of the connection.
func (c *client) next() (m message, ok bool) {
	c.t.Helper()
	select {
	case m, ok = <-c.messages:
	case <-time.After(patience):
		c.t.Fatal("a message did not come")
	}
	return m, ok
}

// gets checks that these texts come next as Hello, in order, and nothing in between.
func (c *client) gets(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		m, ok := c.next()
		if want := fmt.Sprintf("Hello[%q]", text); !ok || m.String() != want {
			c.t.Fatalf("a client got %v, want %s", m, want)
		}
	}
}

// isClosed checks that a Close message comes next, and nothing behind it.
func (c *client) isClosed() {
	c.t.Helper()
	if m, ok := c.next(); !ok || m.Type != 7 {
		c.t.Errorf("a client got %v, want to be closed", m)
	}
	if m, ok := c.next(); ok {
		c.t.Errorf("a client got %v behind the end", m)
	}
}

// question returns the next message, which must ask for a result.
func (c *client) question() message {
	c.t.Helper()
	m, ok := c.next()
	if !ok || m.Type != 1 || m.Target != "Result" || m.InvocationID == "" {
		c.t.Fatalf("a client got %v, want to be asked for a result", m)
	}
	return m
}

// answer answers a question with a result in JSON.
func (c *client) answer(q message, result string) {
	c.t.Helper()
	c.write(fmt.Sprintf(`{"type":3,"invocationId":%q,"result":%s}`, q.InvocationID, result))
}

// fail answers a question with an error.
func (c *client) fail(q message, text string) {
	c.t.Helper()
	c.write(fmt.Sprintf(`{"type":3,"invocationId":%q,"error":%q}`, q.InvocationID, text))
}

// close cuts the connection and waits for the reader.
func (c *client) close() {
	_ = c.ws.CloseNow() // it may be closed already
	<-c.ended
}
