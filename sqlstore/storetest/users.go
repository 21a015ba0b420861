package storetest

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

var userTests = []test{
	{"what is created is found again", func(t *testing.T, s Store) {
		start := time.Now().Add(-time.Millisecond)
		created := createUser(t, s, "Grace", "operator", "admin", "admin")
		want := signalbox.User{ID: "grace", Name: "Grace", Roles: []string{"admin", "operator"}, CreatedAt: created.CreatedAt}
		if diff := cmp.Diff(want, created); diff != "" {
			t.Errorf("created user differs (-want +got):\n%s", diff)
		}
		if created.CreatedAt.Before(start) || created.CreatedAt.After(time.Now()) || created.CreatedAt.Location() != time.UTC {
			t.Errorf("CreatedAt = %v, want now, in UTC", created.CreatedAt)
		}
		found, err := s.User(t.Context(), "grace")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(created, found); diff != "" {
			t.Errorf("found user differs (-created +found):\n%s", diff)
		}
	}},
	{"an unknown id is not found", func(t *testing.T, s Store) {
		createUser(t, s, "Grace")
		for _, id := range []string{"", "ada", "Grace"} {
			_, err := s.User(t.Context(), id)
			wantError(t, "User("+id+")", err, signalbox.ErrNotFound)
		}
	}},
	{"a name is taken without regard to case", func(t *testing.T, s Store) {
		createUser(t, s, "Grace")
		_, err := s.CreateUser(t.Context(), "GRACE", "another password", "admin")
		wantError(t, "CreateUser", err, signalbox.ErrConflict)
		// The first user is left as it was.
		u, err := s.Authenticate(t.Context(), "grace", password)
		if err != nil || u.Name != "Grace" || len(u.Roles) != 0 {
			t.Errorf("the first user became %+v, %v", u, err)
		}
	}},
	{"of many who take a name at once one gets it", func(t *testing.T, s Store) {
		var made atomic.Int32
		atOnce(t, 4, func(int) error {
			_, err := s.CreateUser(t.Context(), "grace", password)
			if errors.Is(err, signalbox.ErrConflict) {
				return nil
			}
			made.Add(1)
			return err
		})
		if n := made.Load(); n != 1 {
			t.Errorf("%d users were made, want 1", n)
		}
	}},
	{"names, passwords and roles are checked", func(t *testing.T, s Store) {
		tests := []struct {
			what, name, password string
			roles                []string
			field                string
		}{
			{"no name", "", password, nil, "name"},
			{"long name", strings.Repeat("n", signalbox.MaxNameLength+1), password, nil, "name"},
			{"name with a blank at the end", "grace ", password, nil, "name"},
			{"name with a line feed", "gra\nce", password, nil, "name"},
			{"name that is no text", "gra\xffce", password, nil, "name"},
			{"short password", "grace", "abc", nil, "password"},
			{"long password", "grace", strings.Repeat("p", signalbox.MaxPasswordBytes+1), nil, "password"},
			{"empty role", "grace", password, []string{"admin", ""}, "roles"},
		}
		for _, test := range tests {
			_, err := s.CreateUser(t.Context(), test.name, test.password, test.roles...)
			wantInvalid(t, test.what, err, test.field)
		}
		if _, err := s.CreateUser(t.Context(), strings.Repeat("é", signalbox.MaxNameLength), "demo"); err != nil {
			t.Errorf("the longest name with the shortest password: %v", err)
		}
	}},
	{"name and password authenticate", func(t *testing.T, s Store) {
		want := createUser(t, s, "Grace", "admin")
		createUser(t, s, "Ada")
		got, err := s.Authenticate(t.Context(), "gRACE", password)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("authenticated user differs (-want +got):\n%s", diff)
		}
		for what, pair := range map[string][2]string{
			"wrong password":       {"grace", "wrong horse"},
			"password in capitals": {"grace", strings.ToUpper(password)},
			"empty password":       {"grace", ""},
			"huge password":        {"grace", strings.Repeat(password, 1000)},
			"unknown name":         {"alan", password},
			"empty name":           {"", password},
			"name that is no text": {"gra\xffce", password},
			"zero bytes":           {"alan", strings.Repeat("\x00", 32)},
		} {
			_, err := s.Authenticate(t.Context(), pair[0], pair[1])
			wantError(t, what, err, signalbox.ErrUnauthenticated)
		}
	}},
}

var keyTests = []test{
	{"a secret authenticates its key", func(t *testing.T, s Store) {
		shop, shopSecret, err := s.CreateAPIKey(t.Context(), "the shop")
		if err != nil {
			t.Fatal(err)
		}
		again, againSecret, err := s.CreateAPIKey(t.Context(), "the shop")
		if err != nil {
			t.Fatal(err)
		}
		if shop.ID == "" || shop.ID == again.ID || shop.Name != "the shop" || shopSecret == againSecret {
			t.Errorf("made %+v and %+v, want two keys with ids and secrets of their own", shop, again)
		}
		random, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(shopSecret, "sbk_"))
		if err != nil || len(random) != 32 || !strings.HasPrefix(shopSecret, "sbk_") {
			t.Errorf("secret %q is not sbk_ and 32 bytes of base64url (%v)", shopSecret, err)
		}
		for secret, want := range map[string]signalbox.APIKey{shopSecret: shop, againSecret: again} {
			got, err := s.AuthenticateKey(t.Context(), secret)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("authenticated key differs (-want +got):\n%s", diff)
			}
		}
	}},
	{"other secrets do not", func(t *testing.T, s Store) {
		key, secret, err := s.CreateAPIKey(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"", "sbk_", key.ID, strings.TrimPrefix(secret, "sbk_"), secret + "A", secret[:len(secret)-1],
			"SBK_" + secret[4:], "sbk_\x00\xff"} {
			_, err := s.AuthenticateKey(t.Context(), wrong)
			wantError(t, wrong, err, signalbox.ErrUnauthenticated)
		}
	}},
	{"a key has a name", func(t *testing.T, s Store) {
		_, _, err := s.CreateAPIKey(t.Context(), "")
		wantInvalid(t, "empty name", err, "name")
		_, _, err = s.CreateAPIKey(t.Context(), strings.Repeat("n", signalbox.MaxNameLength+1))
		wantInvalid(t, "long name", err, "name")
	}},
}
