package web_test

import (
	"net/http"
	"strings"
	"testing"

	"signalbox/web"
)

func TestHasScript(t *testing.T) {
	var server *web.Server
	s := newSite(t, func(made *web.Server) http.Handler {
		server = made
		return http.NotFoundHandler()
	}, nil)
	if served := s.browser().get("/static/dist/app.js").StatusCode == http.StatusOK; server.HasScript() != served {
		t.Errorf("HasScript is %t, and the script is served: %t", server.HasScript(), served)
	}
}

func TestStaticFiles(t *testing.T) {
	s := newSite(t, nil, nil)
	b := s.browser()
	var urls []string
	page := b.page("/signin", http.StatusOK)
	for _, link := range page.all("link[href]") {
		url, _ := link.attr("href")
		urls = append(urls, url)
	}
	if len(urls) != 4 {
		t.Fatalf("the page links to %q, want an icon and three style sheets", urls)
	}
	types := map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	for _, url := range urls {
		plain, _, _ := strings.Cut(url, "?")
		r := b.get(url)
		if r.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: status %d", url, r.StatusCode)
		}
		if got, want := r.Header.Get("Content-Type"), types[plain[strings.LastIndex(plain, "."):]]; got != want {
			t.Errorf("%s: Content-Type %q, want %q", url, got, want)
		}
		if got := r.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", url, got)
		}
		if len(r.Cookies()) != 0 || r.Header.Get("Vary") != "" {
			t.Errorf("%s has to do with the session: %v", url, r.Header)
		}
		for _, other := range []string{plain, plain + "?v=0123456789abcdef"} {
			r := b.get(other)
			if got := r.Header.Get("Cache-Control"); got != "no-cache" {
				t.Errorf("%s: Cache-Control %q, want no-cache", other, got)
			}
			if r := b.get(other, "If-None-Match", r.Header.Get("ETag")); r.StatusCode != http.StatusNotModified {
				t.Errorf("%s with its tag: status %d, want 304", other, r.StatusCode)
			}
		}
	}
	for _, target := range []string{"/static/", "/static/nothing.css", "/static/../web.go", "/static/.gitignore"} {
		if r := b.get(target); r.StatusCode == http.StatusOK {
			t.Errorf("GET %s: status 200", target)
		}
	}
	if r := b.post("/static/base.css", nil); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d, want 405", r.StatusCode)
	}
}

// Pages must keep to the content security policy: no script and no style sheet of their own, no handlers.
func TestPagesHaveNothingInline(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	s.notify("alice", "one")
	s.order("1001", "alice", "Shipped", 70, "On its way")
	for _, target := range []string{"/orders", "/orders/1001", "/notifications", "/nowhere"} {
		page := parse(t, alice.get(target))
		for _, script := range page.all("script") {
			if src, _ := script.attr("src"); !strings.HasPrefix(src, "/static/") || script.text() != "" {
				t.Errorf("%s: script with source %q and text %q", target, src, script.text())
			}
		}
		if n := len(page.all("style")); n != 0 {
			t.Errorf("%s: %d style elements", target, n)
		}
		for _, element := range page.all("*") {
			for _, a := range element.node.Attr {
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: attribute %s", target, a.Key)
				}
			}
		}
	}
}
