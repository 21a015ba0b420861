package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"signalbox"
	"signalbox/contract/notificationhub"
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

// TestRoles takes a role away, in another process, from somebody who is connected: what it opened is closed.
func TestRoles(t *testing.T) {
	dir, _ := shop(t)
	must(t, "", "user", "roles", "anna", "staff", "--data", dir)
	s := serve(t, dir, append(quiet, "--topic", "ops=role:staff")...)
	anna := s.signedIn("anna", "anna").connect(notificationhub.Path)
	if got := anna.answer("SubscribeToTopic", "ops"); got != done {
		t.Fatal(got)
	}
	must(t, "", "user", "roles", "Anna", "--data", dir)
	if got, want := anna.answer("SubscribeToTopic", "ops"), refused("SubscribeToTopic", "Not authorized for this topic"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := command(t, "", "user", "roles", "nobody", "staff", "--data", dir); err == nil {
		t.Error("somebody who does not exist has roles")
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
