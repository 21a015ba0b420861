package main

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox"
	"signalbox/sqlstore"
)

// open opens the store that commands have left in a folder.
func open(t *testing.T, dir string) *sqlstore.Store {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestUserAddMakesUpAPassword(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	printed := must(t, "", "user", "add", "Anna Bell", "--role", "staff", "--role", "admin", "--data", dir)
	match := regexp.MustCompile(`^user      anna bell\npassword  ([A-Z2-7]{26})\n$`).FindStringSubmatch(printed)
	if match == nil {
		t.Fatalf("printed %q", printed)
	}
	user, err := open(t, dir).Authenticate(t.Context(), "anna bell", match[1])
	if err != nil {
		t.Fatalf("the printed password does not work: %v", err)
	}
	if user.Name != "Anna Bell" {
		t.Errorf("the name is %q", user.Name)
	}
	if diff := cmp.Diff([]string{"admin", "staff"}, user.Roles); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	if again := must(t, "", "user", "add", "otto", "--data", dir); strings.Contains(again, match[1]) {
		t.Error("the password was not made anew")
	}
}

func TestUserAddReadsThePassword(t *testing.T) {
	for name, input := range map[string]string{
		"a line": "pass word\n", "the first line": "pass word\nother\n", "no end of line": "pass word", "as Windows ends lines": "pass word\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if printed, want := must(t, input, "user", "add", "anna", "--password-stdin", "--data", dir), "user      anna\n"; printed != want {
				t.Errorf("printed %q, want %q", printed, want)
			}
			if _, err := open(t, dir).Authenticate(t.Context(), "anna", "pass word"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUserAddRefuses(t *testing.T) {
	dir := t.TempDir()
	must(t, "password\n", "user", "add", "anna", "--password-stdin", "--data", dir)
	for _, test := range []struct {
		name, input, want string // part of the error
		args              []string
	}{
		{"no password", "", "no password on standard input", []string{"otto", "--password-stdin"}},
		{"an empty password", "\n", "password must be", []string{"otto", "--password-stdin"}},
		{"a short password", "abc\n", "password must be", []string{"otto", "--password-stdin"}},
		{"a name that is taken", "", `adding user "ANNA": there is a user of that name already`, []string{"ANNA"}},
		{"no name", "", "<name>", nil},
		{"an empty name", "", "name must not be empty", []string{""}},
		{"an impossible role", "", "roles must", []string{"otto", "--role", " "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			printed, err := command(t, test.input, append([]string{"user", "add", "--data", dir}, test.args...)...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if printed != "" {
				t.Errorf("printed %q", printed)
			}
		})
	}
	store := open(t, dir)
	if _, err := store.User(t.Context(), "otto"); !errors.Is(err, signalbox.ErrNotFound) {
		t.Errorf("otto was added, or: %v", err)
	}
	if _, err := store.Authenticate(t.Context(), "anna", "password"); err != nil {
		t.Errorf("anna's password is not what it was: %v", err)
	}
}

func TestKeyCreate(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]bool{}
	for _, test := range []struct {
		args []string
		name string
	}{{nil, "default"}, {[]string{"shop"}, "shop"}, {[]string{"shop"}, "shop"}} {
		printed := must(t, "", append([]string{"key", "create", "--data", dir}, test.args...)...)
		secret, ok := strings.CutSuffix(printed, "\n")
		if !ok || !regexp.MustCompile(`^sbk_[\w-]{43}$`).MatchString(secret) || seen[secret] {
			t.Fatalf("printed %q, want a new key alone", printed)
		}
		seen[secret] = true
		if key, err := open(t, dir).AuthenticateKey(t.Context(), secret); err != nil || key.Name != test.name {
			t.Errorf("the key is %q, %v; want %q", key.Name, err, test.name)
		}
	}
	if printed, err := command(t, "", "key", "create", " ", "--data", dir); err == nil || printed != "" {
		t.Errorf("a key without a name: printed %q, %v", printed, err)
	}
}

// giveUp makes all that waits in the outbox dead letters, at the third attempt.
func giveUp(t *testing.T, store *sqlstore.Store) {
	t.Helper()
	for attempt := 1; ; attempt++ {
		round, err := store.DeliverPending(t.Context(), func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
			results := make([]signalbox.Delivery, len(batch))
			for i := range results {
				results[i] = signalbox.Delivery{Err: errors.New("the line is dead"), GiveUp: attempt == 3}
			}
			return results
		})
		if err != nil {
			t.Fatal(err)
		}
		if round.Dead > 0 {
			return
		}
	}
}
