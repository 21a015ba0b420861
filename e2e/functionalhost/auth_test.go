package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

func TestToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newTokens()
		token, err := tokens.issue()
		if err != nil {
			t.Fatal(err)
		}
		var got jwt.MapClaims
		if _, err := jwt.ParseWithClaims(token, &got, func(*jwt.Token) (any, error) { return tokens.key, nil }); err != nil {
			t.Fatal(err)
		}
		want := jwt.MapClaims{
			"iss": "SignalRTestServer", "aud": []any{"SignalRTests"}, "sub": "testuser", "exp": float64(time.Now().Unix() + 5),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}

		id, err := tokens.verify(token)
		if err != nil || id.UserID != "testuser" || !id.Expires.Equal(time.Now().Add(5*time.Second)) {
			t.Errorf("a fresh token is %+v (%v)", id, err)
		}
		time.Sleep(5*time.Second + 5*time.Minute - time.Second)
		if _, err := tokens.verify(token); err != nil {
			t.Errorf("within the clock skew: %v", err)
		}
		time.Sleep(2 * time.Second)
		if _, err := tokens.verify(token); err == nil {
			t.Error("the token is still good after the clock skew")
		}
	})
}

// badTokens returns tokens that are good but for one thing.
func badTokens(t *testing.T, key []byte) map[string]string {
	soon := jwt.NewNumericDate(time.Now().Add(time.Minute))
	bad := map[string]string{"none": "", "no token": "bad.bad.bad"}
	for name, tt := range map[string]struct {
		method jwt.SigningMethod
		key    any
		claims jwt.RegisteredClaims
	}{
		"other key":  {jwt.SigningMethodHS256, newTokens().key, jwt.RegisteredClaims{Subject: "testuser", ExpiresAt: soon}},
		"other hash": {jwt.SigningMethodHS512, key, jwt.RegisteredClaims{Subject: "testuser", ExpiresAt: soon}},
		"unsigned":   {jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, jwt.RegisteredClaims{Subject: "testuser", ExpiresAt: soon}},
		"no end":     {jwt.SigningMethodHS256, key, jwt.RegisteredClaims{Subject: "testuser"}},
		"nobody":     {jwt.SigningMethodHS256, key, jwt.RegisteredClaims{ExpiresAt: soon}},
		"too old": {jwt.SigningMethodHS256, key, jwt.RegisteredClaims{Subject: "testuser",
			ExpiresAt: jwt.NewNumericDate(time.Now().Add(-clockSkew - time.Minute))}},
	} {
		token, err := jwt.NewWithClaims(tt.method, tt.claims).SignedString(tt.key)
		if err != nil {
			t.Fatal(err)
		}
		bad[name] = token
	}
	return bad
}

func TestRequire(t *testing.T) {
	tokens := newTokens()
	h := tokens.require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a bad token was let in") }))
	for name, token := range badTokens(t, tokens.key) {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusUnauthorized {
				t.Errorf("status %d", w.Code)
			}
		})
	}
}

// TestUnauthorized asks for each of the things that a hub is asked for, without a good token.
func TestUnauthorized(t *testing.T) {
	h := startHost(t)
	token := h.want(t, http.StatusOK, "GET", "/generateJwtToken", "").text
	n := h.negotiate(t, "/authorizedhub", "Authorization", "Bearer "+token)
	path := "/authorizedhub?id=" + url.QueryEscape(n.ConnectionToken)
	for _, tt := range []struct {
		name, method, path string
		headers            []string
	}{
		{"negotiate", "POST", "/authorizedhub/negotiate?negotiateVersion=1", nil},
		{"poll", "GET", path, nil},
		{"event stream", "GET", path, []string{"Accept", "text/event-stream"}},
		{"WebSocket", "GET", path, upgrade},
		{"WebSocket without negotiation", "GET", "/authorizedhub", upgrade},
		{"send", "POST", path, nil},
		{"end", "DELETE", path, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, credentials := range [][]string{nil, {"Authorization", "Bearer bad"}, {"Authorization", token}} {
				a := h.want(t, http.StatusUnauthorized, tt.method, tt.path, "", slices.Concat(tt.headers, credentials)...)
				if a.Status != "401 Unauthorized" || a.text != "" || a.Header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("%s with body %q, WWW-Authenticate: %q", a.Status, a.text, a.Header.Get("WWW-Authenticate"))
				}
			}
		})
	}
}

func TestAuthorized(t *testing.T) {
	h := startHost(t)
	token := h.want(t, http.StatusOK, "GET", "/generateJwtToken", "").text
	if !regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`).MatchString(token) {
		t.Fatalf("token %q", token)
	}
	t.Run("header", func(t *testing.T) {
		c := h.pollHub(t, "/authorizedhub", "Authorization", "Bearer "+token)
		c.send(t, `{"type":1,"invocationId":"1","target":"Echo","arguments":["x"]}`)
		c.expect(t, `{"type":3,"invocationId":"1","result":"x"}`)
	})
	t.Run("query", func(t *testing.T) {
		h.want(t, http.StatusSwitchingProtocols, "GET", "/authorizedhub?access_token="+token, "", upgrade...)
	})
	t.Run("header before query", func(t *testing.T) {
		h.want(t, http.StatusUnauthorized, "POST", "/authorizedhub/negotiate?access_token="+token, "", "Authorization", "Bearer bad")
	})
}
