package live_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/contract/orderhub"
	"signalbox/live"
	"signalbox/signalr"
)

// roll is a tracker that notes what it is told, and knows this node alone.
type roll struct {
	signalbox.ConnectionTracker // nobody asks for the rest

	told chan string // "+USER" and "-USER"

	mu      sync.Mutex
	present map[string]string // by connection
	fail    error
}

func newRoll() *roll {
	return &roll{told: make(chan string, 100), present: make(map[string]string), fail: signalbox.ErrPresencePartial}
}

func (r *roll) Add(_ context.Context, userID, connectionID string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.present[connectionID] = userID
	r.told <- "+" + userID
	return r.fail
}

func (r *roll) Remove(_ context.Context, userID, connectionID string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.present[connectionID] == userID {
		delete(r.present, connectionID)
	}
	r.told <- "-" + userID
	return r.fail
}

func (r *roll) users() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, user := range r.present {
		list = append(list, user)
	}
	slices.Sort(list)
	return list
}

// presenceSite is a server with both hubs, which tell a roll.
func presenceSite(t *testing.T) (*site, *roll) {
	t.Helper()
	s := &site{t: t, topics: newTopics(), book: newOrderBook(), outbox: newOutbox()}
	s.inbox, s.book.outbox = &inbox{topics: s.topics, outbox: s.outbox}, s.outbox
	r := newRoll()
	base := live.AuthenticatedHub{Presence: r}
	hub := &live.NotificationHub{AuthenticatedHub: base, Topics: s.topics, Logger: slog.New(slog.DiscardHandler)}
	s.nhub = notificationhub.NewHub(hub, nil)
	hub.Notifications = live.NewNotifications(s.inbox, s.nhub)
	orders := &live.OrderHub{AuthenticatedHub: base}
	s.ohub = orderhub.NewHub(orders, nil)
	orders.Orders = live.NewOrders(s.book, s.ohub)
	s.serve(map[string]*signalr.Hub{notificationhub.Path: s.nhub, orderhub.Path: s.ohub})
	return s, r
}

// TestPresence: whoever is connected to either hub is present, though other nodes cannot be told, and nobody is not.
func TestPresence(t *testing.T) {
	s, r := presenceSite(t)
	for _, path := range []string{notificationhub.Path, orderhub.Path} {
		c := s.connect(path, "ada")
		if got := wait(t, "ada to come", r.told); got != "+ada" || !slices.Equal(r.users(), []string{"ada"}) {
			t.Errorf("%s: told %s, present are %q", path, got, r.users())
		}
		_ = c.ws.CloseNow()
		if got := wait(t, "ada to go", r.told); got != "-ada" || len(r.users()) > 0 {
			t.Errorf("%s: told %s, present are %q", path, got, r.users())
		}
		s.dial(path, "").send(jsonHandshake)
	}
	if len(r.told) > 0 {
		t.Errorf("told %s of nobody", <-r.told)
	}
}

// TestRefusedConnectionIsNotPresent: a connection that the hub could not welcome has no end of its own.
func TestRefusedConnectionIsNotPresent(t *testing.T) {
	s, r := presenceSite(t)
	broken := errors.New("broken")
	s.inbox.fail("InboxState", broken)
	c := s.dial(notificationhub.Path, "ada")
	c.send(jsonHandshake)
	for _, want := range []string{"+ada", "-ada"} {
		if got := wait(t, "ada to come and go", r.told); got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	}
	if len(r.users()) > 0 {
		t.Errorf("present are %q", r.users())
	}
}

// TestPresenceThatFails: a tracker that does not take the connection ends it.
func TestPresenceThatFails(t *testing.T) {
	s, r := presenceSite(t)
	r.fail = errors.New("broken")
	c := s.connect(orderhub.Path, "ada")
	c.want(`{"type":7,"error":"Connection closed with an error."}`, "close 1000")
}
