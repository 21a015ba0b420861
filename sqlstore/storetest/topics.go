package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

var topicTests = []test{
	{"a rule decides who may subscribe", func(t *testing.T, s Store) {
		createUser(t, s, "Ada")
		createUser(t, s, "Grace", "operator")
		createUser(t, s, "Alan", "guest")
		for _, test := range []struct {
			user, topic string
			want        error
		}{
			{"alan", "news", nil},
			{"grace", "ops", nil},
			{"ada", "board", nil},
			{"alan", "ops", signalbox.ErrForbidden},
			{"ada", "ops", signalbox.ErrForbidden},
			{"grace", "board", signalbox.ErrForbidden},
			{"alan", "unknown", signalbox.ErrForbidden},
			{"nobody", "news", signalbox.ErrNotFound},
		} {
			err := s.Subscribe(t.Context(), test.user, test.topic)
			wantError(t, fmt.Sprintf("Subscribe(%q, %q)", test.user, test.topic), err, test.want)
		}
	}},
	{"subscriptions come and go", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		for _, topic := range []string{"sports", "board", "news", "news"} {
			if err := s.Subscribe(t.Context(), "ada", topic); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Subscribe(t.Context(), "grace", "news"); err != nil {
			t.Fatal(err)
		}
		wantSubscriptions := func(user string, want ...string) {
			t.Helper()
			if got, err := s.Subscriptions(t.Context(), user); err != nil || !slices.Equal(got, want) {
				t.Errorf("Subscriptions(%q) = %q, %v, want %q", user, got, err, want)
			}
		}
		wantSubscriptions("ada", "board", "news", "sports")
		for range 2 { // The second time there is nothing to take back.
			if err := s.Unsubscribe(t.Context(), "ada", "news"); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Unsubscribe(t.Context(), "ada", "unknown"); err != nil {
			t.Error(err)
		}
		wantSubscriptions("ada", "board", "sports")
		wantSubscriptions("grace", "news")
	}},
	{"a topic's message reaches its subscribers", func(t *testing.T, s Store) {
		for _, user := range []string{"ada", "alan", "grace"} {
			createUser(t, s, user)
		}
		for user, topic := range map[string]string{"ada": "news", "grace": "news", "alan": "sports"} {
			if err := s.Subscribe(t.Context(), user, topic); err != nil {
				t.Fatal(err)
			}
		}
		notify(t, s, "grace", 2)
		m := signalbox.NotificationMessage{Title: "Extra", Type: signalbox.TypeSuccess, Data: json.RawMessage(`{}`)}
		stored, err := s.NotifyTopic(t.Context(), "news", m)
		if err != nil {
			t.Fatal(err)
		}
		if len(stored) != 2 || stored[0].UserID != "ada" || stored[1].UserID != "grace" {
			t.Fatalf("stored %+v, want one for ada and one for grace", stored)
		}
		for i, sequence := range []int64{1, 3} {
			want := signalbox.Notification{ID: stored[i].ID, UserID: stored[i].UserID, Sequence: sequence, NotificationMessage: m,
				Topic: "news", CreatedAt: stored[i].CreatedAt}
			if diff := cmp.Diff(want, stored[i]); diff != "" {
				t.Errorf("stored notification differs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(stored[i], inbox(t, s, stored[i].UserID)[0]); diff != "" {
				t.Errorf("inbox differs (-stored +read):\n%s", diff)
			}
		}
		wantUnread(t, s, "alan", 0)
	}},
	{"a topic without subscribers, and none at all", func(t *testing.T, s Store) {
		if stored, err := s.NotifyTopic(t.Context(), "news", hello); err != nil || len(stored) != 0 {
			t.Errorf("NotifyTopic without subscribers = %+v, %v, want none", stored, err)
		}
		_, err := s.NotifyTopic(t.Context(), "unknown", hello)
		wantError(t, "NotifyTopic(unknown)", err, signalbox.ErrNotFound)
	}},
}
