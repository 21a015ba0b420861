package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

var administrationTests = []test{
	{"users are listed", func(t *testing.T, s Store) {
		if users, err := s.Users(t.Context()); err != nil || len(users) != 0 {
			t.Errorf("Users = %+v, %v, want none", users, err)
		}
		want := []signalbox.User{createUser(t, s, "Ada", "operator", "admin"), createUser(t, s, "grace")}
		users, err := s.Users(t.Context())
		if diff := cmp.Diff(want, users); diff != "" || err != nil {
			t.Errorf("Users: %v, differs (-want +got):\n%s", err, diff)
		}
	}},
	{"a new password takes the place of the old one", func(t *testing.T, s Store) {
		createUser(t, s, "Ada", "admin")
		createUser(t, s, "grace")
		wantEvents(t, s, map[string][]string{})
		if err := s.SetPassword(t.Context(), "ada", "another password"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Authenticate(t.Context(), "ada", password)
		wantError(t, "the old password", err, signalbox.ErrUnauthenticated)
		if u, err := s.Authenticate(t.Context(), "ada", "another password"); err != nil || u.Name != "Ada" || len(u.Roles) != 1 {
			t.Errorf("the new password: %+v, %v", u, err)
		}
		if _, err := s.Authenticate(t.Context(), "grace", password); err != nil {
			t.Errorf("somebody else's password: %v", err)
		}
		wantEvents(t, s, map[string][]string{"ada": {"signed out"}})

		if err := s.SignOut(t.Context(), "ada"); err != nil {
			t.Error(err)
		}
		wantEvents(t, s, map[string][]string{"ada": {"signed out"}})
		wantError(t, "signing an unknown user out", s.SignOut(t.Context(), "alan"), signalbox.ErrNotFound)

		wantError(t, "an unknown user", s.SetPassword(t.Context(), "alan", password), signalbox.ErrNotFound)
		wantInvalid(t, "a short password", s.SetPassword(t.Context(), "ada", "abc"), "password")
		wantEvents(t, s, map[string][]string{})
	}},
	{"who is removed leaves nothing but orders", func(t *testing.T, s Store) {
		createUser(t, s, "ada", "admin")
		createUser(t, s, "grace")
		change(t, s, signalbox.OrderChange{ID: "1", OwnerID: "ada", Progress: new(10)})
		change(t, s, signalbox.OrderChange{ID: "2", OwnerID: "ada"})
		if err := s.Subscribe(t.Context(), "ada", "news"); err != nil {
			t.Fatal(err)
		}
		stored := notify(t, s, "ada", 2)

		wantError(t, "an unknown user", s.RemoveUser(t.Context(), "alan", "grace"), signalbox.ErrNotFound)
		wantError(t, "orders that nobody gets", s.RemoveUser(t.Context(), "ada", ""), signalbox.ErrConflict)
		wantInvalid(t, "an unknown new owner", s.RemoveUser(t.Context(), "ada", "alan"), "owner")
		wantInvalid(t, "the user as new owner", s.RemoveUser(t.Context(), "ada", "ada"), "new owner")
		if len(inbox(t, s, "ada")) != 2 {
			t.Error("what failed has removed something")
		}

		if err := s.RemoveUser(t.Context(), "ada", "grace"); err != nil {
			t.Fatal(err)
		}
		_, err := s.User(t.Context(), "ada")
		wantError(t, "User", err, signalbox.ErrNotFound)
		_, err = s.Authenticate(t.Context(), "ada", password)
		wantError(t, "Authenticate", err, signalbox.ErrUnauthenticated)
		_, err = s.Receipt(t.Context(), stored[0].ID)
		wantError(t, "Receipt", err, signalbox.ErrNotFound)
		if told, err := s.NotifyTopic(t.Context(), "news", hello); err != nil || len(told) != 0 {
			t.Errorf("NotifyTopic = %+v, %v, want none", told, err)
		}
		_, err = s.Notify(t.Context(), []string{"ada"}, hello)
		wantInvalid(t, "Notify", err, "users")
		if orders, err := s.Orders(t.Context(), "grace"); err != nil || len(orders) != 2 {
			t.Errorf("the new owner has %+v, %v", orders, err)
		}
		if history, _, err := s.History(t.Context(), "1", 10); err != nil || len(history) != 2 || history[1].Progress != 10 {
			t.Errorf("the order's history is %+v, %v", history, err)
		}
		// What was on its way to the user is not; that it is over is.
		wantEvents(t, s, map[string][]string{"ada": {"signed out"}})
		wantError(t, "once more", s.RemoveUser(t.Context(), "ada", "grace"), signalbox.ErrNotFound)
	}},
	{"the name of a user who was removed is free", func(t *testing.T, s Store) {
		createUser(t, s, "ada", "admin")
		notify(t, s, "ada", 3)
		if err := s.Subscribe(t.Context(), "ada", "news"); err != nil {
			t.Fatal(err)
		}
		if err := s.RemoveUser(t.Context(), "ada", ""); err != nil {
			t.Fatal(err)
		}
		// The former user's end has not been told yet, and comes before what happens to the new one.
		if u := createUser(t, s, "Ada"); u.Name != "Ada" || len(u.Roles) != 0 {
			t.Errorf("the new user is %+v", u)
		}
		if topics, err := s.Subscriptions(t.Context(), "ada"); err != nil || len(topics) != 0 {
			t.Errorf("Subscriptions = %q, %v, want none", topics, err)
		}
		if n := notify(t, s, "ada", 5); n[0].Sequence != 1 || n[4].Sequence != 5 {
			t.Errorf("stored %+v, want the sequences 1 to 5", n)
		}
		wantEvents(t, s, map[string][]string{"ada": {
			"signed out", "notification 1", "notification 2", "notification 3", "notification 4", "notification 5",
		}})
		notify(t, s, "ada", 1)
		wantEvents(t, s, map[string][]string{"ada": {"notification 6"}})
		if err := s.RemoveUser(t.Context(), "ada", ""); err != nil {
			t.Error(err)
		}
	}},
	{"a user is removed while events are being sent", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		notify(t, s, "ada", 2)
		deliver(t, s, func(p signalbox.PendingEvents) signalbox.Delivery {
			if err := s.RemoveUser(t.Context(), "ada", ""); err != nil {
				t.Errorf("RemoveUser: %v", err)
			}
			return allSent(p)
		})
		wantEvents(t, s, map[string][]string{"ada": {"signed out"}})
	}},
	{"who ends a subscription is told whether there was one", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		if err := s.Subscribe(t.Context(), "ada", "news"); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, s, map[string][]string{"ada": {"access"}})
		for _, want := range []bool{true, false} {
			if ended, err := s.EndSubscription(t.Context(), "ada", "news"); err != nil || ended != want {
				t.Errorf("EndSubscription = %t, %v, want %t", ended, err, want)
			}
		}
		wantEvents(t, s, map[string][]string{"ada": {"access"}})
		_, err := s.EndSubscription(t.Context(), "alan", "news")
		wantError(t, "an unknown user", err, signalbox.ErrNotFound)
	}},
	{"API keys are listed, and revoked one by one", func(t *testing.T, s Store) {
		shop, shopSecret, err := s.CreateAPIKey(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		again, againSecret, err := s.CreateAPIKey(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now().Add(-time.Millisecond)
		for range 2 {
			if _, err := s.AuthenticateKey(t.Context(), shopSecret); err != nil {
				t.Fatal(err)
			}
		}
		keys, err := s.APIKeys(t.Context())
		if err != nil || len(keys) != 2 {
			t.Fatalf("APIKeys = %+v, %v, want two", keys, err)
		}
		if keys[0].ID == again.ID && keys[0].CreatedAt.Equal(keys[1].CreatedAt) { // made in the same microsecond
			keys[0], keys[1] = keys[1], keys[0]
		}
		if used := keys[0].LastUsedAt; used == nil || used.Before(start) || used.After(time.Now()) {
			t.Errorf("the first was last used %v, want now", used)
		}
		keys[0].LastUsedAt = nil
		if diff := cmp.Diff([]signalbox.APIKey{shop, again}, keys); diff != "" {
			t.Errorf("keys differ (-want +got):\n%s", diff)
		}

		revoked, err := s.RevokeAPIKey(t.Context(), shop.ID)
		if err != nil || revoked.Name != "shop" || revoked.ID != shop.ID {
			t.Errorf("RevokeAPIKey = %+v, %v", revoked, err)
		}
		_, err = s.AuthenticateKey(t.Context(), shopSecret)
		wantError(t, "the revoked key", err, signalbox.ErrUnauthenticated)
		if key, err := s.AuthenticateKey(t.Context(), againSecret); err != nil || key.ID != again.ID {
			t.Errorf("the other key of that name: %+v, %v", key, err)
		}
		for _, id := range []string{shop.ID, "", "shop"} {
			_, err := s.RevokeAPIKey(t.Context(), id)
			wantError(t, "RevokeAPIKey("+id+")", err, signalbox.ErrNotFound)
		}
	}},
}
