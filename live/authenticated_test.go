package live_test

import (
	"log/slog"
	"testing"

	"signalbox/contract/notificationhub"
	"signalbox/contract/orderhub"
	"signalbox/live"
	"signalbox/signalr"
)

func TestConnectionOfNobodyIsAborted(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{notificationhub.Path, orderhub.Path} {
		// What is called along with the handshake is not run either.
		c := s.dial(path, "")
		c.send(jsonHandshake + "\x1e" + `{"type":1,"invocationId":"c","target":"SubscribeToTopic","arguments":["news"]}` +
			"\x1e" + `{"type":1,"invocationId":"c","target":"SubscribeToOrder","arguments":["1"]}`)
		c.want(`{}`, `{"type":7}`, "close 1000")
	}
	wait(t, "the end of the connection", s.disconnected)
	for name, asked := range map[string][]string{"inbox": s.inbox.asked(), "topics": s.topics.asked(), "orders": s.book.asked()} {
		if len(asked) > 0 {
			t.Errorf("the %s were asked %v for nobody", name, asked)
		}
	}
}

// TestMethodsRefuseNobody calls the methods on a connection that OnConnected has never seen.
func TestMethodsRefuseNobody(t *testing.T) {
	s := &site{t: t, inbox: &inbox{}, topics: newTopics(), book: newOrderBook()}
	notifications, orders := signalr.NewHub(nil), signalr.NewHub(nil)
	n := &live.NotificationHub{
		Notifications: live.NewNotifications(s.inbox, notifications),
		Topics:        s.topics, Logger: slog.New(slog.DiscardHandler),
	}
	notifications.Handle("MarkAsRead", signalr.Action1(n.MarkAsRead))
	notifications.Handle("SubscribeToTopic", signalr.Action1(n.SubscribeToTopic))
	notifications.Handle("UnsubscribeFromTopic", signalr.Action1(n.UnsubscribeFromTopic))
	notifications.Handle("CatchUp", signalr.Func1(n.CatchUp))
	notifications.Handle("ConfirmDelivered", signalr.Action1(n.ConfirmDelivered))
	o := &live.OrderHub{Orders: live.NewOrders(s.book, orders)}
	orders.Handle("SubscribeToOrder", signalr.Func1(o.SubscribeToOrder))
	orders.Handle("UnsubscribeFromOrder", signalr.Action1(o.UnsubscribeFromOrder))
	s.serve(map[string]*signalr.Hub{notificationhub.Path: notifications, orderhub.Path: orders})

	for path, methods := range map[string]map[string]any{
		notificationhub.Path: {
			"MarkAsRead": "1", "SubscribeToTopic": "1", "UnsubscribeFromTopic": "1", "CatchUp": 1, "ConfirmDelivered": []string{"1"},
		},
		orderhub.Path: {"SubscribeToOrder": "1", "UnsubscribeFromOrder": "1"},
	} {
		c := s.connect(path, "")
		for method, argument := range methods {
			if got, want := c.call(method, argument), refused(method, "Not authenticated"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	}
	for name, asked := range map[string][]string{"inbox": s.inbox.asked(), "topics": s.topics.asked(), "orders": s.book.asked()} {
		if len(asked) > 0 {
			t.Errorf("the %s were asked %v for nobody", name, asked)
		}
	}
}
