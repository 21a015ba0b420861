package main

import (
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const page = "http://localhost:9876"

// corsHeaders are those of an answer.
func corsHeaders(a answer) map[string]string {
	got := map[string]string{}
	for name := range a.Header {
		if short, ok := strings.CutPrefix(name, "Access-Control-"); ok {
			got[short] = strings.Join(a.Header.Values(name), " + ")
		}
	}
	return got
}

func TestCORS(t *testing.T) {
	h := startHost(t)
	for _, tt := range []struct {
		status       int
		method, path string
	}{
		{http.StatusOK, "POST", "/testhub/negotiate?negotiateVersion=1"},
		{http.StatusOK, "GET", "/generateJwtToken"},
		{http.StatusOK, "POST", "/redirect/negotiate"},
		{http.StatusTemporaryRedirect, "POST", "/echoredirect/negotiate"},
		{http.StatusBadRequest, "POST", "/bad-negotiate/negotiate"},
		{http.StatusBadRequest, "GET", "/testhub"},
		{http.StatusUnauthorized, "POST", "/authorizedhub/negotiate"},
		{http.StatusNotFound, "GET", "/testhub?id=unknown"},
		{http.StatusNotFound, "GET", "/nothing"},
		{http.StatusMethodNotAllowed, "PUT", "/testhub"},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			a := h.want(t, tt.status, tt.method, tt.path, "", "Origin", page)
			want := map[string]string{"Allow-Origin": page, "Allow-Credentials": "true"}
			if diff := cmp.Diff(want, corsHeaders(a)); diff != "" {
				t.Errorf("with an origin (-want +got):\n%s", diff)
			}
			a = h.want(t, tt.status, tt.method, tt.path, "")
			if diff := cmp.Diff(map[string]string{}, corsHeaders(a)); diff != "" {
				t.Errorf("without an origin (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	h := startHost(t)
	for _, path := range []string{
		"/testhub/negotiate?negotiateVersion=1", "/testhub?id=x", "/authorizedhub/negotiate", "/echoredirect/negotiate", "/redirect/negotiate",
		"/bad-negotiate/negotiate", "/nothing", "/lib/signalr-webworker/signalr.js",
	} {
		t.Run(path, func(t *testing.T) {
			a := h.want(t, http.StatusNoContent, "OPTIONS", path, "", "Origin", page,
				"Access-Control-Request-Method", "DELETE", "Access-Control-Request-Headers", "authorization,x-requested-with")
			want := map[string]string{
				"Allow-Origin": page, "Allow-Credentials": "true", "Allow-Methods": "DELETE", "Allow-Headers": "authorization,x-requested-with",
			}
			if diff := cmp.Diff(want, corsHeaders(a)); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if a.Header.Get("Set-Cookie") != "" || a.Header.Get("Location") != "" {
				t.Errorf("the answer goes on: %v", a.Header)
			}
			a = h.want(t, http.StatusNoContent, "OPTIONS", path, "")
			if diff := cmp.Diff(map[string]string{}, corsHeaders(a)); diff != "" {
				t.Errorf("without an origin (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCookies(t *testing.T) {
	hosts := map[string]*host{"http": startHost(t), "https": startHostWith(t, (*httptest.Server).StartTLS)}
	for scheme, h := range hosts {
		for _, path := range []string{"/testhub/negotiate", "/authorizedhub/negotiate", "/bad-negotiate/negotiate", "/nothing/negotiate/x"} {
			t.Run(scheme+" "+path, func(t *testing.T) {
				type cookie struct {
					Name, Value, Path   string
					Expired             bool
					Secure, Partitioned bool
					SameSite            http.SameSite
				}
				var got []cookie
				for _, c := range h.do(t, "POST", path+"?negotiateVersion=1", "").Cookies() {
					expired := !c.Expires.IsZero()
					if ago := time.Since(c.Expires); expired && (ago < time.Hour || ago > time.Hour+time.Minute) {
						t.Errorf("%s expired %v ago", c.Name, ago)
					}
					got = append(got, cookie{c.Name, c.Value, c.Path, expired, c.Secure, c.Partitioned, c.SameSite})
				}
				want := []cookie{
					{Name: "testCookie", Value: "testValue", Path: "/"},
					{Name: "testCookie2", Value: "testValue2", Path: "/"},
					{Name: "expiredCookie", Value: "doesntmatter", Path: "/", Expired: true},
				}
				if scheme == "https" {
					for i := range want {
						want[i].Secure, want[i].Partitioned, want[i].SameSite = true, true, http.SameSiteNoneMode
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("cookies (-want +got):\n%s", diff)
				}
			})
		}
		for _, path := range []string{"/testhub", "/echoredirect/negotiate", "/redirect/negotiate", "/generateJwtToken"} {
			if c := h.do(t, "POST", path, "").Cookies(); len(c) > 0 {
				t.Errorf("%s %s sets cookies: %v", scheme, path, c)
			}
		}
	}
}

func TestStaticFiles(t *testing.T) {
	h := startHost(t)
	for _, method := range []string{"GET", "HEAD"} {
		a := h.want(t, http.StatusOK, method, "/lib/signalr-webworker/signalr.js", "", "Origin", page)
		kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
		if err != nil || kind != "text/javascript" {
			t.Errorf("%s: content type %q (%v)", method, kind, err)
		}
		if method == "GET" && !strings.Contains(a.text, "HubConnectionBuilder") {
			t.Errorf("the script is %d bytes of something else", len(a.text))
		}
	}
	h.want(t, http.StatusNotFound, "POST", "/lib/signalr-webworker/signalr.js", "")
}
