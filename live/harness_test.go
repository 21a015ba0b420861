package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/contract/orderhub"
	"signalbox/live"
	"signalbox/signalr"
	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
)

// site is a server with both hubs, on stores in memory. Who has the bearer token ada is the user ada; who has none is
// nobody, and let through: the middleware that requires a user was forgotten.
type site struct {
	t      *testing.T
	inbox  *inbox
	topics *topics
	book   *orderBook

	outbox *outbox

	notifications *live.Notifications
	orders        *live.Orders
	events        *live.Events

	nhub, ohub             *signalr.Hub
	notificationsReachable *outage
	ordersReachable        *outage
	// connected and disconnected get the ids of the connections to the notification hub, once its events have run.
	connected, disconnected chan string
	http                    *httptest.Server
}

// watched is a notification hub that tells of its events.
type watched struct {
	*live.NotificationHub
	s *site
}

func (h watched) OnConnected(ctx context.Context, c *signalr.Caller) error {
	err := h.NotificationHub.OnConnected(ctx, c)
	h.s.connected <- c.ConnectionID()
	return err
}

func (h watched) OnDisconnected(ctx context.Context, c *signalr.Caller, cause error) error {
	err := h.NotificationHub.OnDisconnected(ctx, c, cause)
	h.s.disconnected <- c.ConnectionID()
	return err
}

// newSite starts a server with these orders. It ends with the test.
func newSite(t *testing.T, orders ...signalbox.Order) *site {
	t.Helper()
	s := &site{
		t: t, topics: newTopics(), book: newOrderBook(orders...), outbox: newOutbox(),
		notificationsReachable: &outage{MemoryLifetimeManager: signalr.NewMemoryLifetimeManager()},
		ordersReachable:        &outage{MemoryLifetimeManager: signalr.NewMemoryLifetimeManager()},
		connected:              make(chan string, 100), disconnected: make(chan string, 100), // more than any test has connections
	}
	s.inbox = &inbox{topics: s.topics, outbox: s.outbox, first: make(map[string]int64)}
	s.book.outbox = s.outbox
	options := func(m signalr.HubLifetimeManager) *signalr.HubOptions {
		return &signalr.HubOptions{
			Protocols: []protocol.HubProtocol{jsonprotocol.New(nil), msgpackprotocol.New(nil)}, LifetimeManager: m,
		}
	}
	hub := &live.NotificationHub{Topics: s.topics, Logger: slog.New(slog.DiscardHandler), NotificationsURL: "/notifications"}
	s.nhub = notificationhub.NewHub(watched{hub, s}, options(s.notificationsReachable))
	s.notifications = live.NewNotifications(s.inbox, s.nhub)
	hub.Notifications = s.notifications
	orderHub := new(live.OrderHub)
	s.ohub = orderhub.NewHub(orderHub, options(s.ordersReachable))
	s.orders = live.NewOrders(s.book, s.ohub)
	orderHub.Orders = s.orders
	s.events = &live.Events{Notifications: s.notifications, Orders: s.orders, Access: &live.Access{
		Topics: s.topics, All: s.topics.exist, Connections: s.notifications.Connections(), Hub: s.nhub, Orders: s.orders,
	}}
	s.outbox.deliver = s.events.Deliver
	var sending sync.WaitGroup
	sending.Go(s.outbox.run)
	t.Cleanup(sending.Wait)
	t.Cleanup(s.outbox.end)
	s.serve(map[string]*signalr.Hub{notificationhub.Path: s.nhub, orderhub.Path: s.ohub})
	return s
}

// serve serves hubs by path until the test ends.
func (s *site) serve(hubs map[string]*signalr.Hub) {
	s.t.Helper()
	server, err := signalr.NewServer(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	mux := http.NewServeMux()
	for path, hub := range hubs {
		server.MapHub(mux, path, hub, byToken)
	}
	s.http = httptest.NewServer(mux)
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			s.t.Errorf("shutting down: %v", err)
		}
		s.http.Close()
	})
}

func byToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user := signalr.AccessToken(r); user != "" {
			r = r.WithContext(signalr.WithIdentity(r.Context(), signalr.Identity{UserID: user}))
		}
		next.ServeHTTP(w, r)
	})
}

// patience is how long something that must happen is waited for before the test gives up.
const patience = 20 * time.Second

// wait waits for what must happen.
func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// client is a client of a hub on a WebSocket, in JSON unless a test does otherwise.
type client struct {
	t    *testing.T
	s    *site
	ws   *websocket.Conn
	rest []string
}

// dial opens a WebSocket as a user, or as nobody.
func (s *site) dial(path, user string) *client {
	s.t.Helper()
	header := http.Header{}
	if user != "" {
		header.Set("Authorization", "Bearer "+user)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, s.http.URL+path, &websocket.DialOptions{HTTPClient: s.http.Client(), HTTPHeader: header})
	if err != nil {
		s.t.Fatalf("connecting to %s: %v", path, err)
	}
	s.t.Cleanup(func() { _ = ws.CloseNow() })
	return &client{t: s.t, s: s, ws: ws}
}

const jsonHandshake = `{"protocol":"json","version":1}`

// connect connects to a hub, up to the end of the handshake.
func (s *site) connect(path, user string) *client {
	s.t.Helper()
	c := s.dial(path, user)
	c.send(jsonHandshake)
	c.want(`{}`)
	return c
}

// notified connects a user to the notification hub, up to the unread count.
func (s *site) notified(user string, unread int) *client {
	s.t.Helper()
	c := s.connect(notificationhub.Path, user)
	c.want(event("UnreadCountUpdated", unread))
	return c
}

// watching connects a user to the order hub and subscribes to an order.
func (s *site) watching(user, orderID string) *client {
	s.t.Helper()
	c := s.connect(orderhub.Path, user)
	if got := c.call("SubscribeToOrder", orderID); !strings.HasPrefix(got, `{"type":3,"invocationId":"c","result":{`) {
		s.t.Fatalf("subscribing to order %s: %s", orderID, got)
	}
	return c
}

// send sends a message.
func (c *client) send(msg string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, []byte(msg+"\x1e")); err != nil {
		c.t.Fatalf("sending %s: %v", msg, err)
	}
}

// next returns the next message but pings, without its record separator, or "close CODE" or "lost" at the end.
func (c *client) next() string {
	c.t.Helper()
	for {
		for len(c.rest) == 0 {
			ctx, cancel := context.WithTimeout(c.t.Context(), patience)
			_, p, err := c.ws.Read(ctx)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				c.t.Fatal("waited in vain for a message")
			}
			if code := websocket.CloseStatus(err); code != -1 {
				return fmt.Sprintf("close %d", code)
			}
			if err != nil {
				return "lost"
			}
			c.rest = strings.SplitAfter(strings.TrimSuffix(string(p), "\x1e"), "\x1e")
		}
		m := strings.TrimSuffix(c.rest[0], "\x1e")
		c.rest = c.rest[1:]
		if m != `{"type":6}` {
			return m
		}
	}
}

// want reads the messages that must come next.
func (c *client) want(msgs ...string) {
	c.t.Helper()
	for _, want := range msgs {
		if got := c.next(); got != want {
			c.t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// wantNothing fails the test if a message has come since the last one that was read. What somebody was sent before is
// in the queue before the answer to what is asked now.
func (c *client) wantNothing() {
	c.t.Helper()
	if err := c.s.outbox.settle(); err != nil {
		c.t.Errorf("sending failed: %v", err)
	}
	c.send(`{"type":1,"invocationId":"fence","target":"Fence","arguments":[]}`)
	c.want(`{"type":3,"invocationId":"fence","error":"Failed to invoke 'Fence' due to an error on the server. HubException: Method does not exist."}`)
}

// invoke calls a method and does not wait for the answer.
func (c *client) invoke(target string, args ...any) {
	c.t.Helper()
	b, err := json.Marshal(args)
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(fmt.Sprintf(`{"type":1,"invocationId":"c","target":%q,"arguments":%s}`, target, b))
}

// call calls a method and returns the next message.
func (c *client) call(target string, args ...any) string {
	c.t.Helper()
	c.invoke(target, args...)
	return c.next()
}

// event is a method that the server invokes on a client.
func event(target string, args ...any) string {
	b, err := json.Marshal(args)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"type":1,"target":%q,"arguments":%s}`, target, b)
}

// done is the answer to a call of a method that has no result.
const done = `{"type":3,"invocationId":"c","result":null}`

// refused is the answer to a call that failed with words for the client.
func refused(method, text string) string {
	return failed(method)[:len(failed(method))-2] + " HubException: " + text + `"}`
}

// failed is the answer to a call that failed without them.
func failed(method string) string {
	return fmt.Sprintf(`{"type":3,"invocationId":"c","error":"An unexpected error occurred invoking '%s' on the server."}`, method)
}
