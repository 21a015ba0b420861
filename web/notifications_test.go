package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signalbox"
)

// titles are the titles of the notifications of a page, and which of them are unread.
func titles(page document) (all, unread []string) {
	for _, item := range page.all("#notification-list > li") {
		title := item.one("h2").text()
		all = append(all, title)
		if _, ok := item.attr("data-unread"); ok {
			unread = append(unread, title)
			item.one(".read-form button")
		} else if len(item.all(".read-form")) != 0 {
			item.t.Errorf("%q is read and can be marked as read", title)
		}
	}
	return all, unread
}

func TestNotificationsPage(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	n, err := s.SendToUser(t.Context(), "alice", signalbox.NotificationMessage{
		Title: "Order <b>moved</b>", Message: "Look & see", Type: signalbox.TypeOrderUpdate,
		Data: json.RawMessage(`{"orderId":"10/01"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.notify("alice", "newer")
	s.notify("bob", "for bob")
	page := alice.page("/notifications", http.StatusOK)

	all, unread := titles(page)
	want := []string{"newer", "Order <b>moved</b>"}
	if !slices.Equal(all, want) || !slices.Equal(unread, want) {
		t.Errorf("shown %q, unread %q; want both %q", all, unread, want)
	}
	item := page.one("#notification-" + n.ID)
	item.has("data-id", n.ID, "data-sequence", "1", "data-type", "OrderUpdate")
	item.one("h2 a").has("href", "/orders/10%2F01")
	item.one("form").has("method", "post", "action", "/notifications/"+n.ID+"/read")
	item.one("time").has("datetime", n.CreatedAt.Format("2006-01-02T15:04:05Z07:00"))
	if got := item.one(".notification-message").text(); got != "Look & see" {
		t.Errorf("message %q", got)
	}
	if use, _ := item.one(".type-icon use").attr("href"); !strings.HasSuffix(use, "#OrderUpdate") {
		t.Errorf("icon %q", use)
	}
	if got := page.one("#unread-count").text(); got != "2" {
		t.Errorf("the bell shows %q, want 2", got)
	}
	page.one("#bell").has("aria-label", "Notifications, 2 unread", "href", "/notifications")
	page.one("body").has("data-user", "alice", "data-poll-interval", "30000")
	page.one(".site-nav a[href='/notifications']").has("aria-current", "page")
}

func TestNotificationsInPages(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	for i := range 45 {
		s.notify("alice", fmt.Sprint("n", i+1))
	}
	target := "/notifications"
	var seen []string
	for range 3 {
		page := alice.page(target, http.StatusOK)
		all, _ := titles(page)
		seen = append(seen, all...)
		older := page.all(".pager-older")
		if len(seen) == 45 {
			if len(older) != 0 {
				t.Error("the last page leads on")
			}
			break
		}
		target, _ = older[0].attr("href")
	}
	if len(seen) != 45 || seen[0] != "n45" || seen[20] != "n25" || seen[44] != "n1" {
		t.Errorf("shown in this order: %q", seen)
	}
	last := alice.page("/notifications?before=6", http.StatusOK)
	last.one("#notification-list").has("data-before", "6")
	last.one(".pager a[href='/notifications']")
	first := last.all("#notification-list > li")[0]
	first.one("input[name=before]").has("value", "6")
}

func TestUnreadCountIsShortened(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	for i := range 100 {
		s.notify("alice", fmt.Sprint(i))
	}
	page := alice.page("/orders", http.StatusOK)
	count := page.one("#unread-count")
	if got := count.text(); got != "99+" {
		t.Errorf("the bell shows %q, want 99+", got)
	}
	count.has("data-count", "100")
	if _, hidden := count.attr("hidden"); hidden {
		t.Error("the count is hidden")
	}
	empty := s.signedIn("bob").page("/orders", http.StatusOK).one("#unread-count")
	if _, hidden := empty.attr("hidden"); !hidden {
		t.Error("a count of 0 is shown")
	}
}

func TestMarkAsRead(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	n := s.notify("alice", "one", "two")
	r := alice.post("/notifications/"+n[0].ID+"/read", url.Values{"before": {"9"}})
	redirected(t, r, "/notifications?before=9#notification-"+n[0].ID)
	if _, unread := titles(alice.page("/notifications", 200)); !slices.Equal(unread, []string{"two"}) {
		t.Errorf("unread %q, want two", unread)
	}
	redirected(t, alice.post("/notifications/"+n[0].ID+"/read", nil), "/notifications#notification-"+n[0].ID)
}

func TestMarkAsReadRefused(t *testing.T) {
	s := newSite(t, nil, nil)
	n := s.notify("alice", "one")
	if r := s.signedIn("bob").post("/notifications/"+n[0].ID+"/read", nil); r.StatusCode != http.StatusNotFound {
		t.Errorf("somebody else's: status %d, want 404", r.StatusCode)
	}
	if r := s.signedIn("alice").post("/notifications/nothing/read", nil); r.StatusCode != http.StatusNotFound {
		t.Errorf("unknown: status %d, want 404", r.StatusCode)
	}
	redirected(t, s.browser().post("/notifications/"+n[0].ID+"/read", nil), "/signin")
	if count, err := s.UnreadCount(t.Context(), "alice"); count != 1 || err != nil {
		t.Errorf("%d unread, error %v; want 1", count, err)
	}
}

func TestMarkAllAsRead(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	s.notify("alice", "one", "two")
	s.notify("bob", "for bob")
	redirected(t, alice.post("/notifications/read-all", nil), "/notifications")
	if _, unread := titles(alice.page("/notifications", 200)); len(unread) != 0 {
		t.Errorf("unread %q, want none", unread)
	}
	if count, err := s.UnreadCount(t.Context(), "bob"); count != 1 || err != nil {
		t.Errorf("bob has %d unread, error %v; want 1", count, err)
	}
}

func TestTopics(t *testing.T) {
	s := newSite(t, nil, nil)
	alice, bob := s.signedIn("alice"), s.signedIn("bob")
	names := func(b *browser) (list []string) {
		for _, name := range b.page("/notifications", 200).all(".topic-name") {
			list = append(list, name.text())
		}
		return list
	}
	if got, want := names(alice), []string{"operations", "releases"}; !slices.Equal(got, want) {
		t.Errorf("alice is offered %q, want %q", got, want)
	}
	if got, want := names(bob), []string{"releases"}; !slices.Equal(got, want) {
		t.Errorf("bob is offered %q, want %q", got, want)
	}

	redirected(t, bob.post("/notifications/topics", url.Values{"topic": {"releases"}, "action": {"subscribe"}}), "/notifications#topics")
	bob.page("/notifications", 200).one("button[value=unsubscribe]").has("aria-label", "Subscribed to releases: unsubscribe")
	if got, err := s.Subscriptions(t.Context(), "bob"); !slices.Equal(got, []string{"releases"}) || err != nil {
		t.Errorf("bob hears %q, error %v; want releases", got, err)
	}
	bob.post("/notifications/topics", url.Values{"topic": {"releases"}, "action": {"unsubscribe"}})
	bob.page("/notifications", 200).one("button[value=subscribe]")

	for _, topic := range []string{"operations", "board", "unknown", ""} {
		r := bob.post("/notifications/topics", url.Values{"topic": {topic}, "action": {"subscribe"}})
		if r.StatusCode != http.StatusForbidden {
			t.Errorf("topic %q: status %d, want 403", topic, r.StatusCode)
		}
	}
	r := bob.post("/notifications/topics", url.Values{"topic": {"releases"}, "action": {"dance"}})
	if r.StatusCode != http.StatusBadRequest {
		t.Errorf("unknown action: status %d, want 400", r.StatusCode)
	}
}
