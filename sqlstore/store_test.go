package sqlstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox"
	"signalbox/sqlstore"
	"signalbox/sqlstore/storetest"
)

// cheap makes hashing cost next to nothing.
var cheap = sqlstore.PasswordCost{Memory: 64, Time: 1}

// open opens the store in a folder and closes it when the test ends.
func open(t testing.TB, o sqlstore.Options) *sqlstore.Store {
	t.Helper()
	o.Passwords = cheap
	s, err := sqlstore.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t testing.TB) storetest.Store {
		return open(t, sqlstore.Options{Dir: t.TempDir(), Topics: storetest.Topics()})
	})
}

// TestStoreInOddFolder shows that the folder's name needs no escaping by the caller.
func TestStoreInOddFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?mode=memory#c%20d&é")
	s := open(t, sqlstore.Options{Dir: dir})
	if _, err := s.CreateUser(t.Context(), "ada", "password"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "signalbox.db")); err != nil || info.Size() == 0 {
		t.Errorf("the database is not where it should be: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]sqlstore.Options{
		"no folder":              {},
		"a file as folder":       {Dir: file},
		"a topic without a rule": {Dir: t.TempDir(), Topics: signalbox.Topics{"news": {}}},
		"negative concurrency":   {Dir: t.TempDir(), Passwords: sqlstore.PasswordCost{Concurrent: -1}},
	} {
		s, err := sqlstore.Open(t.Context(), o)
		if err == nil {
			t.Errorf("%s: Open did not fail", name)
			s.Close()
		}
	}
}

// TestReopen shows that everything is there after the store was closed and opened again.
func TestReopen(t *testing.T) {
	o := sqlstore.Options{Dir: t.TempDir(), Topics: storetest.Topics(), Passwords: cheap}
	s, err := sqlstore.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	user, err := s.CreateUser(t.Context(), "Ada", "password", "admin")
	if err != nil {
		t.Fatal(err)
	}
	key, secret, err := s.CreateAPIKey(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := s.Notify(t.Context(), []string{"ada"}, signalbox.NotificationMessage{Title: "t"})
	if err != nil {
		t.Fatal(err)
	}
	_, order, err := s.ChangeOrder(t.Context(), signalbox.OrderChange{ID: "1", OwnerID: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(o.Dir, "signalbox.db-wal")); err == nil {
		t.Error("Close left the write-ahead log behind")
	}

	s = open(t, o)
	if got, err := s.Authenticate(t.Context(), "ada", "password"); err != nil || !cmp.Equal(user, got) {
		t.Errorf("user = %+v, %v, want %+v", got, err, user)
	}
	if got, err := s.AuthenticateKey(t.Context(), secret); err != nil || !cmp.Equal(key, got) {
		t.Errorf("key = %+v, %v, want %+v", got, err, key)
	}
	if got, err := s.Notifications(t.Context(), "ada", 0, 10); err != nil || !cmp.Equal(sent, got) {
		t.Errorf("notifications = %+v, %v, want %+v", got, err, sent)
	}
	if got, err := s.Order(t.Context(), "1"); err != nil || got != order {
		t.Errorf("order = %+v, %v, want %+v", got, err, order)
	}
	if next, err := s.Notify(t.Context(), []string{"ada"}, signalbox.NotificationMessage{Title: "t"}); err != nil || next[0].Sequence != 2 {
		t.Errorf("the next notification is %+v, %v, want sequence 2", next, err)
	}
}

// TestRuleTakenAway shows that a subscription counts only while the topic's rule, which is configuration, allows it.
func TestRuleTakenAway(t *testing.T) {
	dir := t.TempDir()
	s := open(t, sqlstore.Options{Dir: dir, Topics: signalbox.Topics{"ops": {Everyone: true}, "gone": {Everyone: true}}})
	for user, roles := range map[string][]string{"ada": {"admin"}, "grace": nil} {
		if _, err := s.CreateUser(t.Context(), user, "password", roles...); err != nil {
			t.Fatal(err)
		}
		for _, topic := range []string{"ops", "gone"} {
			if err := s.Subscribe(t.Context(), user, topic); err != nil {
				t.Fatal(err)
			}
		}
	}
	s = open(t, sqlstore.Options{Dir: dir, Topics: signalbox.Topics{"ops": {Roles: []string{"admin"}}}})
	stored, err := s.NotifyTopic(t.Context(), "ops", signalbox.NotificationMessage{Title: "t"})
	if err != nil || len(stored) != 1 || stored[0].UserID != "ada" {
		t.Errorf("NotifyTopic = %+v, %v, want one for ada", stored, err)
	}
	for user, want := range map[string][]string{"ada": {"ops"}, "grace": {}} {
		if got, err := s.Subscriptions(t.Context(), user); err != nil || !cmp.Equal(want, got) {
			t.Errorf("Subscriptions(%q) = %q, %v, want %q", user, got, err, want)
		}
	}
}
