package redisbackplane_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
	"signalbox/signalr/redisbackplane"
)

// node is a server of a farm.
type node struct {
	t   *testing.T
	b   *redisbackplane.Backplane
	hub *signalr.Hub
	url string

	mu  sync.Mutex
	ids map[string]string // connection ids by the name in the query
}

// both are the protocols in .NET's order.
func both() []protocol.HubProtocol {
	return []protocol.HubProtocol{jsonprotocol.New(nil), msgpackprotocol.New(nil)}
}

// newNode returns a node on a Redis server, which need not be there.
func newNode(t *testing.T, r *redisServer, change func(*redisbackplane.Options)) *node {
	t.Helper()
	return newNodeWith(t, newBackplane(t, r, change), both())
}

func newNodeWith(t *testing.T, b *redisbackplane.Backplane, protocols []protocol.HubProtocol) *node {
	t.Helper()
	srv, err := signalr.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, b: b, ids: make(map[string]string)}
	n.hub = signalr.NewHub(&signalr.HubOptions{LifetimeManager: b, Protocols: protocols})
	n.hub.OnConnected(func(_ context.Context, c *signalr.Caller) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.ids[c.Request().Query().Get("name")] = c.ConnectionID()
		return nil
	})
	mux := http.NewServeMux()
	srv.MapHub(mux, "/hub", n.hub, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user := r.URL.Query().Get("user"); user != "" {
				r = r.WithContext(signalr.WithIdentity(r.Context(), signalr.Identity{UserID: user}))
			}
			next.ServeHTTP(w, r)
		})
	})
	hs := httptest.NewServer(mux)
	n.url = hs.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("shutting down: %v", err)
		}
		hs.Close()
	})
	return n
}

// connected waits until the nodes are.
func connected(nodes ...*node) {
	for _, n := range nodes {
		n.t.Helper()
		eventually(n.t, "a backplane is connected", n.b.Healthy)
	}
}

func (n *node) ctx() context.Context {
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	n.t.Cleanup(cancel)
	return ctx
}

// send sends Receive with a text.
func (n *node) send(p signalr.ClientProxy, text string) {
	n.t.Helper()
	if err := p.Send(n.ctx(), "Receive", text); err != nil {
		n.t.Fatalf("sending %q: %v", text, err)
	}
}

func (n *node) join(c *client, groups ...string) {
	n.t.Helper()
	for _, g := range groups {
		if err := n.hub.Groups().Add(n.ctx(), c.id, g); err != nil {
			n.t.Fatalf("adding to group %q: %v", g, err)
		}
	}
}

// client is a client of a node. A goroutine reads what comes, one WebSocket message after the other.
type client struct {
	t        *testing.T
	id       string
	ws       *websocket.Conn
	messages chan string
	ended    chan struct{}
}

// connect opens a connection under a name that no other has, of a user unless that is empty, with a protocol.
func (n *node) connect(name, user, protocolName string) *client {
	t := n.t
	t.Helper()
	ws, _, err := websocket.Dial(n.ctx(), n.url+"/hub?name="+name+"&user="+user, nil)
	if err != nil {
		t.Fatalf("connecting: %v", err)
	}
	ws.SetReadLimit(-1)
	c := &client{t: t, ws: ws, messages: make(chan string, 1<<16), ended: make(chan struct{})}
	t.Cleanup(c.close)
	c.write(fmt.Sprintf(`{"protocol":%q,"version":1}`, protocolName))
	go func() {
		defer close(c.ended)
		defer close(c.messages)
		for {
			_, data, err := ws.Read(context.Background()) // ends with the connection
			if err != nil {
				return
			}
			if text := string(data); text != "{\"type\":6}\x1e" && text != "\x02\x91\x06" {
				c.messages <- text
			}
		}
	}()
	if got := c.next(); got != "{}\x1e" {
		t.Fatalf("shaking hands: got %q", got)
	}
	eventually(t, "OnConnected has run", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		c.id = n.ids[name]
		return c.id != ""
	})
	return c
}

func (n *node) connectJSON(name string) *client { n.t.Helper(); return n.connect(name, "", "json") }

func (c *client) write(text string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, []byte(text+"\x1e")); err != nil {
		c.t.Fatalf("a client writes: %v", err)
	}
}

// next returns the next message; it is empty at the end of the connection.
func (c *client) next() string {
	c.t.Helper()
	select {
	case m := <-c.messages:
		return m
	case <-time.After(patience):
		c.t.Fatal("a message did not come")
		return ""
	}
}

// gets checks that these texts come next, and nothing in between.
func (c *client) gets(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		quoted, err := json.Marshal(text)
		if err != nil {
			c.t.Fatal(err)
		}
		want := `{"type":1,"target":"Receive","arguments":[` + string(quoted) + "]}\x1e"
		if got := c.next(); got != want {
			c.t.Fatalf("a client got %q, want %q", got, want)
		}
	}
}

// question returns the id under which the client is asked.
func (c *client) question() string {
	c.t.Helper()
	var m struct{ InvocationID string }
	text := c.next()
	if err := json.Unmarshal([]byte(strings.TrimSuffix(text, "\x1e")), &m); err != nil || m.InvocationID == "" {
		c.t.Fatalf("a client got %q, want to be asked", text)
	}
	return m.InvocationID
}

// close cuts the connection and waits for the reader.
func (c *client) close() {
	_ = c.ws.CloseNow() // it may be closed already
	<-c.ended
}
