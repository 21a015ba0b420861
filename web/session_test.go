package web_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"signalbox"
	"signalbox/web"
)

// oneHub makes the handler of a hub behind RequireUser.
func oneHub(hub http.HandlerFunc) func(*web.Server) http.Handler {
	return func(s *web.Server) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/hubs/orders", s.RequireUser(hub))
		mux.Handle("/hubs/orders/negotiate", s.RequireUser(hub))
		return mux
	}
}

func TestRequireUserWithoutUser(t *testing.T) {
	s := newSite(t, oneHub(func(http.ResponseWriter, *http.Request) { t.Error("the hub was asked") }), nil)
	gone := s.signedIn("bob")
	s.RemoveUser("bob")
	forged := s.browser()
	for name, b := range map[string]*browser{"no cookie": s.browser(), "unknown session": forged, "user is gone": gone} {
		for _, target := range []string{"/hubs/orders", "/hubs/orders/negotiate"} {
			headers := []string{"Accept", "text/html"}
			if b == forged {
				headers = append(headers, "Cookie", "signalbox=0000")
			}
			r := b.do(http.MethodPost, target, nil, headers...)
			if r.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: POST %s: status %d, want 401", name, target, r.StatusCode)
			}
			if text := body(t, r); text != "" || r.Header.Get("Content-Type") != "" || r.Header.Get("Location") != "" {
				t.Errorf("%s: answer %q with %v, want nothing", name, text, r.Header)
			}
		}
	}
}

func TestRequireUserTellsTheHubWhoAsks(t *testing.T) {
	var got identity
	s := newSite(t, oneHub(func(_ http.ResponseWriter, r *http.Request) {
		got, _ = r.Context().Value(identityKey{}).(identity)
	}), func(o *web.Options) { o.SessionLifetime = time.Hour })
	before := time.Now()
	alice := s.signedIn("alice")
	after := time.Now()
	alice.do(http.MethodPost, "/hubs/orders/negotiate", nil)
	if got.user != "alice" || !slices.Equal(got.roles, []string{"operator"}) {
		t.Errorf("identity %+v, want alice, an operator", got)
	}
	if got.expires.Before(before.Add(time.Hour).Add(-time.Second)) || got.expires.After(after.Add(time.Hour)) {
		t.Errorf("the session ends %v, want an hour after %v", got.expires, before)
	}
}

func TestRequireUserWhenTheStoreFails(t *testing.T) {
	s := newSite(t, oneHub(func(http.ResponseWriter, *http.Request) { t.Error("the hub was asked") }), nil)
	alice := s.signedIn("alice")
	s.Fail(errBroken)
	r := alice.do(http.MethodPost, "/hubs/orders/negotiate", nil)
	if text := body(t, r); r.StatusCode != http.StatusInternalServerError || text != "" {
		t.Errorf("status %d with %q, want 500 with nothing", r.StatusCode, text)
	}
	if s.log.Len() == 0 {
		t.Error("nothing was logged")
	}
}

func TestRequireUserRefusesOtherOrigins(t *testing.T) {
	s := newSite(t, oneHub(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
		func(o *web.Options) { o.TrustedOrigins = []string{"https://intranet.test"} })
	alice := s.signedIn("alice")
	tests := []struct {
		name    string
		headers []string
		want    int
	}{
		{"same origin", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://signalbox.test"}, 200},
		{"same origin, old browser", []string{"Origin", "http://signalbox.test"}, 200},
		{"a program", nil, 200},
		{"trusted origin", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://intranet.test"}, 200},
		{"other site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}, 403},
		{"other port of this host", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://signalbox.test:81"}, 403},
		{"other site, old browser", []string{"Origin", "https://evil.test"}, 403},
	}
	for _, tt := range tests {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			t.Run(fmt.Sprintf("%s, %s", tt.name, method), func(t *testing.T) {
				r := alice.do(method, "/hubs/orders", nil, tt.headers...)
				if text := body(t, r); r.StatusCode != tt.want || text != "" {
					t.Errorf("status %d with %q, want %d with nothing", r.StatusCode, text, tt.want)
				}
			})
		}
	}
}

// A hub needs the connection itself, not what wraps it.
func TestHubsGetTheWriterOfTheServer(t *testing.T) {
	hub := func(w http.ResponseWriter, _ *http.Request) {
		hijacker, ok := w.(http.Hijacker)
		if _, flushes := w.(http.Flusher); !ok || !flushes {
			t.Errorf("%T is not the writer of net/http", w)
			return
		}
		conn, _, err := hijacker.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "raw")
	}
	s := newSite(t, oneHub(hub), nil)
	alice := s.signedIn("alice")
	server := httptest.NewServer(s.handler)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := httptest.NewRequest(http.MethodGet, "http://signalbox.test/hubs/orders", nil)
	for _, c := range alice.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 3)
	if _, err := conn.Read(answer); err != nil || string(answer) != "raw" {
		t.Errorf("read %q, error %v; want what the hub wrote", answer, err)
	}
}

// The pages' handlers see what the hubs' do, with the same cookie.
func TestUsersOfPagesAndHubsAreTheSame(t *testing.T) {
	var user string
	s := newSite(t, oneHub(func(_ http.ResponseWriter, r *http.Request) {
		id, _ := r.Context().Value(identityKey{}).(identity)
		user = id.user
	}), nil)
	bob := s.signedIn("bob")
	s.order("1", "bob", signalbox.StatusPending, 0, "")
	bob.page("/orders/1", http.StatusOK)
	bob.get("/hubs/orders")
	if user != "bob" {
		t.Errorf("the hub sees %q, want bob", user)
	}
}
