package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/contract/orderhub"
)

func TestBackup(t *testing.T) {
	dir, key := shop(t)
	s := serve(t, dir, quiet...)
	s.backEnd(key, http.MethodPost, "/notifications", object{"users": []string{"anna"}, "title": "Kept"}, http.StatusCreated)
	copied := filepath.Join(t.TempDir(), "signalbox.db")
	must(t, "", "backup", copied, "--data", dir) // while the server runs
	s.backEnd(key, http.MethodPost, "/notifications", object{"users": []string{"anna"}, "title": "Later"}, http.StatusCreated)
	if _, err := command(t, "", "backup", copied, "--data", dir); err == nil {
		t.Error("a file that exists was written over")
	}
	restored := open(t, filepath.Dir(copied))
	list, err := restored.Notifications(t.Context(), "anna", 0, 10)
	if err != nil || len(list) != 1 || list[0].Title != "Kept" {
		t.Errorf("the backup has %+v, %v", list, err)
	}
}

func TestMigrate(t *testing.T) {
	dir := t.TempDir()
	if printed := must(t, "", "migrate", "--data", dir); !strings.HasPrefix(printed, "schema version ") {
		t.Errorf("printed %q", printed)
	}
	if _, err := command(t, "", "migrate", "--database-url", "postgres://db.example:port/x"); err == nil || strings.Contains(err.Error(), "db.example:port") {
		t.Errorf("a URL that cannot be read: %v; it may hold a password", err)
	}
}

// TestAccessTakenAway takes from somebody who is connected, in another process, what only an operator can take.
func TestAccessTakenAway(t *testing.T) {
	dir, key := shop(t)
	must(t, "", "user", "roles", "anna", "staff", "--data", dir)
	s := serve(t, dir, append(quiet, "--topic", "ops=role:staff", "--topic", "news=everyone")...)
	v := s.signedIn("anna", "anna")
	anna := v.connect(notificationhub.Path)
	for _, topic := range []string{"ops", "news"} {
		if got := anna.answer("SubscribeToTopic", topic); got != done {
			t.Fatal(got)
		}
	}
	s.backEnd(key, http.MethodPut, "/orders/7", object{"owner": "anna"}, http.StatusCreated)
	idle(t, dir) // or the watcher is told of what it sees already
	watcher := v.connect(orderhub.Path)
	if got := watcher.call("SubscribeToOrder", "7"); !strings.Contains(got, `"version":1`) {
		t.Fatal(got)
	}

	must(t, "", "user", "roles", "Anna", "--none", "--data", dir)
	must(t, "", "user", "unsubscribe", "Anna", "news", "--data", dir)
	must(t, "", "order", "give", "7", "otto", "--data", dir)
	for _, topic := range []string{"ops", "news"} {
		if stored := s.backEnd(key, http.MethodPost, "/notifications", object{"topic": topic, "title": "x"}, http.StatusCreated); len(stored["notifications"].([]any)) > 0 {
			t.Errorf("%s is stored for %v", topic, stored)
		}
	}
	if got, want := anna.answer("SubscribeToTopic", "ops"), refused("SubscribeToTopic", "Not authorized for this topic"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// The server finds what other commands have left when it next looks. What is sent after that to otto says that it has.
	otto := s.signedIn("otto", "otto").connect(orderhub.Path)
	if got := otto.call("SubscribeToOrder", "7"); !strings.Contains(got, `"version":2`) {
		t.Fatal(got)
	}
	idle(t, dir)
	s.backEnd(key, http.MethodPut, "/orders/7", object{"progress": 50}, http.StatusOK)
	otto.want(event("OrderProgressUpdated", "7", 50))
	watcher.want(`{"type":7,"allowReconnect":true}`)
	if got, want := v.connect(orderhub.Path).call("SubscribeToOrder", "7"), refused("SubscribeToOrder", "Not authorized to view this order"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	for _, args := range [][]string{
		{"user", "roles", "nobody", "staff"}, {"user", "unsubscribe", "nobody", "news"},
		{"user", "unsubscribe", "anna", "news"}, {"user", "roles", "nobody"}, {"user", "password", "nobody"}, {"user", "remove", "nobody"}, {"order", "give", "7", "nobody"}, {"order", "give", "8", "otto"},
	} {
		if _, err := command(t, "", append(args, "--data", dir)...); err == nil {
			t.Errorf("%q did not fail", args)
		}
	}
}

// idle waits until the server has sent all that is stored.
func idle(t *testing.T, dir string) {
	t.Helper()
	store := open(t, dir)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		state, err := store.OutboxState(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if state.Depth == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d events are not sent", state.Depth)
		}
	}
}

func TestOutboxCommands(t *testing.T) {
	dir, _ := shop(t)
	store := open(t, dir)
	stored, err := store.Notify(t.Context(), []string{"anna"}, signalbox.NotificationMessage{Title: "Undeliverable"})
	if err != nil {
		t.Fatal(err)
	}
	if printed := must(t, "", "outbox", "list", "--data", dir); !strings.HasPrefix(printed, "0 dead letters, 1 waiting since ") {
		t.Errorf("printed %q", printed)
	}
	giveUp(t, store)
	printed := must(t, "", "outbox", "list", "--data", dir)
	lines := strings.Split(printed, "\n")
	if want := fmt.Sprintf("notification %s\t3 attempts\tthe line is dead", stored[0].ID); !strings.HasPrefix(lines[0], "anna/1\t") ||
		!strings.HasSuffix(lines[0], want) || lines[1] != "1 dead letters, 0 waiting" {
		t.Errorf("printed %q", printed)
	}
	if _, err := command(t, "", "outbox", "replay", "anna/2", "--data", dir); err == nil {
		t.Error("what is no dead letter was put back")
	}
	if printed := must(t, "", "outbox", "replay", "anna/1", "--data", dir); printed != "1 put back\n" {
		t.Errorf("printed %q", printed)
	}
	if printed := must(t, "", "outbox", "replay", "--all", "--data", dir); printed != "0 put back\n" {
		t.Errorf("printed %q", printed)
	}
}

// TestKeepNotifications starts a server that keeps two of each user's notifications.
func TestKeepNotifications(t *testing.T) {
	dir, _ := shop(t)
	store := open(t, dir)
	for range 5 {
		if _, err := store.Notify(t.Context(), []string{"anna"}, signalbox.NotificationMessage{Title: "t"}); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, dir, append(quiet, "--keep-notifications", "2")...)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		state, err := store.InboxState(t.Context(), "anna")
		if err != nil {
			t.Fatal(err)
		}
		if state.FirstSequence == 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the inbox stands at %+v", state)
		}
	}
	anna := s.signedIn("anna", "anna").connect(notificationhub.Path)
	if got := anna.answer("CatchUp", 1); !strings.Contains(got, `"gap":true,"firstSequence":4,"fetchUrl":"/notifications","lastSequence":5`) {
		t.Errorf("CatchUp was answered %s", got)
	}
}
