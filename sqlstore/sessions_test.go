package sqlstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"signalbox/sqlstore"
)

var _ scs.CtxStore = (*sqlstore.Sessions)(nil)

func wantSession(t *testing.T, s *sqlstore.Sessions, token, want string, wantFound bool) {
	t.Helper()
	data, found, err := s.Find(token)
	if err != nil || found != wantFound || string(data) != want {
		t.Errorf("Find(%q) = %q, %t, %v, want %q, %t", token, data, found, err, want, wantFound)
	}
}

func TestSessions(t *testing.T) {
	s := open(t, sqlstore.Options{Dir: t.TempDir()}).Sessions()
	later := time.Now().Add(time.Hour)
	wantSession(t, s, "token", "", false)

	if err := s.Commit("token", []byte("\x00first\xff"), later); err != nil {
		t.Fatal(err)
	}
	wantSession(t, s, "token", "\x00first\xff", true)
	wantSession(t, s, "Token", "", false)

	if err := s.Commit("token", []byte("second"), later); err != nil {
		t.Fatal(err)
	}
	wantSession(t, s, "token", "second", true)

	for range 2 { // The second time there is nothing to delete.
		if err := s.Delete("token"); err != nil {
			t.Fatal(err)
		}
		wantSession(t, s, "token", "", false)
	}
}

func TestSessionsExpire(t *testing.T) {
	store := open(t, sqlstore.Options{Dir: t.TempDir()})
	s := store.Sessions()
	for token, expiry := range map[string]time.Duration{"old": -time.Hour, "just now": 0, "young": time.Hour} {
		if err := s.Commit(token, []byte(token), time.Now().Add(expiry)); err != nil {
			t.Fatal(err)
		}
	}
	wantSession(t, s, "old", "", false)
	wantSession(t, s, "just now", "", false)
	wantSession(t, s, "young", "young", true)

	for _, want := range []int64{2, 0} {
		if n, err := store.DeleteExpiredSessions(t.Context()); err != nil || n != want {
			t.Errorf("DeleteExpiredSessions = %d, %v, want %d", n, err, want)
		}
	}
	wantSession(t, s, "young", "young", true)

	// Whoever uses a session prolongs it, also from the past.
	if err := s.Commit("young", []byte("young"), time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	wantSession(t, s, "young", "", false)
	if err := s.Commit("young", []byte("again"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	wantSession(t, s, "young", "again", true)
}

// TestSecretsAreNotStored shows that neither tokens nor keys nor passwords can be read in the database.
func TestSecretsAreNotStored(t *testing.T) {
	dir := t.TempDir()
	store := open(t, sqlstore.Options{Dir: dir})
	if err := store.Sessions().Commit("the-token", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, secret, err := store.CreateAPIKey(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.CreateUser(t.Context(), "ada", "the-password"); err != nil {
		t.Fatal(err)
	}
	rows := direct(t, dir).QueryRow(`
		SELECT (SELECT token_hash || data FROM sessions), (SELECT id || name || secret_hash FROM api_keys), (SELECT password_hash FROM users)`)
	var session, key, user string
	if err := rows.Scan(&session, &key, &user); err != nil {
		t.Fatal(err)
	}
	for stored, secret := range map[string]string{session: "the-token", key: strings.TrimPrefix(secret, "sbk_"), user: "the-password"} {
		if strings.Contains(stored, secret) {
			t.Errorf("%q is stored as %q", secret, stored)
		}
	}
	if !strings.HasPrefix(user, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("the password is stored as %q", user)
	}
}
