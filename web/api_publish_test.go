package web_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox"
)

func TestIdempotencyKey(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	const body = `{"users":["alice"],"title":"Hello"}`
	publish := func(key, body string) (*http.Response, map[string]any) {
		t.Helper()
		return a.call(http.MethodPost, "/notifications", body, "Idempotency-Key", key)
	}
	first, answer := publish("order-7/paid", body)
	if first.StatusCode != http.StatusCreated || first.Header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("status %d, replayed %q with %v", first.StatusCode, first.Header.Get("Idempotency-Replayed"), answer)
	}
	want := `{"notifications":[{"id":"n-2","user":"alice","sequence":1}]}`
	equal(t, answer, want)
	again, answer := publish("order-7/paid", body)
	if again.StatusCode != http.StatusCreated || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again: status %d, replayed %q", again.StatusCode, again.Header.Get("Idempotency-Replayed"))
	}
	equal(t, answer, want)
	other, answer := publish("order-7/paid", `{"users":["alice"],"title":"Another"}`)
	if other.StatusCode != http.StatusUnprocessableEntity || answer["field"] != "Idempotency-Key" {
		t.Errorf("another body: status %d with %v, want 422", other.StatusCode, answer)
	}
	if r, _ := publish("order-8/paid", body); r.StatusCode != http.StatusCreated {
		t.Errorf("another key: status %d", r.StatusCode)
	}
	if count, err := s.UnreadCount(t.Context(), "alice"); count != 2 || err != nil {
		t.Errorf("alice has %d notifications, %v, want 2", count, err)
	}
	for name, key := range map[string]string{"long": strings.Repeat("k", 256), "a blank": "a b", "no ASCII": "ä", "empty": ""} {
		if r, answer := publish(key, body); r.StatusCode != http.StatusBadRequest || answer["field"] != "Idempotency-Key" {
			t.Errorf("%s: status %d with %v, want 400", name, r.StatusCode, answer)
		}
	}
	a.calledMeanwhile(s, body)
}

// calledMeanwhile sends a request while another with its key is being done.
func (a *api) calledMeanwhile(s *site, body string) {
	a.t.Helper()
	s.PublishFails(signalbox.ErrInFlight)
	r, answer := a.call(http.MethodPost, "/notifications", body, "Idempotency-Key", "k")
	if r.StatusCode != http.StatusConflict || r.Header.Get("Retry-After") != "1" || answer["field"] != "Idempotency-Key" {
		a.t.Errorf("while it is being done: status %d, Retry-After %q with %v, want 409", r.StatusCode, r.Header.Get("Retry-After"), answer)
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	s.presence.Users = map[string][]string{"bob": {"c1", "c2"}}
	const body = `{"users":["bob","alice"],"title":"Hello"}`
	_, answer := a.call(http.MethodPost, "/notifications?connections=true", body)
	equal(t, answer, `{"notifications":[{"id":"n-2","user":"bob","sequence":1,"connections":2},{"id":"n-3","user":"alice","sequence":1,"connections":0}]}`)
	_, answer = a.call(http.MethodPost, "/notifications?connections=false", body)
	equal(t, answer, `{"notifications":[{"id":"n-4","user":"bob","sequence":2},{"id":"n-5","user":"alice","sequence":2}]}`)
	s.presence.Err = errors.New("the others do not answer")
	if r, answer := a.call(http.MethodPost, "/notifications?connections=1", body); r.StatusCode != http.StatusCreated {
		t.Errorf("while presence is not known: status %d with %v; it is stored", r.StatusCode, answer)
	}
	a.refused(http.MethodPost, "/notifications?connections=some", body, http.StatusBadRequest, "connections")
	a.refused(http.MethodPost, "/notifications?count=true", body, http.StatusBadRequest, "count")
}

func TestReceipt(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	n := s.notify("alice", "one")[0]
	const content = `"id":"n-2","user":"alice","sequence":1,"title":"one","message":"About one","type":"Info","data":null,"topic":null,
		"createdAt":"2026-03-04T12:04:00Z","storedAt":"2026-03-04T12:04:00Z","sentAt":null`
	_, answer := a.call(http.MethodGet, "/notifications/"+n.ID, "")
	equal(t, answer, `{`+content+`,"readAt":null,"deliveredAt":null,"seenAt":null}`)
	if err := s.ConfirmDelivered(t.Context(), "alice", []string{n.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Services.MarkAsRead(t.Context(), "alice", n.ID); err != nil {
		t.Fatal(err)
	}
	_, answer = a.call(http.MethodGet, "/notifications/"+n.ID, "")
	for _, field := range []string{"deliveredAt", "seenAt", "readAt"} {
		text, _ := answer[field].(string)
		if at, err := time.Parse(time.RFC3339, text); err != nil || !at.After(n.CreatedAt) {
			t.Errorf("%s is %v", field, answer[field])
		}
	}
	a.refused(http.MethodGet, "/notifications/nothing", "", http.StatusNotFound, "")
}

// TestPagesCarryTheSequence stores a notification while a page is made: what the page carries must not be higher than
// what it shows.
func TestPagesCarryTheSequence(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	carried := func(path string, want string) {
		t.Helper()
		if got, _ := alice.page(path, http.StatusOK).one("body").attr("data-sequence"); got != want {
			t.Errorf("%s carries %q, want %q", path, got, want)
		}
	}
	carried("/notifications", "0")
	s.notify("alice", "one", "two")
	carried("/notifications", "2")
	carried("/notifications?before=2", "2")
	carried("/orders", "2")
	if got, ok := s.browser().page("/signin", http.StatusOK).one("body").attr("data-sequence"); ok {
		t.Errorf("a page for nobody carries %q", got)
	}
}
