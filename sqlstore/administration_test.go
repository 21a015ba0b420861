//go:build unix

package sqlstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"signalbox"
	"signalbox/sqlstore"
)

// TestSessionsOfAUser shows whose sessions end with a new password, and with the user.
func TestSessionsOfAUser(t *testing.T) {
	onBoth(t, func(t *testing.T, o sqlstore.Options) {
		store := open(t, o)
		sessions := store.Sessions()
		later := time.Now().Add(time.Hour)
		data := map[string][]byte{"broken": []byte("data"), "nobody": nil, "ada 1": nil, "ada 2": nil, "grace": nil}
		for token := range data {
			if token != "broken" {
				values := map[string]any{"other": "ada"}
				if user, _, _ := strings.Cut(token, " "); user != "nobody" {
					values[signalbox.SessionUserKey] = user
				}
				var err error
				if data[token], err = (scs.GobCodec{}).Encode(later, values); err != nil {
					t.Fatal(err)
				}
			}
			if err := sessions.Commit(token, data[token], later); err != nil {
				t.Fatal(err)
			}
		}
		for _, user := range []string{"ada", "grace"} {
			if _, err := store.CreateUser(t.Context(), user, "password"); err != nil {
				t.Fatal(err)
			}
		}
		want := func(tokens ...string) {
			t.Helper()
			for token := range data {
				if _, found, err := sessions.Find(token); err != nil || found != slices.Contains(tokens, token) {
					t.Errorf("session %q: found %t, %v", token, found, err)
				}
			}
		}
		want("broken", "nobody", "ada 1", "ada 2", "grace")
		if err := store.SetPassword(t.Context(), "ada", "new password"); err != nil {
			t.Fatal(err)
		}
		want("broken", "nobody", "grace")
		if err := store.RemoveUser(t.Context(), "grace", ""); err != nil {
			t.Fatal(err)
		}
		want("broken", "nobody")
	})
}

// TestMustExist shows that nothing is made where there must be a database.
func TestMustExist(t *testing.T) {
	onBoth(t, func(t *testing.T, o sqlstore.Options) {
		if o.URL == "" {
			o.Dir = filepath.Join(o.Dir, "not there")
		}
		o.MustExist = true
		for range 2 { // The first has made nothing.
			if s, err := sqlstore.Open(t.Context(), o); !errors.Is(err, sqlstore.ErrNoDatabase) {
				t.Errorf("error %v, want that there is no database", err)
				if err == nil {
					s.Close()
				}
			}
		}
		if _, err := os.Stat(o.Dir); o.URL == "" && err == nil {
			t.Error("the folder was made")
		}
		o.MustExist = false
		open(t, o)
		o.MustExist = true
		open(t, o)
	})
}
