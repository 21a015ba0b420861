package sqlstore

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"signalbox"
)

func newHasher(t *testing.T, cost PasswordCost) *passwordHasher {
	t.Helper()
	h, err := newPasswordHasher(cost)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestPasswordDefaults(t *testing.T) {
	h := newHasher(t, PasswordCost{})
	hash, err := h.hash(t.Context(), "password")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash = %q, %v", hash, err)
	}
	if got, want := cap(h.slots), runtime.GOMAXPROCS(0); got != want {
		t.Errorf("%d passwords are hashed at once, want %d", got, want)
	}
}

func TestPasswordHash(t *testing.T) {
	h := newHasher(t, PasswordCost{Memory: 64, Time: 1, Threads: 2})
	first, err := h.hash(t.Context(), "password")
	if err != nil {
		t.Fatal(err)
	}
	if second, err := h.hash(t.Context(), "password"); err != nil || first == second {
		t.Errorf("two hashes of a password are equal (%v): there is no salt", err)
	}
	// Another cost now does not shut out who has a hash at the old one.
	later := newHasher(t, PasswordCost{Memory: 128, Time: 2})
	for password, want := range map[string]bool{"password": true, "Password": false, "": false} {
		if ok, err := later.verify(t.Context(), first, password); err != nil || ok != want {
			t.Errorf("verify(%q) = %t, %v, want %t", password, ok, err, want)
		}
	}
	if ok, err := h.verify(t.Context(), h.nobody, "password"); ok || err != nil {
		t.Errorf("verify with nobody's hash = %t, %v, want false", ok, err)
	}
}

// TestPasswordKnownHash verifies a hash from the tests of the reference implementation in C.
func TestPasswordKnownHash(t *testing.T) {
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, err := newHasher(t, PasswordCost{}).verify(t.Context(), hash, "password"); !ok || err != nil {
		t.Errorf("verify = %t, %v, want true", ok, err)
	}
}

func TestPasswordBrokenHash(t *testing.T) {
	h := newHasher(t, PasswordCost{Memory: 64, Time: 1})
	for _, hash := range []string{
		"", "password", "$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA", "$argon2id$v=16$m=64,t=1,p=1$AAAA$AAAA",
		"$argon2id$v=19$m=64,t=0,p=1$AAAA$AAAA", "$argon2id$v=19$m=64,t=1,p=0$AAAA$AAAA", "$argon2id$v=19$m=64,t=1,p=256$AAAA$AAAA",
		"$argon2id$v=19$m=64$AAAA$AAAA", "$argon2id$v=19$m=64,t=1,p=1$!$AAAA", "$argon2id$v=19$m=64,t=1,p=1$AAAA$!", "$argon2id$v=19$m=64,t=1,p=1$AAAA$",
	} {
		if ok, err := h.verify(t.Context(), hash, ""); ok || err == nil {
			t.Errorf("verify(%q) = %t, %v, want an error", hash, ok, err)
		}
	}
}

func TestPasswordsAreHashedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, PasswordCost{Memory: 64, Time: 1, Concurrent: 1})
		h.slots <- struct{}{} // Somebody's hash is being computed.

		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error)
		go func() {
			_, err := h.hash(ctx, "password")
			gaveUp <- err
		}()
		hashed := make(chan error, 1)
		go func() {
			_, err := h.hash(t.Context(), "password")
			hashed <- err
		}()
		synctest.Wait()
		select {
		case err := <-hashed:
			t.Fatalf("two were hashed at once (%v)", err)
		default:
		}
		cancel()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
		<-h.slots
		if err := <-hashed; err != nil {
			t.Error(err)
		}
		if len(h.slots) != 0 {
			t.Error("the turn was not given back")
		}
	})
}

// TestUnknownNameIsHashed shows that signing in under an unknown name does the work of a wrong password, without which
// the time it takes would tell who exists: while no password may be hashed, neither gets an answer.
func TestUnknownNameIsHashed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), Options{Dir: t.TempDir(), Passwords: PasswordCost{Memory: 64, Time: 1, Concurrent: 1}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.CreateUser(t.Context(), "ada", "password"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"ada", "nobody"} {
			s.passwords.slots <- struct{}{}
			answer := make(chan error, 1)
			go func() {
				_, err := s.Authenticate(t.Context(), name, "wrong password")
				answer <- err
			}()
			synctest.Wait()
			if len(answer) != 0 {
				t.Errorf("Authenticate(%q) answered without hashing", name)
			}
			<-s.passwords.slots
			if err := <-answer; !errors.Is(err, signalbox.ErrUnauthenticated) {
				t.Errorf("Authenticate(%q) = %v", name, err)
			}
		}
	})
}
