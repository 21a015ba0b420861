package live_test

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox"
	"signalbox/contract/notificationhub"
)

// hello is a message; helloTo is what clients get of it under some id.
var hello = signalbox.NotificationMessage{Title: "Hello", Message: "World", Type: signalbox.TypeSuccess}

func helloTo(id string, sequence int64, topic string) string {
	return event("ReceiveNotification", notificationhub.NotificationMessage{
		ID: id, Sequence: sequence, Title: "Hello", Message: "World", Type: "Success", Topic: topic, CreatedAt: at,
	})
}

// give stores n unread notifications for a user.
func (s *site) give(user string, n int) {
	for range n {
		s.inbox.store([]string{user}, "", hello)
	}
}

func TestConnect(t *testing.T) {
	s := newSite(t)
	s.give("ada", 2)
	s.give("ben", 1)
	for topic, user := range map[string]string{"news": "ada", "board": "ada"} {
		if err := s.topics.Subscribe(t.Context(), user, topic); err != nil {
			t.Fatal(err)
		}
	}
	ben := s.notified("ben", 1)
	first := s.notified("ada", 2)
	second := s.notified("ada", 2)
	first.wantNothing() // the count is for the one that connects
	ben.wantNothing()

	for _, group := range []string{"user:ada", "topic:news", "topic:board"} {
		if err := s.nhub.Clients().Group(group).Send(t.Context(), "InGroup", group); err != nil {
			t.Fatal(err)
		}
		first.want(event("InGroup", group))
		second.want(event("InGroup", group))
	}
	ben.wantNothing()
}

func TestConnectFails(t *testing.T) {
	for _, operation := range []string{"InboxState", "Subscriptions", "UnreadCount"} {
		t.Run(operation, func(t *testing.T) {
			s := newSite(t)
			s.topics.fail(operation, errDown)
			s.inbox.fail(operation, errDown)
			c := s.connect(notificationhub.Path, "ada")
			c.want(`{"type":7,"error":"Connection closed with an error."}`)
		})
	}
}

// TestConnectCountsInTurn lets a notification come between the counting and the telling at the beginning of a connection:
// the newer count must come last.
func TestConnectCountsInTurn(t *testing.T) {
	s := newSite(t)
	early := s.notified("ada", 0)
	counted, goOn, sent := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	s.inbox.onAfter("UnreadCount", func() {
		s.inbox.onAfter("UnreadCount", nil)
		close(counted)
		<-goOn
	})
	late := s.connect(notificationhub.Path, "ada")
	wait(t, "the unread ones to be counted", counted)
	go func() {
		_, err := s.notifications.SendToUser(t.Context(), "ada", hello)
		sent <- err
	}()
	early.want(helloTo("n1", 1, "")) // the count is what comes next,
	for range 10_000 {
		runtime.Gosched() // and would come now if it did not wait for its turn
	}
	close(goOn)
	if err := wait(t, "the notification to be sent", sent); err != nil {
		t.Fatal(err)
	}
	var counts []string
	for range 3 { // in which place the notification comes does not matter
		if m := late.next(); m != helloTo("n1", 1, "") {
			counts = append(counts, m)
		}
	}
	if diff := cmp.Diff([]string{event("UnreadCountUpdated", 0), event("UnreadCountUpdated", 1)}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	early.want(event("UnreadCountUpdated", 1))
	late.wantNothing()
	early.wantNothing()
}

func TestMarkAsRead(t *testing.T) {
	s := newSite(t)
	s.give("ada", 2)
	s.give("ben", 1)
	first, second, ben := s.notified("ada", 2), s.notified("ada", 2), s.notified("ben", 1)

	// Who marks it has the count before the answer; everybody is told, in whatever order with that.
	first.invoke("MarkAsRead", "n2")
	got := []string{first.next(), first.next(), first.next(), first.next()}
	if slices.Index(got, event("UnreadCountUpdated", 1)) > slices.Index(got, done) {
		t.Errorf("the answer came before the count: %q", got)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{event("NotificationRead", "n2"), event("UnreadCountUpdated", 1), event("UnreadCountUpdated", 1), done}, got); diff != "" {
		t.Errorf("who marks it (-want +got):\n%s", diff)
	}
	second.want(event("NotificationRead", "n2"), event("UnreadCountUpdated", 1))
	ben.wantNothing()

	first.invoke("MarkAsRead", "n2") // changes nothing any more, and is no error
	first.want(event("UnreadCountUpdated", 1), done)
	second.wantNothing()

	for _, id := range []string{"n3", "n9", ""} { // ben's, nobody's, none
		if got, want := first.call("MarkAsRead", id), refused("MarkAsRead", "Notification not found"); got != want {
			t.Errorf("MarkAsRead(%q)\ngot  %s\nwant %s", id, got, want)
		}
	}
	second.wantNothing()
	ben.wantNothing()
	s.inbox.fail("MarkAsRead", errDown)
	if got, want := first.call("MarkAsRead", "n1"), failed("MarkAsRead"); got != want {
		t.Errorf("when the store is down\ngot  %s\nwant %s", got, want)
	}
}

// TestWhatIsAskedForGoesThrough lets a client leave while the store is at work on what it has asked for.
func TestWhatIsAskedForGoesThrough(t *testing.T) {
	for _, test := range []struct {
		method, argument, operation string
		shown                       []string            // to the user's other connection
		subscribed                  map[string][]string // by topic
	}{
		{"MarkAsRead", "n1", "MarkAsRead", []string{event("NotificationRead", "n1"), event("UnreadCountUpdated", 0)},
			map[string][]string{"news": nil, "board": {"ada"}}},
		{"SubscribeToTopic", "news", "Subscribe", nil, map[string][]string{"news": {"ada"}, "board": {"ada"}}},
		{"UnsubscribeFromTopic", "board", "Unsubscribe", nil, map[string][]string{"news": nil, "board": nil}},
	} {
		t.Run(test.method, func(t *testing.T) {
			s := newSite(t)
			s.give("ada", 1)
			if err := s.topics.Subscribe(t.Context(), "ada", "board"); err != nil {
				t.Fatal(err)
			}
			stays, leaves := s.notified("ada", 1), s.notified("ada", 1)
			entered, goOn, left := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			step := func(ctx context.Context) error {
				close(entered)
				<-goOn
				left <- ctx.Err()
				return ctx.Err()
			}
			s.inbox.onBefore(test.operation, step)
			s.topics.onBefore(test.operation, step)
			finished := make(chan struct{})
			s.inbox.onAfter(test.operation, func() { close(finished) })
			s.topics.onAfter(test.operation, func() { close(finished) })
			leaves.invoke(test.method, test.argument)
			wait(t, "the store to be asked", entered)
			_ = leaves.ws.CloseNow()
			wait(t, "the connection to end", s.disconnected)
			close(goOn)
			if err := wait(t, "the store to go on", left); err != nil {
				t.Fatalf("the store was told to stop: %v", err)
			}
			wait(t, "the store to finish", finished)
			stays.want(test.shown...)
			got := map[string][]string{"news": s.topics.subscribers("news"), "board": s.topics.subscribers("board")}
			if diff := cmp.Diff(test.subscribed, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("subscribed by topic (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTopics(t *testing.T) {
	s := newSite(t)
	ada, alsoAda, ben := s.notified("ada", 0), s.notified("ada", 0), s.notified("ben", 0)
	toTopic := func(topic string) {
		t.Helper()
		if err := s.notifications.SendToGroup(t.Context(), "topic:"+topic, hello); err != nil {
			t.Fatal(err)
		}
	}

	for _, test := range []struct {
		name  string
		c     *client
		topic string
		want  string
	}{
		{"everyone's", ben, "news", done},
		{"her own", ada, "board", done},
		{"again", ada, "board", done},
		{"somebody else's", ben, "board", refused("SubscribeToTopic", "Not authorized for this topic")},
		{"unknown", ben, "weather", refused("SubscribeToTopic", "Not authorized for this topic")},
		{"none", ben, "", refused("SubscribeToTopic", "Not authorized for this topic")},
	} {
		if got := test.c.call("SubscribeToTopic", test.topic); got != test.want {
			t.Errorf("%s: got  %s\nwant %s", test.name, got, test.want)
		}
	}
	toTopic("board")
	if got := ada.next(); got == done || len(got) < 50 {
		t.Errorf("ada got %s of her topic", got)
	}
	ada.wantNothing() // once
	ben.wantNothing()
	alsoAda.wantNothing() // it was there before the subscription; what is stored reaches it by the user's group

	if got := ada.call("UnsubscribeFromTopic", "board"); got != done {
		t.Errorf("UnsubscribeFromTopic: %s", got)
	}
	if got := ada.call("UnsubscribeFromTopic", "weather"); got != done {
		t.Errorf("UnsubscribeFromTopic of what was not subscribed: %s", got)
	}
	toTopic("board")
	ada.wantNothing()
	if list := s.topics.subscribers("board"); len(list) > 0 {
		t.Errorf("%v are still subscribed", list)
	}
	s.notified("ada", 0).wantNothing()

	for method, operation := range map[string]string{"SubscribeToTopic": "Subscribe", "UnsubscribeFromTopic": "Unsubscribe"} {
		s.topics.fail(operation, errDown)
		if got, want := ben.call(method, "news"), failed(method); got != want {
			t.Errorf("when the store is down\ngot  %s\nwant %s", got, want)
		}
	}
	s.topics.fail("Subscribe", signalbox.ErrNotFound) // such as for a user who is no more
	if got, want := ben.call("SubscribeToTopic", "news"), refused("SubscribeToTopic", "Not authorized for this topic"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
