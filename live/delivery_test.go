package live_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/contract/orderhub"
)

// catchUp calls CatchUp and returns the answer, whatever comes before it.
func (c *client) catchUp(last int64) notificationhub.CatchUpResult {
	c.t.Helper()
	c.invoke("CatchUp", last)
	for {
		m := c.next()
		var answer struct {
			Type   int
			Result *notificationhub.CatchUpResult
		}
		if err := json.Unmarshal([]byte(m), &answer); err != nil {
			c.t.Fatal(err)
		}
		if answer.Type != 3 {
			continue
		}
		if answer.Result == nil {
			c.t.Fatalf("CatchUp was answered %s", m)
		}
		return *answer.Result
	}
}

func sequences(list []notificationhub.NotificationMessage) []int64 {
	var all []int64
	for _, n := range list {
		all = append(all, n.Sequence)
	}
	return all
}

func TestCatchUp(t *testing.T) {
	s := newSite(t)
	s.give("ada", 3)
	s.give("ben", 1)
	if _, err := s.notifications.MarkAsRead(t.Context(), "ada", "n2"); err != nil {
		t.Fatal(err)
	}
	s.outbox.settle()
	ada := s.notified("ada", 2)
	if got, want := ada.call("CatchUp", 1), `{"type":3,"invocationId":"c","result":{"notifications":[`+
		`{"id":"n2","sequence":2,"title":"Hello","message":"World","type":"Success","data":null,"topic":"","createdAt":"2026-03-04T05:06:07.890123Z"},`+
		`{"id":"n3","sequence":3,"title":"Hello","message":"World","type":"Success","data":null,"topic":"","createdAt":"2026-03-04T05:06:07.890123Z"}],`+
		`"read":["n2"],"gap":false,"firstSequence":1,"fetchUrl":"/notifications","lastSequence":3,"more":false,"unreadCount":2}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := ada.call("CatchUp", 3), `{"type":3,"invocationId":"c","result":{"notifications":[],"read":[],"gap":false,`+
		`"firstSequence":1,"fetchUrl":"/notifications","lastSequence":3,"more":false,"unreadCount":2}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := ada.catchUp(7); !got.Gap || got.LastSequence != 3 {
		t.Errorf("after a sequence that never was: %+v, want a gap and to go on from 3", got)
	}
	if got, want := ada.call("CatchUp", -1), refused("CatchUp", "The last sequence must not be negative"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.inbox.fail("CatchUp", errDown)
	if got, want := ada.call("CatchUp", 1), failed("CatchUp"); got != want {
		t.Errorf("when the store is down\ngot  %s\nwant %s", got, want)
	}
}

func TestCatchUpIsBounded(t *testing.T) {
	s := newSite(t)
	s.give("ada", 250)
	big := signalbox.NotificationMessage{Title: "Big", Type: signalbox.TypeInfo, Data: json.RawMessage(`{"x":"` + strings.Repeat("x", 10<<10) + `"}`)}
	for range 100 {
		s.inbox.store([]string{"ada"}, "", big)
	}
	ada := s.notified("ada", 350)
	ada.ws.SetReadLimit(1 << 20)
	var got []int64
	last := int64(0)
	var sizes []int
	for more := true; more; {
		answer := ada.catchUp(last)
		got = append(got, sequences(answer.Notifications)...)
		sizes = append(sizes, len(answer.Notifications))
		more, last = answer.More, answer.LastSequence
		if len(answer.Notifications) > 0 && answer.Notifications[len(answer.Notifications)-1].Sequence != last {
			t.Fatalf("it says to go on from %d, after %d", last, got[len(got)-1])
		}
	}
	for i, sequence := range got {
		if sequence != int64(i+1) {
			t.Fatalf("sequence %d at place %d", sequence, i)
		}
	}
	if len(got) != 350 || last != 350 {
		t.Errorf("%d notifications up to %d, want 350", len(got), last)
	}
	if slices.Max(sizes) > 100 || len(sizes) < 5 {
		t.Errorf("answers of %v, want 100 at most, and fewer of the big ones", sizes)
	}
}

func TestCatchUpTellsOfGaps(t *testing.T) {
	s := newSite(t)
	s.give("ada", 5)
	s.inbox.first["ada"] = 4
	ada := s.notified("ada", 5)
	for last, gap := range map[int64]bool{0: true, 2: true, 3: false, 4: false} {
		got := ada.catchUp(last)
		if got.Gap != gap || got.FirstSequence != 4 || got.LastSequence != 5 || sequences(got.Notifications)[0] != max(4, last+1) {
			t.Errorf("after %d: %+v, want gap %t", last, got, gap)
		}
	}
}

// TestNothingFallsBetweenAPageAndItsConnection stores while a client connects: what the page shows, what CatchUp brings
// and what comes live are everything, whenever it was stored.
func TestNothingFallsBetweenAPageAndItsConnection(t *testing.T) {
	s := newSite(t)
	shown, err := s.notifications.InboxState(t.Context(), "ada") // the page is rendered
	if err != nil {
		t.Fatal(err)
	}
	store := func() {
		if _, err := s.notifications.SendToUser(t.Context(), "ada", hello); err != nil {
			t.Error(err)
		}
	}
	store()
	for _, operation := range []string{"InboxState", "UnreadCount"} { // before and after the connection joins its group
		s.inbox.onAfter(operation, func() {
			s.inbox.onAfter(operation, nil)
			store()
		})
	}
	ada := s.connect(notificationhub.Path, "ada")
	wait(t, "ada to be connected", s.connected)
	store()
	have := make(map[int64]bool)
	ada.invoke("CatchUp", shown.LastSequence)
	store()
	for len(have) < 5 {
		m := ada.next()
		var parsed struct {
			Target    string
			Arguments []json.RawMessage
			Result    *notificationhub.CatchUpResult
		}
		if err := json.Unmarshal([]byte(m), &parsed); err != nil {
			t.Fatal(err)
		}
		if parsed.Result != nil {
			for _, n := range parsed.Result.Notifications {
				have[n.Sequence] = true
			}
		}
		if parsed.Target == "ReceiveNotification" {
			var n notificationhub.NotificationMessage
			if err := json.Unmarshal(parsed.Arguments[0], &n); err != nil {
				t.Fatal(err)
			}
			have[n.Sequence] = true
		}
	}
}

func TestConfirmDelivered(t *testing.T) {
	s := newSite(t)
	ada := s.notified("ada", 0)
	for _, ids := range [][]string{{"n1", "n2"}, {}, {"n3"}} {
		if got := ada.call("ConfirmDelivered", ids); got != done {
			t.Errorf("ConfirmDelivered: %s", got)
		}
	}
	if want := []string{"ada n1", "ada n2", "ada n3"}; !slices.Equal(s.inbox.confirmed, want) {
		t.Errorf("confirmed %q, want %q", s.inbox.confirmed, want)
	}
	if got, want := ada.call("ConfirmDelivered", make([]string, 1001)), refused("ConfirmDelivered", "Confirm at most 1000 notifications at a time"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestDeliverSaysHowFarItCame cuts the way while several events of a user are sent.
func TestDeliverSaysHowFarItCame(t *testing.T) {
	s := newSite(t, order)
	s.give("ada", 2)
	ada, watcher := s.notified("ada", 2), s.watching("ada", "1")
	newer := order
	newer.Version, newer.Progress = 5, 60
	events := []signalbox.Event{
		{UserID: "ada", Position: 1, Notification: &s.inbox.all[0]},
		{UserID: "ada", Position: 2, Order: &signalbox.OrderUpdate{Before: order, After: newer}},
		{UserID: "ada", Position: 3, Notification: &s.inbox.all[1]},
		{UserID: "ada", Position: 4, Unread: true},
	}
	s.ordersReachable.cut("order:1")
	if sent, err := s.events.Deliver(t.Context(), events); sent != 1 || !errors.Is(err, errDown) {
		t.Errorf("Deliver = %d, %v, want 1 and %v", sent, err, errDown)
	}
	ada.want(helloTo("n1", 1, ""), event("UnreadCountUpdated", 2))
	ada.wantNothing()
	watcher.wantNothing()

	// The count is part of what is sent: without it the last event that changed it is not done.
	s.ordersReachable.cut()
	s.inbox.fail("UnreadCount", errDown)
	if sent, err := s.events.Deliver(t.Context(), events[1:3]); sent != 1 || !errors.Is(err, errDown) {
		t.Errorf("Deliver = %d, %v, want 1 and %v", sent, err, errDown)
	}
	s.inbox.fail("UnreadCount", nil)
	if sent, err := s.events.Deliver(t.Context(), events[2:]); sent != 2 || err != nil {
		t.Errorf("Deliver = %d, %v, want 2", sent, err)
	}
	ada.want(helloTo("n2", 2, ""), helloTo("n2", 2, ""), event("UnreadCountUpdated", 2)) // known by its sequence
	ada.wantNothing()
	watcher.want(event("OrderProgressUpdated", "1", 60), changed(5, "Processing", 60, "Packing"))
}

// TestResendMissed stores what nobody is told of, as when another process has told it to a backplane that was gone.
func TestResendMissed(t *testing.T) {
	other := order
	other.ID, other.UpdatedAt = "2", at.Add(-time.Hour)
	s := newSite(t, order, other)
	s.give("ada", 1)
	ada, also, ben := s.notified("ada", 1), s.notified("ada", 1), s.notified("ben", 0)
	watcher := s.watching("ada", "1")
	if got := watcher.call("SubscribeToOrder", "2"); !strings.Contains(got, `"version":4`) {
		t.Fatal(got)
	}
	resend := func(since time.Time, want int) {
		t.Helper()
		if n, err := s.events.ResendMissed(t.Context(), since); n != want || err != nil {
			t.Errorf("ResendMissed = %d, %v, want %d", n, err, want)
		}
	}
	resend(time.Time{}, 0)
	if _, err := s.notifications.SendToUser(t.Context(), "ada", hello); err != nil { // this was sent
		t.Fatal(err)
	}
	if err := s.outbox.settle(); err != nil {
		t.Fatal(err)
	}
	resend(time.Time{}, 1) // whether it has arrived is not known
	for _, c := range []*client{ada, also} {
		c.want(helloTo("n2", 2, ""), event("UnreadCountUpdated", 2), helloTo("n2", 2, ""), event("UnreadCountUpdated", 2))
	}
	resend(time.Time{}, 0)

	s.give("ada", 2)
	newer := order
	newer.Version, newer.Status = 6, signalbox.StatusCompleted
	s.book.put(newer)
	older := other
	older.Version = 5
	s.book.put(older)
	resend(at.Add(time.Second), 0) // all of it is older
	resend(at, 3)
	for _, c := range []*client{ada, also} {
		c.want(helloTo("n3", 3, ""), helloTo("n4", 4, ""), event("UnreadCountUpdated", 4))
		c.wantNothing()
	}
	watcher.want(event("OrderStatusUpdated", "1", "Completed", "Packing"), event("OrderProgressUpdated", "1", 50),
		event("OrderCompleted", "1"), changed(6, "Completed", 50, "Packing"))
	watcher.wantNothing()
	ben.wantNothing()
	resend(at, 0) // once

	// A connection that came later lacks nothing that was there before it.
	late := s.notified("ada", 4)
	s.give("ada", 1)
	resend(time.Time{}, 2) // and order 2, which has changed before the time that was named above
	for _, c := range []*client{ada, also, late} {
		c.want(helloTo("n5", 5, ""), event("UnreadCountUpdated", 5))
		c.wantNothing()
	}

	s.give("ada", 1)
	s.inbox.fail("Missed", errDown)
	s.book.put(signalbox.Order{ID: "1", OwnerID: "ben", Version: 9, UpdatedAt: at}) // it is no longer hers to see
	if n, err := s.events.ResendMissed(t.Context(), at); n != 0 || !errors.Is(err, errDown) {
		t.Errorf("ResendMissed = %d, %v, want %v", n, err, errDown)
	}
}

// TestResendGoesOnWithTheOthers: a connection that cannot be reached gets nothing behind what it lacks, and keeps nobody
// else waiting.
func TestResendGoesOnWithTheOthers(t *testing.T) {
	s := newSite(t)
	ada := s.notified("ada", 0)
	id := wait(t, "ada to be connected", s.connected)
	also, ben := s.notified("ada", 0), s.notified("ben", 0)
	s.give("ada", 4)
	s.give("ben", 1)
	s.notificationsReachable.cut(id)
	if n, err := s.events.ResendMissed(t.Context(), time.Time{}); n != 5 || !errors.Is(err, errDown) {
		t.Errorf("ResendMissed = %d, %v, want 5 and %v", n, err, errDown)
	}
	also.want(helloTo("n1", 1, ""), helloTo("n2", 2, ""), helloTo("n3", 3, ""), event("UnreadCountUpdated", 4),
		helloTo("n4", 4, ""), event("UnreadCountUpdated", 4))
	ben.want(helloTo("n5", 1, ""), event("UnreadCountUpdated", 1))
	s.notificationsReachable.cut()
	if n, err := s.events.ResendMissed(t.Context(), time.Time{}); n != 4 || err != nil {
		t.Errorf("ResendMissed = %d, %v, want 4: it gets all of them, in order", n, err)
	}
	var got []int64
	for len(got) < 4 {
		if n, ok := received(t, ada.next()); ok {
			got = append(got, n)
		}
	}
	if want := []int64{1, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("it got %v, want %v", got, want)
	}
}

// received is the sequence of the notification in a message, if there is one in it.
func received(t *testing.T, msg string) (sequence int64, ok bool) {
	t.Helper()
	var m struct {
		Target    string
		Arguments []json.RawMessage
	}
	if err := json.Unmarshal([]byte(msg), &m); err != nil {
		t.Fatalf("got %s: %v", msg, err)
	}
	if m.Target != "ReceiveNotification" {
		return 0, false
	}
	var n notificationhub.NotificationMessage
	if err := json.Unmarshal(m.Arguments[0], &n); err != nil {
		t.Fatal(err)
	}
	return n.Sequence, true
}

// TestSentIsNotArrived: that a backplane has taken a message does not say that it brings it, and what was sent later may
// have come. What was missed is found nevertheless.
func TestSentIsNotArrived(t *testing.T) {
	s := newSite(t, order)
	ada, watcher := s.notified("ada", 0), s.watching("ada", "1")
	s.give("ada", 2)
	s.notificationsReachable.lose("user:ada")
	s.ordersReachable.lose("order:1")
	newer := order
	newer.Version, newer.Progress = 5, 60
	s.book.put(newer)
	events := []signalbox.Event{
		{UserID: "ada", Position: 1, Notification: &s.inbox.all[1]},
		{UserID: "ada", Position: 2, Order: &signalbox.OrderUpdate{Before: order, After: newer}},
	}
	if n, err := s.events.Deliver(t.Context(), events); n != 2 || err != nil {
		t.Fatalf("Deliver = %d, %v", n, err)
	}
	if n, err := s.events.ResendMissed(t.Context(), at); n != 3 || err != nil {
		t.Errorf("ResendMissed = %d, %v, want 3", n, err)
	}
	ada.want(helloTo("n1", 1, ""), helloTo("n2", 2, ""), event("UnreadCountUpdated", 2))
	watcher.want(event("OrderStatusUpdated", "1", "Processing", "Packing"), event("OrderProgressUpdated", "1", 60),
		changed(5, "Processing", 60, "Packing"))
}

// TestAccessTakenAway takes from a user who is connected what an operator can take.
func TestAccessTakenAway(t *testing.T) {
	s := newSite(t, order)
	ada := s.notified("ada", 0)
	for _, topic := range []string{"news", "board"} {
		if got := ada.call("SubscribeToTopic", topic); got != done {
			t.Fatal(got)
		}
	}
	also := s.notified("ada", 0)
	watcher := s.watching("ada", "1")
	access := func(lost string) {
		t.Helper()
		if n, err := s.events.Deliver(t.Context(), []signalbox.Event{{UserID: "ada", Access: true, Lost: lost}}); n != 1 || err != nil {
			t.Fatalf("Deliver = %d, %v", n, err)
		}
	}
	hear := func(topic string, heard bool) {
		t.Helper()
		if err := s.nhub.Clients().Group("topic:"+topic).Send(t.Context(), "Heard", topic); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{ada, also} {
			if heard {
				c.want(event("Heard", topic))
			}
			c.wantNothing()
		}
	}
	if err := s.topics.Unsubscribe(t.Context(), "ada", "board"); err != nil {
		t.Fatal(err)
	}
	access("")
	hear("board", false)
	hear("news", true)
	if err := s.topics.Subscribe(t.Context(), "ada", "board"); err != nil {
		t.Fatal(err)
	}
	access("")
	hear("board", true)

	// The order is given to ben, and goes on.
	given := order
	given.OwnerID, given.Version = "ben", 5
	s.book.put(given)
	access("1")
	watcher.want(`{"type":7,"allowReconnect":true}`)
	watcher = s.connect(orderhub.Path, "ada")
	s.change(signalbox.OrderChange{ID: "1", Progress: new(99)})
	watcher.wantNothing()
	if got, want := watcher.call("SubscribeToOrder", "1"), refused("SubscribeToOrder", "Not authorized to view this order"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	s.topics.fail("Subscriptions", errDown)
	if n, err := s.events.Deliver(t.Context(), []signalbox.Event{{UserID: "ada", Access: true}}); n != 0 || !errors.Is(err, errDown) {
		t.Errorf("when the store is down: %d, %v: it must be tried again", n, err)
	}
}

// TestSignedOut ends what a user has that is live, at both hubs, and nobody else's.
func TestSignedOut(t *testing.T) {
	s := newSite(t, order)
	ada, also, watcher := s.notified("ada", 0), s.notified("ada", 0), s.watching("ada", "1")
	ben := s.notified("ben", 0)
	end := []signalbox.Event{{UserID: "ada", SignedOut: true}}
	s.ordersReachable.cut("ada")
	if n, err := s.events.Deliver(t.Context(), end); n != 0 || !errors.Is(err, errDown) {
		t.Errorf("when a hub cannot be reached: %d, %v: it must be tried again", n, err)
	}
	s.ordersReachable.cut()
	if n, err := s.events.Deliver(t.Context(), end); n != 1 || err != nil {
		t.Errorf("Deliver = %d, %v", n, err)
	}
	for _, c := range []*client{ada, also, watcher} {
		c.want(`{"type":7,"allowReconnect":true}`)
	}
	ben.wantNothing()
}

// TestSubscriptionTakenAwayMeanwhile takes a topic away between the moment it was allowed and the moment the connection
// would hear it: when no connection can be found in the group yet.
func TestSubscriptionTakenAwayMeanwhile(t *testing.T) {
	s := newSite(t)
	ada := s.notified("ada", 0)
	s.topics.onAfter("Subscribe", func() {
		s.topics.onAfter("Subscribe", nil)
		if err := s.topics.Unsubscribe(t.Context(), "ada", "news"); err != nil {
			t.Error(err)
		}
	})
	if got := ada.call("SubscribeToTopic", "news"); got != done {
		t.Fatal(got)
	}
	if err := s.nhub.Clients().Group("topic:news").Send(t.Context(), "Heard"); err != nil {
		t.Fatal(err)
	}
	ada.wantNothing()
}

// TestOrderStateIsShownOnceAfterAnAbsence is how a client with versions sees an order that went on without it.
func TestOrderStateIsShownOnceAfterAnAbsence(t *testing.T) {
	s := newSite(t, order)
	ada := s.watching("ada", "1")
	_ = ada.ws.CloseNow()
	for i := range 3 {
		s.change(signalbox.OrderChange{ID: "1", Progress: new(60 + i)})
	}
	if err := s.outbox.settle(); err != nil {
		t.Fatal(err)
	}
	back := s.connect(orderhub.Path, "ada")
	if got := back.call("SubscribeToOrder", "1"); !strings.Contains(got, `"progress":62,"message":"Packing","version":7,`) {
		t.Errorf("it is shown %s", got)
	}
	back.wantNothing() // of what came before
	s.change(signalbox.OrderChange{ID: "1", Progress: new(63)})
	back.want(event("OrderProgressUpdated", "1", 63), changed(8, "Processing", 63, "Packing"))
	back.wantNothing()
}
