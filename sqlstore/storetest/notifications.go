package storetest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

var hello = signalbox.NotificationMessage{Title: "Hello"}

// notify stores hello for a user n times and returns the notifications.
func notify(t *testing.T, s Store, user string, n int) []signalbox.Notification {
	t.Helper()
	var all []signalbox.Notification
	for range n {
		stored, err := s.Notify(t.Context(), []string{user}, hello)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, stored...)
	}
	return all
}

// inbox returns all notifications of a user, newest first.
func inbox(t *testing.T, s Store, user string) []signalbox.Notification {
	t.Helper()
	list, err := s.Notifications(t.Context(), user, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func wantUnread(t *testing.T, s Store, user string, want int) {
	t.Helper()
	if got, err := s.UnreadCount(t.Context(), user); err != nil || got != want {
		t.Errorf("UnreadCount(%q) = %d, %v, want %d", user, got, err, want)
	}
}

var notificationTests = []test{
	{"what is stored is read again", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		start := time.Now().Add(-time.Millisecond)
		m := signalbox.NotificationMessage{Title: "Grüße 🎉", Message: "line\nline", Type: signalbox.TypeWarning,
			Data: json.RawMessage(`{"b": [1, null], "a": "\u0000"}`)}
		stored, err := s.Notify(t.Context(), []string{"grace", "ada", "grace"}, m)
		if err != nil {
			t.Fatal(err)
		}
		if len(stored) != 2 || stored[0].UserID != "grace" || stored[1].UserID != "ada" {
			t.Fatalf("stored %+v, want one for grace, then one for ada", stored)
		}
		if stored[0].ID == "" || stored[0].ID == stored[1].ID {
			t.Errorf("ids %q and %q, want two different ones", stored[0].ID, stored[1].ID)
		}
		if at := stored[0].CreatedAt; at.Before(start) || at.After(time.Now()) {
			t.Errorf("CreatedAt = %v, want now", at)
		}
		for _, n := range stored {
			want := signalbox.Notification{ID: n.ID, UserID: n.UserID, Sequence: 1, NotificationMessage: m, CreatedAt: n.CreatedAt}
			if diff := cmp.Diff(want, n); diff != "" {
				t.Errorf("stored notification differs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]signalbox.Notification{n}, inbox(t, s, n.UserID)); diff != "" {
				t.Errorf("inbox differs (-stored +read):\n%s", diff)
			}
		}
	}},
	{"a message has defaults", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		stored, err := s.Notify(t.Context(), []string{"ada"}, signalbox.NotificationMessage{Title: "t", Data: json.RawMessage(`null`)})
		if err != nil {
			t.Fatal(err)
		}
		if stored[0].Type != signalbox.TypeInfo || stored[0].Data != nil {
			t.Errorf("stored type %q and data %q, want Info and none", stored[0].Type, stored[0].Data)
		}
		if diff := cmp.Diff(stored, inbox(t, s, "ada")); diff != "" {
			t.Errorf("inbox differs (-stored +read):\n%s", diff)
		}
	}},
	{"it is stored for all users or for none", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		_, err := s.Notify(t.Context(), []string{"ada", "nobody", "grace", "noone"}, hello)
		wantInvalid(t, "Notify", err, "users")
		if err != nil && (!strings.Contains(err.Error(), `"nobody"`) || strings.Contains(err.Error(), `"noone"`)) {
			t.Errorf("error %q, want it to name the first unknown user", err)
		}
		for _, user := range []string{"ada", "grace"} {
			if list := inbox(t, s, user); len(list) != 0 {
				t.Errorf("%s has %+v, want none", user, list)
			}
			wantUnread(t, s, user, 0)
			if n := notify(t, s, user, 1); n[0].Sequence != 1 {
				t.Errorf("the next sequence of %s is %d, want 1: the failed one must leave no hole", user, n[0].Sequence)
			}
		}
	}},
	{"messages and users are checked", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		_, err := s.Notify(t.Context(), nil, hello)
		wantInvalid(t, "no users", err, "users")
		_, err = s.Notify(t.Context(), []string{"ada"}, signalbox.NotificationMessage{Title: ""})
		wantInvalid(t, "no title", err, "title")
		_, err = s.NotifyTopic(t.Context(), "news", signalbox.NotificationMessage{Title: "t", Type: "Alarm"})
		wantInvalid(t, "unknown type", err, "type")
		wantUnread(t, s, "ada", 0)
	}},
	{"sequences have no hole and no duplicate when many store at once", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		const goroutines, each = 8, 12
		ids := make([][]string, goroutines)
		atOnce(t, goroutines, func(i int) error {
			for range each {
				stored, err := s.Notify(t.Context(), []string{"grace", "ada"}, hello)
				if err != nil {
					return err
				}
				ids[i] = append(ids[i], stored[0].ID)
			}
			return nil
		})
		for _, user := range []string{"ada", "grace"} {
			list := inbox(t, s, user)
			if len(list) != goroutines*each {
				t.Fatalf("%s has %d notifications, want %d", user, len(list), goroutines*each)
			}
			for i, n := range list {
				if want := int64(len(list) - i); n.Sequence != want {
					t.Fatalf("%s: sequence %d at place %d from the newest, want %d", user, n.Sequence, i, want)
				}
			}
		}
		// Whatever one caller stored later has a higher sequence.
		place := map[string]int64{}
		for _, n := range inbox(t, s, "grace") {
			place[n.ID] = n.Sequence
		}
		for i := range ids {
			if !slices.IsSortedFunc(ids[i], func(a, b string) int { return int(place[a] - place[b]) }) {
				t.Errorf("goroutine %d stored out of order", i)
			}
		}
	}},
	{"pages go from the newest to the oldest", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		notify(t, s, "ada", 7)
		notify(t, s, "grace", 2)
		for _, test := range []struct {
			before int64
			limit  int
			want   []int64
		}{
			{0, 3, []int64{7, 6, 5}},
			{5, 3, []int64{4, 3, 2}},
			{2, 3, []int64{1}},
			{1, 3, nil},
			{100, 2, []int64{7, 6}},
			{0, 0, nil},
			{0, -1, nil},
			{-1, 3, nil},
		} {
			list, err := s.Notifications(t.Context(), "ada", test.before, test.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, n := range list {
				got = append(got, n.Sequence)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("Notifications(before %d, limit %d) = %v, want %v", test.before, test.limit, got, test.want)
			}
		}
		if list := inbox(t, s, "nobody"); len(list) != 0 {
			t.Errorf("nobody has %+v", list)
		}
	}},
	{"one is marked as read once", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		sent := notify(t, s, "ada", 3)
		wantUnread(t, s, "ada", 3)
		for i, want := range []bool{true, false} {
			changed, err := s.MarkAsRead(t.Context(), "ada", sent[1].ID)
			if err != nil || changed != want {
				t.Errorf("MarkAsRead the %d. time = %t, %v, want %t", i+1, changed, err, want)
			}
			wantUnread(t, s, "ada", 2)
		}
		for _, n := range inbox(t, s, "ada") {
			if read := n.ReadAt != nil; read != (n.ID == sent[1].ID) {
				t.Errorf("sequence %d: read = %t", n.Sequence, read)
			}
			if n.ReadAt != nil && (n.ReadAt.Before(n.CreatedAt) || n.ReadAt.After(time.Now())) {
				t.Errorf("ReadAt = %v, want between %v and now", n.ReadAt, n.CreatedAt)
			}
		}
	}},
	{"a notification is another user's secret", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		sent := notify(t, s, "grace", 1)
		_, err := s.MarkAsRead(t.Context(), "ada", sent[0].ID)
		wantError(t, "MarkAsRead of another user's", err, signalbox.ErrNotFound)
		_, err = s.MarkAsRead(t.Context(), "ada", "nothing")
		wantError(t, "MarkAsRead of an unknown id", err, signalbox.ErrNotFound)
		wantUnread(t, s, "grace", 1)
	}},
	{"all are marked as read once", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		createUser(t, s, "grace")
		sent := notify(t, s, "ada", 3)
		notify(t, s, "grace", 1)
		if _, err := s.MarkAsRead(t.Context(), "ada", sent[1].ID); err != nil {
			t.Fatal(err)
		}
		changed, err := s.MarkAllAsRead(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{sent[0].ID, sent[2].ID}; !slices.Equal(slices.Sorted(slices.Values(changed)), slices.Sorted(slices.Values(want))) {
			t.Errorf("MarkAllAsRead changed %q, want %q", changed, want)
		}
		wantUnread(t, s, "ada", 0)
		wantUnread(t, s, "grace", 1)
		if changed, err := s.MarkAllAsRead(t.Context(), "ada"); err != nil || len(changed) != 0 {
			t.Errorf("MarkAllAsRead again = %q, %v, want none", changed, err)
		}
	}},
	{"of many who mark one as read at once one changes it", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		id := notify(t, s, "ada", 1)[0].ID
		var changes atomic.Int32
		atOnce(t, 8, func(i int) error {
			if i%2 == 0 {
				changed, err := s.MarkAllAsRead(t.Context(), "ada")
				changes.Add(int32(len(changed)))
				return err
			}
			changed, err := s.MarkAsRead(t.Context(), "ada", id)
			if changed {
				changes.Add(1)
			}
			return err
		})
		if n := changes.Load(); n != 1 {
			t.Errorf("%d calls say that they changed it, want 1", n)
		}
		wantUnread(t, s, "ada", 0)
	}},
	{"a context that has ended stores nothing", func(t *testing.T, s Store) {
		createUser(t, s, "ada")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Notify(ctx, []string{"ada"}, hello); err == nil {
			t.Error("Notify with a context that has ended did not fail")
		}
		wantUnread(t, s, "ada", 0)
	}},
}
