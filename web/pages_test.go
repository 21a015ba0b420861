package web_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

var update = flag.Bool("update", false, "write the pages that the tests in browser/ work on")

// What differs with the style sheets, and with whether the script has been built.
var (
	hashes = regexp.MustCompile(`\?v=[0-9a-f]{16}`)
	script = regexp.MustCompile(`\n<script .*</script>`)
)

// The tests of the browser's code work on pages as this server renders them. They are kept in the repository, so that
// a page and its script cannot drift apart unnoticed.
func TestPagesOfTheBrowserTests(t *testing.T) {
	s := newSite(t, nil, nil)
	alice := s.signedIn("alice")
	s.order("1000", "alice", signalbox.StatusCompleted, 100, "Delivered")
	s.order("1001", "alice", signalbox.StatusPending, 0, "Received")
	s.order("1001", "", signalbox.StatusProcessing, 30, "Packing")
	s.order("1002", "alice", signalbox.StatusConfirmed, 10, "")
	n := s.notify("alice", "first", "second")
	if _, err := s.Services.MarkAsRead(t.Context(), "alice", n[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SendToUser(t.Context(), "alice", signalbox.NotificationMessage{
		Title: "third", Type: signalbox.TypeOrderUpdate, Data: json.RawMessage(`{"orderId":"1001"}`),
	}); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"orders.html": "/orders", "order.html": "/orders/1001", "notifications.html": "/notifications",
		"older.html": "/notifications?before=2",
	} {
		t.Run(name, func(t *testing.T) {
			r := alice.get(target)
			if r.StatusCode != http.StatusOK {
				t.Fatalf("GET %s: status %d", target, r.StatusCode)
			}
			got := hashes.ReplaceAllString(script.ReplaceAllString(body(t, r), ""), "?v=0")
			file := filepath.Join("browser", "test", "pages", name)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("run go test ./web -run %s -update, then the tests in browser/ (-want +got):\n%s", "TestPagesOfTheBrowserTests", diff)
			}
		})
	}
}
