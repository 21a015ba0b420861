package main

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// static is what is served as it is: the npm package's script for web workers.
//
//go:embed static/lib
var static embed.FS

// pipeline puts what every request passes around the endpoints, the first step outermost.
func pipeline(endpoints http.Handler) http.Handler {
	h := badNegotiate(endpoints)
	h = cookies(h)
	h = redirect(h)
	h = echoRedirect(h)
	h = cors(h)
	h = staticFiles(h)
	return foldRoot(h)
}

// foldRoot spells the first segment of the path in lower case, as the routes are: they match whatever the case.
func foldRoot(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if root, rest := splitRoot(r.URL.Path); root != strings.ToLower(root) {
			u := *r.URL
			u.Path, u.RawPath = strings.ToLower(root)+rest, ""
			folded := *r
			folded.URL = &u
			r = &folded
		}
		next.ServeHTTP(w, r)
	})
}

// splitRoot cuts a path behind its first segment.
func splitRoot(path string) (root, rest string) {
	if path == "" {
		return "", ""
	}
	if i := strings.IndexByte(path[1:], '/'); i >= 0 {
		return path[:i+1], path[i+1:]
	}
	return path, ""
}

func staticFiles(next http.Handler) http.Handler {
	root, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the name is valid
	}
	files := http.FileServerFS(root)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if info, err := fs.Stat(root, name); err == nil && info.Mode().IsRegular() && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			files.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// cors lets pages of every origin in, with their cookies, and answers what browsers ask beforehand. A refusal has the
// headers too, else a browser would hide its status from the page.
func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			if method := r.Header.Get("Access-Control-Request-Method"); method != "" {
				h.Set("Access-Control-Allow-Methods", method)
			}
			if headers := r.Header.Get("Access-Control-Request-Headers"); headers != "" {
				h.Set("Access-Control-Allow-Headers", headers)
			}
		}
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// echoRedirect sends everything below /echoredirect to the same place below /echo. The answer has no body, which
// [http.Redirect] would write.
func echoRedirect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		root, rest := splitRoot(r.URL.Path)
		if root != "/echoredirect" {
			next.ServeHTTP(w, r)
			return
		}
		target := url.URL{Path: "/echo" + rest, RawQuery: r.URL.RawQuery}
		w.Header().Set("Location", target.String())
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
}

// redirect answers everything below /redirect as a negotiation that sends the client elsewhere (F-022): to the test hub
// at the baseUrl of the query, with a number that counts these answers.
func redirect(next http.Handler) http.Handler {
	var redirects atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if root, _ := splitRoot(r.URL.Path); root != "/redirect" {
			next.ServeHTTP(w, r)
			return
		}
		n := strconv.FormatInt(redirects.Add(1), 10)
		quoted, err := json.Marshal(r.URL.Query().Get("baseUrl") + "/testHub?numRedirects=" + n)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		writeText(w, `{ "url": `+string(quoted)+` }`)
	})
}

// cookies gives three cookies to whoever negotiates, of which one has expired. On https they are for pages of other
// sites too.
func cookies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(strings.ToLower(r.URL.Path), "/negotiate") {
			for _, c := range []http.Cookie{
				{Name: "testCookie", Value: "testValue"},
				{Name: "testCookie2", Value: "testValue2"},
				{Name: "expiredCookie", Value: "doesntmatter", Expires: time.Now().Add(-time.Hour)},
			} {
				c.Path = "/"
				if r.TLS != nil {
					c.Secure, c.SameSite, c.Partitioned = true, http.SameSiteNoneMode, true
				}
				http.SetCookie(w, &c)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// badNegotiate refuses everything below /bad-negotiate with a text that clients show.
func badNegotiate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if root, _ := splitRoot(r.URL.Path); root != "/bad-negotiate" {
			next.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		writeText(w, "Some response from server")
	})
}
