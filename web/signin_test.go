package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2/memstore"

	"signalbox/web"
)

func TestSignIn(t *testing.T) {
	s := newSite(t, nil, func(o *web.Options) { o.SignInHint = "Try alice." })
	b := s.browser()
	form := b.page("/signin?next=/orders/7", http.StatusOK)
	form.one(".sign-in-form").has("method", "post", "action", "/signin")
	form.one("input[name=next]").has("value", "/orders/7")
	form.one("label[for=name]")
	form.one("label[for=password]")
	if got := form.one(".hint").text(); got != "Try alice." {
		t.Errorf("hint %q", got)
	}

	r := b.post("/signin", url.Values{"name": {" ALICE "}, "password": {"secret"}, "next": {"/orders/7"}})
	redirected(t, r, "/orders/7")
	cookies := r.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies, want 1", len(cookies))
	}
	if c := cookies[0]; c.Name != "signalbox" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure || c.Path != "/" {
		t.Errorf("cookie %v", c)
	}
	b.page("/orders", http.StatusOK)
	redirected(t, b.get("/signin?next=/notifications"), "/notifications")

	redirected(t, b.post("/signout", nil), "/signin")
	redirected(t, b.get("/orders"), "/signin?next=%2Forders")
}

func TestSignOutEndsTheSessionItself(t *testing.T) {
	s := newSite(t, nil, nil)
	b := s.signedIn("alice")
	u := &url.URL{Scheme: "http", Host: "signalbox.test", Path: "/"}
	stolen := b.jar.Cookies(u)
	b.post("/signout", nil)
	if got := s.SignedOut(); !slices.Equal(got, []string{"alice"}) {
		t.Errorf("the live connections of %q were ended, want those of alice", got)
	}
	thief := s.browser()
	thief.jar.SetCookies(u, stolen)
	redirected(t, thief.get("/orders"), "/signin?next=%2Forders")
}

func TestSignInRenewsTheToken(t *testing.T) {
	s := newSite(t, nil, nil)
	b := s.signedIn("alice")
	u := &url.URL{Scheme: "http", Host: "signalbox.test", Path: "/"}
	before := b.jar.Cookies(u)
	b.post("/signin", url.Values{"name": {"bob"}, "password": {"secret"}})
	if got := s.SignedOut(); !slices.Equal(got, []string{"alice"}) {
		t.Errorf("the live connections of %q were ended, want those of alice", got)
	}
	if got := b.page("/orders", 200).one(".who").text(); got != "bob" {
		t.Errorf("signed in as %q, want bob", got)
	}
	old := s.browser()
	old.jar.SetCookies(u, before)
	redirected(t, old.get("/orders"), "/signin?next=%2Forders")
}

func TestSessionsOfUsersWhoAreGone(t *testing.T) {
	s := newSite(t, nil, nil)
	b := s.signedIn("bob")
	s.RemoveUser("bob")
	redirected(t, b.get("/orders"), "/signin?next=%2Forders")
}

func TestTheStoreDoesNotLearnTheToken(t *testing.T) {
	store := memstore.NewWithCleanupInterval(0)
	s := newSite(t, nil, func(o *web.Options) { o.Sessions = store })
	b := s.signedIn("alice")
	token := b.jar.Cookies(&url.URL{Scheme: "http", Host: "signalbox.test", Path: "/"})[0].Value
	all, err := store.All()
	if err != nil || len(all) != 1 {
		t.Fatalf("%d sessions, error %v; want 1", len(all), err)
	}
	if _, ok := all[token]; ok {
		t.Error("the session is stored under its token, want a hash of it")
	}
}

func TestSecureCookies(t *testing.T) {
	s := newSite(t, nil, func(o *web.Options) { o.SecureCookies = true })
	r := s.browser().post("/signin", url.Values{"name": {"alice"}, "password": {"secret"}})
	if c := r.Cookies()[0]; c.Name != "__Host-signalbox" || !c.Secure || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %v", c)
	}
}

func TestSignInRefused(t *testing.T) {
	tests := []struct {
		name, user, password string
		message              string
	}{
		{"wrong password", "alice", "wrong", "do not belong together"},
		{"unknown name", "mallory", "secret", "do not belong together"},
		{"no name", "", "secret", "Enter your name"},
		{"blank name", "  ", "secret", "Enter your name"},
		{"no password", "alice", "", "Enter your name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, nil, nil)
			b := s.browser()
			r := b.post("/signin", url.Values{"name": {tt.user}, "password": {tt.password}, "next": {"/orders/7"}})
			if r.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("status %d, want 422", r.StatusCode)
			}
			if len(r.Cookies()) != 0 {
				t.Errorf("cookies %v, want none", r.Cookies())
			}
			page := parse(t, r)
			if got := page.one("#sign-in-error").text(); !strings.Contains(got, tt.message) {
				t.Errorf("message %q, want %q in it", got, tt.message)
			}
			page.one("input[name=name]").has("value", strings.TrimSpace(tt.user))
			page.one("input[name=next]").has("value", "/orders/7")
			if _, ok := page.one("input[name=password]").attr("value"); ok {
				t.Error("the password is in the page")
			}
		})
	}
}

func TestTooManyAttempts(t *testing.T) {
	s := newSite(t, nil, nil)
	b := s.browser()
	try := func(name, password string) int {
		r := b.post("/signin", url.Values{"name": {name}, "password": {password}})
		if r.StatusCode == http.StatusTooManyRequests {
			if got := r.Header.Get("Retry-After"); got != "900" {
				t.Errorf("Retry-After %q, want 900", got)
			}
		}
		return r.StatusCode
	}
	for i := range 10 {
		if got := try("Alice", fmt.Sprint("guess ", i)); got != http.StatusUnprocessableEntity {
			t.Fatalf("attempt %d: status %d, want 422", i+1, got)
		}
	}
	if got := try("alice", "secret"); got != http.StatusTooManyRequests {
		t.Errorf("attempt 11, with the right password: status %d, want 429", got)
	}
	if got := try("bob", "secret"); got != http.StatusSeeOther {
		t.Errorf("somebody else: status %d, want 303", got)
	}
}

func TestNextLeadsNowhereElse(t *testing.T) {
	for next, want := range map[string]string{
		"":                      "/orders",
		"/notifications":        "/notifications",
		"/orders/1?a=b#c":       "/orders/1?a=b#c",
		"/orders/a%2Fb":         "/orders/a%2Fb",
		"//evil.test":           "/orders",
		"///evil.test":          "/orders",
		"/\\evil.test":          "/orders",
		"\\\\evil.test":         "/orders",
		"/\t/evil.test":         "/orders",
		"https://evil.test/":    "/orders",
		"https:evil.test":       "/orders",
		"javascript:alert(1)":   "/orders",
		"evil.test":             "/orders",
		"/.//evil.test":         "/orders",
		"/a/..//evil.test":      "/orders",
		"/signin?next=/signin":  "/orders",
		"/signout":              "/orders",
		"/orders\r\nX-Evil: 1":  "/orders",
		"http://signalbox.test": "/orders",
	} {
		t.Run(next, func(t *testing.T) {
			s := newSite(t, nil, nil)
			r := s.browser().post("/signin", url.Values{"name": {"alice"}, "password": {"secret"}, "next": {next}})
			redirected(t, r, want)
		})
	}
}

func TestFormsThatCannotBeRead(t *testing.T) {
	s := newSite(t, nil, nil)
	const form = "application/x-www-form-urlencoded"
	if r := s.browser().do(http.MethodPost, "/signin", strings.NewReader("name=%zz"), "Content-Type", form); r.StatusCode != 400 {
		t.Errorf("a broken form: status %d, want 400", r.StatusCode)
	}
	long := strings.NewReader("name=" + strings.Repeat("a", 20<<10))
	if r := s.browser().do(http.MethodPost, "/signin", long, "Content-Type", form); r.StatusCode != 413 {
		t.Errorf("a long form: status %d, want 413", r.StatusCode)
	}
}
