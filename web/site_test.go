package web_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"
	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"

	"signalbox"
	"signalbox/web"
	"signalbox/web/webtest"
)

// start is when the clock of every test begins; it moves on by a minute with each look at it.
var start = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

var testTopics = signalbox.Topics{
	"releases":   {Everyone: true},
	"operations": {Roles: []string{"operator"}},
	"board":      {Users: []string{"carol"}},
}

// identity is what the tests' Options.WithIdentity puts into the context.
type identity struct {
	user    string
	roles   []string
	expires time.Time
}

type identityKey struct{}

// site is a server on services in memory, with the users alice (an operator) and bob, both with the password "secret".
type site struct {
	*webtest.Services
	presence *webtest.Presence
	t        *testing.T
	handler  http.Handler
	// key is a valid API key.
	key string
	log *strings.Builder
}

// newSite makes a site; change may alter its options, and hubs may be nil.
func newSite(t *testing.T, hubs func(*web.Server) http.Handler, change func(*web.Options)) *site {
	t.Helper()
	clock := start
	s := &site{
		Services: webtest.New(testTopics, func() time.Time {
			clock = clock.Add(time.Minute)
			return clock
		}),
		presence: &webtest.Presence{}, t: t, log: &strings.Builder{},
	}
	ctx := t.Context()
	for name, roles := range map[string][]string{"alice": {"operator"}, "bob": nil} {
		if _, err := s.CreateUser(ctx, name, "secret", roles...); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if _, s.key, err = s.CreateAPIKey(ctx, "test"); err != nil {
		t.Fatal(err)
	}
	opts := web.Options{
		Users: s, Notifications: s, Orders: s, Subscriptions: s, Presence: s.presence, Topics: testTopics,
		Sessions: memstore.NewWithCleanupInterval(0),
		WithIdentity: func(ctx context.Context, user string, roles []string, expires time.Time) context.Context {
			return context.WithValue(ctx, identityKey{}, identity{user, roles, expires})
		},
		Logger: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	if change != nil {
		change(&opts)
	}
	server, err := web.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	var mounted http.Handler
	if hubs != nil {
		mounted = hubs(server)
	}
	s.handler = server.Handler(mounted)
	return s
}

// browser is a client of a site that keeps cookies and does not follow redirects.
type browser struct {
	*site
	jar *cookiejar.Jar
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{site: s, jar: jar}
}

// signedIn returns the browser of a user who has signed in.
func (s *site) signedIn(name string) *browser {
	s.t.Helper()
	b := s.browser()
	r := b.post("/signin", url.Values{"name": {name}, "password": {"secret"}})
	if r.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("sign in as %s: status %d", name, r.StatusCode)
	}
	return b
}

// do sends a request; headers are names and values by turns.
func (b *browser) do(method, target string, body io.Reader, headers ...string) *http.Response {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, "http://signalbox.test"+target, body)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range b.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	response := w.Result()
	b.jar.SetCookies(r.URL, response.Cookies())
	return response
}

func (b *browser) get(target string, headers ...string) *http.Response {
	b.t.Helper()
	return b.do(http.MethodGet, target, nil, headers...)
}

func (b *browser) post(target string, form url.Values, headers ...string) *http.Response {
	b.t.Helper()
	headers = append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)
	return b.do(http.MethodPost, target, strings.NewReader(form.Encode()), headers...)
}

// page gets a page, which must have that status.
func (b *browser) page(target string, status int) document {
	b.t.Helper()
	r := b.get(target)
	if r.StatusCode != status {
		b.t.Fatalf("GET %s: status %d, want %d", target, r.StatusCode, status)
	}
	return parse(b.t, r)
}

// redirected checks that r leads to that address.
func redirected(t *testing.T, r *http.Response, to string) {
	t.Helper()
	if got := r.Header.Get("Location"); r.StatusCode != http.StatusSeeOther || got != to {
		t.Errorf("status %d to %q, want 303 to %q", r.StatusCode, got, to)
	}
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// document is a parsed page.
type document struct {
	t    *testing.T
	node *html.Node
}

func parse(t *testing.T, r *http.Response) document {
	t.Helper()
	if got := r.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Fatalf("Content-Type %q, want a page", got)
	}
	node, err := html.Parse(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return document{t, node}
}

// all returns the elements that a CSS selector finds. What is in template elements is not found, as in a browser.
func (d document) all(selector string) []document {
	d.t.Helper()
	compiled, err := cascadia.ParseGroup(selector)
	if err != nil {
		d.t.Fatal(err)
	}
	var found []document
	for _, n := range cascadia.QueryAll(d.node, compiled) {
		if !inTemplate(n) {
			found = append(found, document{d.t, n})
		}
	}
	return found
}

func inTemplate(n *html.Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Type == html.ElementNode && p.Data == "template" {
			return true
		}
	}
	return false
}

// one returns the only element that a CSS selector finds.
func (d document) one(selector string) document {
	d.t.Helper()
	found := d.all(selector)
	if len(found) != 1 {
		d.t.Fatalf("%d elements %s, want 1", len(found), selector)
	}
	return found[0]
}

// text returns the text of an element with blanks joined.
func (d document) text() string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
	}
	walk(d.node)
	return strings.Join(strings.Fields(b.String()), " ")
}

// attr returns an attribute of an element; ok is false when it has none of that name.
func (d document) attr(name string) (value string, ok bool) {
	for _, a := range d.node.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// has checks the attributes of an element, given as names and values by turns.
func (d document) has(attrs ...string) {
	d.t.Helper()
	for i := 0; i < len(attrs); i += 2 {
		if got, ok := d.attr(attrs[i]); !ok || got != attrs[i+1] {
			d.t.Errorf("attribute %s is %q (there: %v), want %q", attrs[i], got, ok, attrs[i+1])
		}
	}
}

// notify stores notifications with those titles for a user.
func (s *site) notify(user string, titles ...string) []signalbox.Notification {
	s.t.Helper()
	var stored []signalbox.Notification
	for _, title := range titles {
		n, err := s.SendToUser(s.t.Context(), user, signalbox.NotificationMessage{Title: title, Message: "About " + title})
		if err != nil {
			s.t.Fatal(err)
		}
		stored = append(stored, n)
	}
	return stored
}

// order makes or changes an order.
func (s *site) order(id, owner string, status signalbox.OrderStatus, progress int, message string) signalbox.Order {
	s.t.Helper()
	_, after, err := s.ChangeOrder(s.t.Context(), signalbox.OrderChange{
		ID: id, OwnerID: owner, Status: &status, Progress: &progress, Message: &message,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return after
}

var errBroken = errors.New("the disk is on fire")
