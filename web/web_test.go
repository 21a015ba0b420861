package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"signalbox"
	"signalbox/web"
	"signalbox/web/webtest"
)

func TestNewChecksItsOptions(t *testing.T) {
	s := webtest.New(nil, nil)
	good := func() web.Options {
		return web.Options{
			Users: s, Notifications: s, Orders: s, Subscriptions: s, Presence: &webtest.Presence{},
			Sessions:     memstore.NewWithCleanupInterval(0),
			WithIdentity: func(ctx context.Context, _ string, _ []string, _ time.Time) context.Context { return ctx },
		}
	}
	if _, err := web.New(good()); err != nil {
		t.Fatalf("good options: %v", err)
	}
	for name, change := range map[string]func(*web.Options){
		"Users":           func(o *web.Options) { o.Users = nil },
		"Notifications":   func(o *web.Options) { o.Notifications = nil },
		"Orders":          func(o *web.Options) { o.Orders = nil },
		"Subscriptions":   func(o *web.Options) { o.Subscriptions = nil },
		"Presence":        func(o *web.Options) { o.Presence = nil },
		"Sessions":        func(o *web.Options) { o.Sessions = nil },
		"WithIdentity":    func(o *web.Options) { o.WithIdentity = nil },
		"Topics":          func(o *web.Options) { o.Topics = signalbox.Topics{"no rule": {}} },
		"TrustedOrigins":  func(o *web.Options) { o.TrustedOrigins = []string{"not an origin/"} },
		"SessionLifetime": func(o *web.Options) { o.SessionLifetime = -1 },
		"PollInterval":    func(o *web.Options) { o.PollInterval = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			o := good()
			change(&o)
			if _, err := web.New(o); err == nil || !strings.Contains(err.Error(), "Options."+name) {
				t.Errorf("error %v, want one that names Options.%s", err, name)
			}
		})
	}
}

func TestHome(t *testing.T) {
	s := newSite(t, nil, nil)
	redirected(t, s.browser().get("/"), "/signin")
	redirected(t, s.signedIn("alice").get("/"), "/orders")
}

func TestPagesNeedAUser(t *testing.T) {
	s := newSite(t, nil, nil)
	b := s.browser()
	redirected(t, b.get("/orders"), "/signin?next=%2Forders")
	redirected(t, b.get("/orders/1001?a=b&c=d"), "/signin?next=%2Forders%2F1001%3Fa%3Db%26c%3Dd")
	redirected(t, b.get("/notifications?before=7"), "/signin?next=%2Fnotifications%3Fbefore%3D7")
	redirected(t, b.post("/notifications/read-all", nil), "/signin")
}

func TestErrorPages(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	s.notify("alice", "one")
	tests := []struct {
		name           string
		method, target string
		status         int
		allow          string
	}{
		{"unknown page", http.MethodGet, "/nowhere", 404, ""},
		{"below a page", http.MethodGet, "/orders/1/2", 404, ""},
		{"wrong method", http.MethodPost, "/orders", 405, "GET, HEAD"},
		{"wrong method of a form", http.MethodGet, "/signout", 405, "POST"},
		{"wrong parameter", http.MethodGet, "/notifications?before=x", 400, ""},
		{"hubs that are not there", http.MethodPost, "/hubs/orders/negotiate", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := alice.do(tt.method, tt.target, nil)
			if r.StatusCode != tt.status || r.Header.Get("Allow") != tt.allow {
				t.Errorf("status %d, Allow %q; want %d, %q", r.StatusCode, r.Header.Get("Allow"), tt.status, tt.allow)
			}
			page := parse(t, r)
			if got, want := page.one("h1").text(), http.StatusText(tt.status); got != want {
				t.Errorf("heading %q, want %q", got, want)
			}
			if got := page.one("#unread-count").text(); got != "1" {
				t.Errorf("bell shows %q, want 1", got)
			}
		})
	}
	if page := s.browser().page("/nowhere", 404); len(page.all("#bell")) != 0 {
		t.Error("there is a bell on a page for nobody")
	}
}

func TestFailuresOfTheServerAreLoggedAndNotTold(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	s.Fail(errBroken)
	for _, target := range []string{"/", "/orders", "/orders/1", "/notifications", "/nowhere"} {
		s.log.Reset()
		want := http.StatusInternalServerError
		if target == "/nowhere" {
			want = http.StatusNotFound
		}
		r := alice.get(target)
		if r.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", target, r.StatusCode, want)
		}
		if text := body(t, r); strings.Contains(text, "fire") {
			t.Errorf("GET %s tells what is wrong inside: %s", target, text)
		}
		if want == 500 && !strings.Contains(s.log.String(), errBroken.Error()) {
			t.Errorf("GET %s: the log lacks the error: %s", target, s.log)
		}
	}
	r := s.browser().post("/signin", url.Values{"name": {"alice"}, "password": {"secret"}})
	if r.StatusCode != http.StatusInternalServerError {
		t.Errorf("sign in: status %d, want 500", r.StatusCode)
	}
}

// panicking is a service that has a bug.
type panicking struct{ signalbox.OrderService }

func (panicking) Orders(context.Context, string) ([]signalbox.Order, error) { panic("a bug") }

func TestPanicsAreAnswered(t *testing.T) {
	s := newSite(t, nil, func(o *web.Options) { o.Orders = panicking{} })
	s.signedIn("alice").page("/orders", http.StatusInternalServerError)
	if got := s.log.String(); !strings.Contains(got, "a bug") || !strings.Contains(got, "ordersPage") {
		t.Errorf("the log lacks the panic or its stack: %s", got)
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := newSite(t, nil, nil)
	for _, target := range []string{"/signin", "/static/base.css", "/nowhere", "/api/v1/orders", "/api/v1/openapi.json"} {
		h := s.browser().get(target).Header
		csp := map[string]string{}
		for directive := range strings.SplitSeq(h.Get("Content-Security-Policy"), ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
			csp[name] = value
		}
		for name, want := range map[string]string{
			"default-src": "'self'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'",
			"frame-ancestors": "'none'", "form-action": "'self'", "base-uri": "'none'",
		} {
			if csp[name] != want {
				t.Errorf("%s: CSP %s is %q, want %q", target, name, csp[name], want)
			}
		}
		if got := h.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", target, got)
		}
		if got := h.Get("Referrer-Policy"); got != "same-origin" {
			t.Errorf("%s: Referrer-Policy %q", target, got)
		}
	}
}

func TestCrossSitePostsAreRefused(t *testing.T) {
	tests := []struct {
		name    string
		headers []string
		refused bool
	}{
		{"same origin", []string{"Sec-Fetch-Site", "same-origin"}, false},
		{"a program", nil, false},
		{"same origin, old browser", []string{"Origin", "http://signalbox.test"}, false},
		{"trusted origin", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://intranet.test"}, false},
		{"other site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}, true},
		{"other origin of this site", []string{"Sec-Fetch-Site", "same-site"}, true},
		{"other site, old browser", []string{"Origin", "http://evil.test"}, true},
		{"sandboxed page", []string{"Origin", "null"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, nil, func(o *web.Options) { o.TrustedOrigins = []string{"https://intranet.test"} })
			alice := s.signedIn("alice")
			s.notify("alice", "one")
			r := alice.post("/notifications/read-all", nil, tt.headers...)
			unread, err := s.UnreadCount(t.Context(), "alice")
			if err != nil {
				t.Fatal(err)
			}
			if tt.refused {
				if r.StatusCode != http.StatusForbidden || unread != 1 {
					t.Errorf("status %d, %d unread; want 403 and nothing done", r.StatusCode, unread)
				}
				parse(t, r).one("h1")
			} else if r.StatusCode != http.StatusSeeOther || unread != 0 {
				t.Errorf("status %d, %d unread; want 303 and all read", r.StatusCode, unread)
			}
		})
	}
}
