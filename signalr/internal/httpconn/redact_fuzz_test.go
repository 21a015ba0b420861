package httpconn

import (
	"strings"
	"testing"
	"time"
)

// FuzzRedact puts a token into any text: it is never there afterwards, and its connection id is.
func FuzzRedact(f *testing.F) {
	for _, s := range []string{"", "GET /hub?id=", "A", "AQ", "AQAA", strings.Repeat("AQ", 50), "\xff_-"} {
		f.Add(s, s)
	}
	tokens, err := newTokens(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, before, behind string) {
		tok := token{key: newConnKey(), version: 1, issued: time.Now()}
		secret := tokens.encode(tok)
		got := redact(before + secret + behind)
		if strings.Contains(got, secret) {
			t.Errorf("the token is still in %q", got)
		}
		apart := before == "" || !isTokenByte(before[len(before)-1]) // else another token may seem to begin before it
		if id := tok.key.connectionID(); apart && !strings.Contains(got, id) {
			t.Errorf("the connection id is not in %q", got)
		}
	})
}
