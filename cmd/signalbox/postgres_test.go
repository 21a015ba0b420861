//go:build unix

package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"signalbox/contract/notificationhub"
	"signalbox/sqlstore/postgrestest"
)

// TestPostgres runs the commands and two servers on one PostgreSQL database.
func TestPostgres(t *testing.T) {
	url := postgrestest.Start(t).NewDatabase(t)
	must(t, "anna\n", "user", "add", "anna", "--password-stdin", "--database-url", url)
	key := strings.TrimSpace(must(t, "", "key", "create", "shop", "--database-url", url))
	args := append(slices.Clone(quiet), "--database-url", url)
	first := serve(t, t.TempDir(), args...)
	anna := first.signedIn("anna", "anna")
	c := anna.connect(notificationhub.Path)
	c.want(event("UnreadCountUpdated", 0))
	stored := first.backEnd(key, http.MethodPost, "/notifications", object{"users": []string{"anna"}, "title": "Hello"}, http.StatusCreated)
	if got := c.next(); !strings.Contains(got, `"sequence":1,"title":"Hello"`) {
		t.Errorf("got %s", got)
	}
	c.want(event("UnreadCountUpdated", 1))

	// Another server has the same inbox, and the same sessions. It comes now because without a backplane each event is sent
	// by one of them, to its own connections.
	second := serve(t, t.TempDir(), args...)
	anna.s = second
	other := anna.connect(notificationhub.Path)
	other.want(event("UnreadCountUpdated", 1))
	if got := other.call("CatchUp", 0); !strings.Contains(got, `"lastSequence":1`) {
		t.Errorf("CatchUp was answered %s", got)
	}
	if got := other.answer("ConfirmDelivered", []string{stored["notifications"].([]any)[0].(object)["id"].(string)}); got != done {
		t.Errorf("ConfirmDelivered was answered %s", got)
	}
	receipt := second.backEnd(key, http.MethodGet, "/notifications/"+stored["notifications"].([]any)[0].(object)["id"].(string), nil, http.StatusOK)
	if receipt["sentAt"] == nil || receipt["deliveredAt"] == nil || receipt["seenAt"] != nil {
		t.Errorf("the receipt is %v", receipt)
	}
	if _, err := command(t, "", "backup", t.TempDir()+"/x", "--database-url", url); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("backing up: %v", err)
	}
	must(t, "", "outbox", "list", "--database-url", url)
}
