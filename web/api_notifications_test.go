package web_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestPostNotificationsToUsers(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	s.notify("bob", "earlier")
	r, answer := a.call(http.MethodPost, "/notifications", `{"users":["bob","alice","bob"],"title":"Hello","message":"There","type":"Warning","data":{"orderId":"7","n":[1]}}`)
	if r.StatusCode != http.StatusCreated || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, %s; want 201, application/json", r.StatusCode, r.Header.Get("Content-Type"))
	}
	equal(t, answer, `{"notifications":[{"id":"n-3","user":"bob","sequence":2},{"id":"n-4","user":"alice","sequence":1}]}`)

	_, inbox := a.call(http.MethodGet, "/notifications?user=alice", "")
	equal(t, inbox, `{"unread":1,"notifications":[{"id":"n-4","user":"alice","sequence":1,"title":"Hello","message":"There",
		"type":"Warning","data":{"orderId":"7","n":[1]},"topic":null,"createdAt":"2026-03-04T12:06:00Z","readAt":null}]}`)
}

func TestPostNotificationsDefaults(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	for name, body := range map[string]string{
		"missing": `{"users":["alice"],"title":"Hello"}`,
		"null":    `{"users":["alice"],"title":"Hello","message":null,"type":null,"data":null,"topic":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			if r, answer := a.call(http.MethodPost, "/notifications", body); r.StatusCode != http.StatusCreated {
				t.Fatalf("status %d with %v, want 201", r.StatusCode, answer)
			}
			_, inbox := a.call(http.MethodGet, "/notifications?user=alice&limit=1", "")
			n := inbox["notifications"].([]any)[0].(map[string]any)
			if n["type"] != "Info" || n["message"] != "" || n["data"] != nil {
				t.Errorf("stored %v, want an Info without message and data", n)
			}
		})
	}
}

func TestPostNotificationsToATopic(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	if err := s.Subscribe(t.Context(), "bob", "releases"); err != nil {
		t.Fatal(err)
	}
	_, answer := a.call(http.MethodPost, "/notifications", `{"topic":"releases","title":"2.0 is out"}`)
	equal(t, answer, `{"notifications":[{"id":"n-2","user":"bob","sequence":1}]}`)
	_, inbox := a.call(http.MethodGet, "/notifications?user=bob", "")
	if n := inbox["notifications"].([]any)[0].(map[string]any); n["topic"] != "releases" {
		t.Errorf("stored %v, want topic releases", n)
	}
	_, answer = a.call(http.MethodPost, "/notifications", `{"topic":"operations","title":"Nobody hears this"}`)
	equal(t, answer, `{"notifications":[]}`)
}

func TestPostNotificationsRefused(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	tests := []struct {
		name, body, field string
		status            int
	}{
		{"nobody", `{"title":"x"}`, "users", 400},
		{"no users", `{"title":"x","users":[]}`, "users", 400},
		{"users and topic", `{"title":"x","users":["alice"],"topic":"releases"}`, "topic", 400},
		{"no users and topic", `{"title":"x","users":[],"topic":"releases"}`, "topic", 400},
		{"unknown user", `{"title":"x","users":["alice","mallory"]}`, "users", 400},
		{"unknown topic", `{"title":"x","topic":"nothing"}`, "topic", 404},
		{"no title", `{"users":["alice"]}`, "title", 400},
		{"blank title", `{"users":["alice"],"title":" "}`, "title", 400},
		{"long title", `{"users":["alice"],"title":"` + strings.Repeat("ä", 201) + `"}`, "title", 400},
		{"long message", `{"users":["alice"],"title":"x","message":"` + strings.Repeat("ä", 4001) + `"}`, "message", 400},
		{"unknown type", `{"users":["alice"],"title":"x","type":"Rumour"}`, "type", 400},
		{"data is no object", `{"users":["alice"],"title":"x","data":[1]}`, "data", 400},
		{"a number beyond float64", `{"users":["alice"],"title":"x","data":{"e":1e400}}`, "data", 400},
		{"data nested too deep", `{"users":["alice"],"title":"x","data":` + strings.Repeat(`{"a":`, 60) + `{}` + strings.Repeat(`}`, 61), "data", 400},
		{"a name twice in data", `{"users":["alice"],"title":"x","data":{"a":1,"a":2}}`, "data", 400},
		{"half a surrogate pair in data", `{"users":["alice"],"title":"x","data":{"a":"\ud800"}}`, "data", 400},
		{"users is no list", `{"users":"alice","title":"x"}`, "users", 400},
		{"a user is no name", `{"users":[7],"title":"x"}`, "users", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { a.refused(http.MethodPost, "/notifications", tt.body, tt.status, tt.field) })
	}
	if count, err := s.UnreadCount(t.Context(), "alice"); count != 0 || err != nil {
		t.Errorf("alice has %d notifications, error %v; want none", count, err)
	}
	longest := `{"users":["alice"],"title":"` + strings.Repeat("ä", 200) + `","message":"` + strings.Repeat("ä", 4000) + `"}`
	if r, _ := a.call(http.MethodPost, "/notifications", longest); r.StatusCode != http.StatusCreated {
		t.Errorf("the longest: status %d, want 201", r.StatusCode)
	}
}

func TestGetNotifications(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	n := s.notify("alice", "one", "two", "three")
	if _, err := s.Services.MarkAsRead(t.Context(), "alice", n[2].ID); err != nil {
		t.Fatal(err)
	}
	sequences := func(query string) (list []float64) {
		_, answer := a.call(http.MethodGet, "/notifications?user=alice"+query, "")
		for _, n := range answer["notifications"].([]any) {
			list = append(list, n.(map[string]any)["sequence"].(float64))
		}
		if answer["unread"] != 2.0 {
			t.Errorf("%d unread, want 2", answer["unread"])
		}
		return list
	}
	for query, want := range map[string][]float64{
		"": {3, 2, 1}, "&limit=2": {3, 2}, "&before=3": {2, 1}, "&before=3&limit=1": {2}, "&before=1": nil, "&before=0": {3, 2, 1},
	} {
		got := sequences(query)
		if len(got) != len(want) {
			t.Errorf("%q: %v, want %v", query, got, want)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q: %v, want %v", query, got, want)
			}
		}
	}
	_, answer := a.call(http.MethodGet, "/notifications?user=bob", "")
	equal(t, answer, `{"notifications":[],"unread":0}`)

	for query, field := range map[string]string{
		"": "user", "?user=": "user", "?user=alice&limit=0": "limit", "?user=alice&limit=201": "limit", "?user=alice&limit=x": "limit",
		"?user=alice&before=-1": "before", "?user=alice&before=x": "before", "?user=alice&offset=1": "offset",
		"?user=alice&user=bob": "user",
	} {
		t.Run(query, func(t *testing.T) { a.refused(http.MethodGet, "/notifications"+query, "", 400, field) })
	}
	a.refused(http.MethodGet, "/notifications?user=mallory", "", http.StatusNotFound, "")
	a.refused(http.MethodGet, "/notifications?user=%zz", "", http.StatusBadRequest, "")
}
