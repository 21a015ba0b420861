package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox"
	"signalbox/live"
)

func TestSendToUser(t *testing.T) {
	s := newSite(t)
	first, second, ben := s.notified("ada", 0), s.notified("ada", 0), s.notified("ben", 0)
	got, err := s.notifications.SendToUser(t.Context(), "ada", hello)
	if err != nil {
		t.Fatal(err)
	}
	want := signalbox.Notification{ID: "n1", UserID: "ada", Sequence: 1, NotificationMessage: hello, CreatedAt: at}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	for _, c := range []*client{first, second} {
		c.want(helloTo("n1", 1, ""), event("UnreadCountUpdated", 1))
		c.wantNothing()
	}
	ben.wantNothing()
}

func TestSendToUsers(t *testing.T) {
	s := newSite(t)
	s.give("ben", 1)
	ada, ben, cleo := s.notified("ada", 0), s.notified("ben", 1), s.notified("cleo", 0)
	stored, err := s.notifications.SendToUsers(t.Context(), []string{"ben", "ada"}, hello)
	if err != nil || len(stored) != 2 || stored[0].UserID != "ben" || stored[1].UserID != "ada" {
		t.Fatalf("stored %v, %v", stored, err)
	}
	ben.want(helloTo("n2", 2, ""), event("UnreadCountUpdated", 2))
	ada.want(helloTo("n3", 1, ""), event("UnreadCountUpdated", 1))
	cleo.wantNothing()

	// For all or for none.
	_, err = s.notifications.SendToUsers(t.Context(), []string{"ada", "dora"}, hello)
	if invalid, ok := errors.AsType[*signalbox.InvalidError](err); !ok || invalid.Field != "users" {
		t.Errorf("to somebody who does not exist: %v", err)
	}
	if _, err := s.notifications.SendToUser(t.Context(), "dora", hello); err == nil {
		t.Error("sent to somebody who does not exist")
	}
	ada.wantNothing()
}

func TestBroadcastToTopic(t *testing.T) {
	s := newSite(t)
	for _, user := range []string{"ada", "ben"} {
		if err := s.topics.Subscribe(t.Context(), user, "news"); err != nil {
			t.Fatal(err)
		}
	}
	ada, ben, cleo := s.notified("ada", 0), s.notified("ben", 0), s.notified("cleo", 0)
	stored, err := s.notifications.BroadcastToTopic(t.Context(), "news", hello)
	if err != nil || len(stored) != 2 {
		t.Fatalf("stored %v, %v", stored, err)
	}
	// Each once, though their connections are in the groups of the user and of the topic.
	ada.want(helloTo("n1", 1, "news"), event("UnreadCountUpdated", 1))
	ben.want(helloTo("n2", 1, "news"), event("UnreadCountUpdated", 1))
	for _, c := range []*client{ada, ben, cleo} {
		c.wantNothing()
	}
	if _, err := s.notifications.BroadcastToTopic(t.Context(), "weather", hello); !errors.Is(err, signalbox.ErrNotFound) {
		t.Errorf("an unknown topic: %v", err)
	}
}

func TestSendToGroup(t *testing.T) {
	s := newSite(t)
	if err := s.topics.Subscribe(t.Context(), "ada", "news"); err != nil {
		t.Fatal(err)
	}
	ada, ben := s.notified("ada", 0), s.notified("ben", 0)
	m := signalbox.NotificationMessage{Title: "Now", Data: json.RawMessage(`{"a":[1,"x",null]}`)}
	if err := s.notifications.SendToGroup(t.Context(), "topic:news", m); err != nil {
		t.Fatal(err)
	}
	before, after, _ := strings.Cut(ada.next(), `"createdAt":"`)
	if want := `{"type":1,"target":"ReceiveNotification","arguments":[{"id":"","sequence":0,"title":"Now","message":"","type":"Info",` +
		`"data":{"a":[1,"x",null]},"topic":"",`; before != want || after == "" {
		t.Errorf("got  %s\nwant %s", before, want)
	}
	ada.wantNothing() // no count: nothing is stored
	ben.wantNothing()
	if n := s.inbox.stored(); n != 0 {
		t.Errorf("%d notifications are stored", n)
	}
	for name, m := range map[string]signalbox.NotificationMessage{
		"no title": {}, "data that is no object": {Title: "t", Data: json.RawMessage(`[]`)}, "unknown type": {Title: "t", Type: "Alarm"},
	} {
		err := s.notifications.SendToGroup(t.Context(), "topic:news", m)
		if _, ok := errors.AsType[*signalbox.InvalidError](err); !ok {
			t.Errorf("%s: %v, want an InvalidError", name, err)
		}
	}
	ada.wantNothing()
}

func TestUpdateUnreadCount(t *testing.T) {
	s := newSite(t)
	first, second, ben := s.notified("ada", 0), s.notified("ada", 0), s.notified("ben", 0)
	s.give("ada", 3)
	if err := s.notifications.UpdateUnreadCount(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	first.want(event("UnreadCountUpdated", 3))
	second.want(event("UnreadCountUpdated", 3))
	ben.wantNothing()
	s.inbox.fail("UnreadCount", errDown)
	if err := s.notifications.UpdateUnreadCount(t.Context(), "ada"); !errors.Is(err, errDown) {
		t.Errorf("when the store is down: %v", err)
	}
}

// TestMarkAsReadOnPages is how the pages mark: not by the hub.
func TestMarkAsReadOnPages(t *testing.T) {
	s := newSite(t)
	s.give("ada", 3)
	s.give("ben", 1)
	ada, ben := s.notified("ada", 3), s.notified("ben", 1)
	for i, want := range []bool{true, false} {
		if changed, err := s.notifications.MarkAsRead(t.Context(), "ada", "n2"); changed != want || err != nil {
			t.Errorf("MarkAsRead, time %d: %t, %v", i+1, changed, err)
		}
	}
	ada.want(event("NotificationRead", "n2"), event("UnreadCountUpdated", 2))
	ada.wantNothing()
	for i, want := range [][]string{{"n1", "n3"}, nil} {
		changed, err := s.notifications.MarkAllAsRead(t.Context(), "ada")
		if diff := cmp.Diff(want, changed); diff != "" || err != nil {
			t.Errorf("MarkAllAsRead, time %d: %v (-want +got):\n%s", i+1, err, diff)
		}
	}
	ada.want(event("NotificationRead", "n1"), event("NotificationRead", "n3"), event("UnreadCountUpdated", 0))
	ada.wantNothing()
	ben.wantNothing()
	if _, err := s.notifications.MarkAsRead(t.Context(), "ada", "n4"); !errors.Is(err, signalbox.ErrNotFound) {
		t.Errorf("somebody else's notification: %v", err)
	}
	s.inbox.fail("MarkAllAsRead", errDown)
	if _, err := s.notifications.MarkAllAsRead(t.Context(), "ada"); !errors.Is(err, errDown) {
		t.Errorf("when the store is down: %v", err)
	}
}

// storing are the ways to store something of which ada's connections are told, when n1 is unread and she has subscribed
// to board.
var storing = []struct {
	name  string
	store func(ctx context.Context, n *live.Notifications) error
	shown []string // to ada
	left  int      // unread
}{
	{"SendToUser", func(ctx context.Context, n *live.Notifications) error {
		_, err := n.SendToUser(ctx, "ada", hello)
		return err
	}, []string{helloTo("n2", 2, ""), event("UnreadCountUpdated", 2)}, 2},
	{"SendToUsers", func(ctx context.Context, n *live.Notifications) error {
		_, err := n.SendToUsers(ctx, []string{"ada", "ben"}, hello)
		return err
	}, []string{helloTo("n2", 2, ""), event("UnreadCountUpdated", 2)}, 2},
	{"BroadcastToTopic", func(ctx context.Context, n *live.Notifications) error {
		_, err := n.BroadcastToTopic(ctx, "board", hello)
		return err
	}, []string{helloTo("n2", 2, "board"), event("UnreadCountUpdated", 2)}, 2},
	{"MarkAsRead", func(ctx context.Context, n *live.Notifications) error {
		_, err := n.MarkAsRead(ctx, "ada", "n1")
		return err
	}, []string{event("NotificationRead", "n1"), event("UnreadCountUpdated", 0)}, 0},
	{"MarkAllAsRead", func(ctx context.Context, n *live.Notifications) error {
		_, err := n.MarkAllAsRead(ctx, "ada")
		return err
	}, []string{event("NotificationRead", "n1"), event("UnreadCountUpdated", 0)}, 0},
}

// readyToStore is a site on which storing can be tried.
func readyToStore(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.give("ada", 1)
	if err := s.topics.Subscribe(t.Context(), "ada", "board"); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWhatCannotBeShownIsShownLater cuts ada's connections off.
func TestWhatCannotBeShownIsShownLater(t *testing.T) {
	for _, test := range storing {
		t.Run(test.name, func(t *testing.T) {
			s := readyToStore(t)
			ada, ben := s.notified("ada", 1), s.notified("ben", 0)
			s.notificationsReachable.cut("user:ada")
			if err := test.store(t.Context(), s.notifications); err != nil {
				t.Errorf("it failed: %v", err)
			}
			if err := s.outbox.settle(); !errors.Is(err, errDown) {
				t.Errorf("sending: %v, want %v", err, errDown)
			}
			if test.name == "SendToUsers" { // ben is none the worse for it
				ben.want(helloTo("n3", 1, ""), event("UnreadCountUpdated", 1))
			}
			s.notificationsReachable.cut()
			s.outbox.retry()
			ada.want(test.shown...)
			ada.wantNothing()
		})
	}
}

// TestShowingSucceedsThoughItsCallerLeaves ends the context once something is stored.
func TestShowingSucceedsThoughItsCallerLeaves(t *testing.T) {
	for _, test := range storing {
		t.Run(test.name, func(t *testing.T) {
			s := readyToStore(t)
			ada := s.notified("ada", 1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, operation := range []string{"Notify", "NotifyTopic", "MarkAsRead", "MarkAllAsRead"} {
				s.inbox.onAfter(operation, cancel)
			}
			if err := test.store(ctx, s.notifications); err != nil {
				t.Errorf("it failed: %v", err)
			}
			ada.want(test.shown...)
			ada.wantNothing()
		})
	}
}

// TestCountsComeInOrder sends from many sides at once: the count that comes last must be the true one, and with nothing
// but new notifications none may be lower than the one before.
func TestCountsComeInOrder(t *testing.T) {
	s := newSite(t)
	ada := s.notified("ada", 0)
	const senders, each = 4, 25
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for range each {
				if _, err := s.notifications.SendToUser(t.Context(), "ada", hello); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	last, received := 0, 0
	for range 2 * senders * each {
		m := ada.next()
		if !strings.Contains(m, `"UnreadCountUpdated"`) {
			received++
			continue
		}
		var count int
		if _, err := fmt.Sscanf(m, `{"type":1,"target":"UnreadCountUpdated","arguments":[%d]}`, &count); err != nil {
			t.Fatal(m)
		}
		if count < last {
			t.Errorf("count %d after %d", count, last)
		}
		last = count
	}
	if last != senders*each || received != senders*each {
		t.Errorf("the last count is %d and %d notifications came, want %d", last, received, senders*each)
	}
	ada.wantNothing()
}
