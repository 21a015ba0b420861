package httpconn

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testTokens(t testing.TB, keys ...TokenKey) *tokens {
	t.Helper()
	tk, err := newTokens(keys)
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

// testKey is a key whose secret is n times its id.
func testKey(id byte, n int) TokenKey { return TokenKey{ID: id, Secret: bytes.Repeat([]byte{id}, n)} }

func TestTokenRoundTrip(t *testing.T) {
	tk := testTokens(t)
	issued := time.UnixMilli(1_700_000_000_123)
	for _, want := range []token{
		{key: newConnKey(), issued: issued},
		{key: newConnKey(), issued: issued, version: 1},
		{key: newConnKey(), issued: issued, version: 1, stateful: true, endpoint: hashEndpoint("/c"), user: hashUser("ann")},
		{key: newConnKey(), issued: issued, home: home{node: [8]byte{1, 2, 3}, addr: netip.MustParseAddrPort("10.1.2.3:8081")}},
		{key: newConnKey(), issued: issued, home: home{node: [8]byte{1}, addr: netip.MustParseAddrPort("[fe80::1]:80")}},
	} {
		s := tk.encode(want)
		if len(s) != 106 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("token %q cannot stand in a query as it is", s)
		}
		got, err := tk.decode(s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(token{}, home{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

func TestTokenIsRefused(t *testing.T) {
	tk := testTokens(t, testKey(1, 32))
	good := tk.encode(token{key: newConnKey(), version: 1, issued: time.Now()})
	raw, _ := base64.RawURLEncoding.DecodeString(good)
	for i := range raw {
		for _, bit := range []byte{1, 0x80} {
			forged := bytes.Clone(raw)
			forged[i] ^= bit
			if _, err := tk.decode(base64.RawURLEncoding.EncodeToString(forged)); err == nil {
				t.Errorf("a token with byte %d changed is accepted", i)
			}
		}
	}
	last := good[len(good)-1]
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if byte(c) == last {
			continue
		}
		if _, err := tk.decode(good[:len(good)-1] + string(c)); err == nil {
			t.Errorf("a second spelling of a token is accepted: it ends in %c instead of %c", c, last)
		}
	}
	for name, s := range map[string]string{
		"empty": "", "cut": good[:105], "longer": good + "A", "twice": good + good, "padded": good + "=",
		"line break": good[:30] + "\n" + good[30:105], "not base64": strings.Repeat("!", 106), "standard alphabet": strings.Repeat("+", 106),
		"another server's":          testTokens(t).encode(token{issued: time.Now()}),
		"same key id, other secret": testTokens(t, TokenKey{ID: 1, Secret: bytes.Repeat([]byte{9}, 32)}).encode(token{issued: time.Now()}),
	} {
		if _, err := tk.decode(s); err == nil {
			t.Errorf("token %s: accepted", name)
		}
	}
}

func TestTokenKeyRotation(t *testing.T) {
	old, both, fresh := testTokens(t, testKey(1, 32)), testTokens(t, testKey(2, 40), testKey(1, 32)), testTokens(t, testKey(2, 40))
	tok := token{key: newConnKey(), issued: time.Now()}
	for _, row := range []struct {
		name     string
		from, to *tokens
		ok       bool
	}{
		{"old to both", old, both, true}, {"both to new", both, fresh, true}, {"both to old", both, old, false}, {"old to new", old, fresh, false},
	} {
		if _, err := row.to.decode(row.from.encode(tok)); (err == nil) != row.ok {
			t.Errorf("%s: %v, want accepted %t", row.name, err, row.ok)
		}
	}
}

func TestTokenKeysAreChecked(t *testing.T) {
	for name, keys := range map[string][]TokenKey{
		"short": {testKey(1, 31)}, "second is short": {testKey(1, 32), testKey(2, 5)}, "same id twice": {testKey(1, 32), testKey(1, 33)},
	} {
		if _, err := newTokens(keys); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestConnectionID(t *testing.T) {
	k := newConnKey()
	if id := k.connectionID(); len(id) != 22 || id != k.connectionID() || id == newConnKey().connectionID() {
		t.Errorf("connection id %q, want 22 characters that the key decides", id)
	}
}

func FuzzTokenDecode(f *testing.F) {
	tk := testTokens(f, testKey(1, 32))
	f.Add(tk.encode(token{key: newConnKey(), version: 1, issued: time.Now()}))
	f.Add("")
	f.Add(strings.Repeat("A", 106))
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := tk.decode(s)
		if err == nil && tk.encode(tok) != s {
			t.Errorf("%q is accepted and is not what is issued", s)
		}
	})
}

// TestTokenLife: when a token opens a connection and when it does not any more.
func TestTokenLife(t *testing.T) {
	const unknown = "No Connection with that ID"
	t.Run("unused for as long as connections without transport are kept", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			early, late := b.negotiate(), b.negotiate()
			time.Sleep(15 * time.Second)
			if w := b.do(http.MethodGet, at(early.ConnectionToken), ""); w.Code != http.StatusOK {
				t.Errorf("after 15 s: %d", w.Code)
			}
			time.Sleep(time.Second)
			wantAnswer(t, "after 16 s", b.do(http.MethodGet, at(late.ConnectionToken), ""), http.StatusNotFound, "text/plain", unknown)
			if n := b.mgr.Count(); n != 1 {
				t.Errorf("%d connections, want 1: negotiating must cost no memory", n)
			}
		})
	})
	t.Run("one connection", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			n := b.negotiate()
			b.do(http.MethodGet, at(n.ConnectionToken), "")
			b.do(http.MethodPost, at(n.ConnectionToken), "x")
			if c := b.mgr.Count(); c != 1 {
				t.Errorf("%d connections of one token", c)
			}
			if a := <-b.apps; a.c.ID() != n.ConnectionID {
				t.Errorf("connection id %q, negotiated was %q", a.c.ID(), n.ConnectionID)
			}
		})
	})
	t.Run("dead after its end", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			target, a := b.poll()
			a.c.Abort()
			for range 40 {
				for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
					wantAnswer(t, method, b.do(method, target, ""), http.StatusNotFound, "text/plain", unknown)
				}
				time.Sleep(time.Second)
			}
		})
	})
	t.Run("claimed by a POST and never opened", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			target := at(b.negotiate().ConnectionToken)
			wantAnswer(t, "POST", b.do(http.MethodPost, target, "x"), http.StatusOK, "text/plain", "")
			time.Sleep(17 * time.Second)
			wantAnswer(t, "GET", b.do(http.MethodGet, target, ""), http.StatusNotFound, "text/plain", unknown)
			if n := b.mgr.Count(); n != 0 {
				t.Errorf("%d connections are left", n)
			}
		})
	})
	t.Run("one endpoint", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			other := b.mgr.NewEndpoint("/other", defaults(), b.newApp, captureTest, userOfTest)
			w := httptest.NewRecorder()
			other.ServeHTTP(w, request(t.Context(), http.MethodGet, at(b.negotiate().ConnectionToken), ""))
			wantAnswer(t, "at another endpoint", w, http.StatusNotFound, "text/plain", unknown)
		})
	})
	t.Run("one server", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			wantAnswer(t, "at another server", newBench(t).do(http.MethodGet, at(newBench(t).negotiate().ConnectionToken), ""),
				http.StatusNotFound, "text/plain", unknown)
		})
	})
	t.Run("one user", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := newBench(t)
			for _, row := range []struct {
				negotiated, opened, later string
				open, use                 int
			}{
				{"", "", "", 200, 200},
				{"ann", "ann", "ann", 200, 200},
				{"ann", "bob", "", 403, 0},
				{"ann", "", "", 403, 0},
				{"ann", "ann", "bob", 200, 403},
				{"ann", "ann", "", 200, 403},
				{"", "ann", "ann", 200, 200}, // signed in meanwhile
				{"", "ann", "", 200, 403},
				{"", "", "bob", 200, 403},
			} {
				target := at(b.negotiate("X-User", row.negotiated).ConnectionToken)
				if w := b.do(http.MethodGet, target, "", "X-User", row.opened); w.Code != row.open {
					t.Errorf("%+v: opening answers %d", row, w.Code)
				}
				if row.open != 200 {
					continue
				}
				if w := b.do(http.MethodPost, target, "x", "X-User", row.later); w.Code != row.use {
					t.Errorf("%+v: using answers %d", row, w.Code)
				}
			}
		})
	})
}
