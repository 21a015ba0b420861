//go:build unix

package sqlstore_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pressly/goose/v3"

	"signalbox"
	"signalbox/sqlstore"
	"signalbox/sqlstore/postgrestest"
)

// firstRelease is data of schema version 1: ada with three notifications, one of them read, and an order, and grace
// with nothing.
const firstRelease = `
INSERT INTO users (id, name, password_hash, created_at) VALUES ('ada', 'Ada', 'x', 1), ('grace', 'Grace', 'x', 2);
INSERT INTO user_roles (user_id, role) VALUES ('ada', 'admin');
INSERT INTO inboxes (user_id, last_sequence) VALUES ('ada', 3), ('grace', 0);
INSERT INTO notifications (id, user_id, sequence, title, message, type, data, topic, created_at, read_at) VALUES
	('n1', 'ada', 1, 'one', '', 'Info', NULL, '', 10, NULL), ('n2', 'ada', 2, 'two', '', 'Info', '{"a":1}', 'news', 20, 25),
	('n3', 'ada', 3, 'three', '', 'Error', NULL, '', 30, NULL);
INSERT INTO subscriptions (topic, user_id) VALUES ('news', 'grace');
INSERT INTO orders (id, owner_id, status, progress, message, version, status_version, announced_version, created_at, updated_at)
	VALUES ('1', 'ada', 'Shipped', 60, 'm', 2, 2, 1, 10, 20);
INSERT INTO order_events (order_id, version, status, status_version, progress, message, created_at) VALUES
	('1', 1, 'Pending', 1, 0, '', 10), ('1', 2, 'Shipped', 2, 60, 'm', 20);
INSERT INTO sessions (token_hash, data, expires_at) VALUES ('h', 'ZGF0YQ==', 99)`

// secondRelease is data of schema version 2, behind that of the first: two events of grace.
const secondRelease = `
UPDATE inboxes SET last_event = 2 WHERE user_id = 'grace';
UPDATE outbox_users SET attempts = 3 WHERE user_id = 'grace';
INSERT INTO outbox (user_id, position, event, created_at) VALUES ('grace', 2, '{"Unread":true}', 50);
INSERT INTO dead_letters (user_id, position, event, created_at, attempts, reason, died_at)
	VALUES ('grace', 1, '{"Access":true}', 40, 20, 'r', 60)`

// TestMigrationFromFirstRelease opens data of the first release.
func TestMigrationFromFirstRelease(t *testing.T) {
	onBoth(t, func(t *testing.T, o sqlstore.Options) {
		driver, source, dialect := "sqlite", filepath.Join(o.Dir, "signalbox.db"), goose.DialectSQLite3
		if o.URL != "" {
			driver, source, dialect = "pgx", o.URL, goose.DialectPostgres
		}
		db, err := sql.Open(driver, source)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		provider, err := goose.NewProvider(dialect, db, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := provider.UpTo(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), firstRelease); err != nil {
			t.Fatal(err)
		}
		// The second release has left something to be sent, and something that could not be.
		if _, err := provider.UpTo(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), secondRelease); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}

		o.Topics = signalbox.Topics{"news": {Everyone: true}}
		s := open(t, o)
		if version, err := s.SchemaVersion(t.Context()); err != nil || version < 2 {
			t.Errorf("SchemaVersion = %d, %v", version, err)
		}
		state, err := s.InboxState(t.Context(), "ada")
		if want := (signalbox.InboxState{LastSequence: 3, FirstSequence: 1, Unread: 2}); err != nil || state != want {
			t.Errorf("InboxState = %+v, %v, want %+v", state, err, want)
		}
		if caught, err := s.CatchUp(t.Context(), "ada", 1, 10); err != nil || caught.Gap || len(caught.Notifications) != 2 || caught.Notifications[0].ReadAt == nil {
			t.Errorf("CatchUp = %+v, %v", caught, err)
		}
		if r, err := s.Receipt(t.Context(), "n1"); err != nil || r.SentAt != nil || r.Title != "one" {
			t.Errorf("Receipt = %+v, %v: nothing is known of whether it was sent", r, err)
		}
		if state, err := s.OutboxState(t.Context()); err != nil || state.Depth != 1 || state.DeadLetters != 1 {
			t.Errorf("OutboxState = %+v, %v: what was shown long ago is not sent again, what was left is kept", state, err)
		}
		if n, err := s.ReplayDeadLetters(t.Context(), "grace/1"); err != nil || n != 1 {
			t.Errorf("ReplayDeadLetters = %d, %v", n, err)
		}
		// What is done from now on is as ever.
		if _, err := s.MarkAllAsRead(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		stored, err := s.NotifyTopic(t.Context(), "news", signalbox.NotificationMessage{Title: "t"})
		if err != nil || len(stored) != 1 || stored[0].UserID != "grace" || stored[0].Sequence != 1 {
			t.Errorf("NotifyTopic = %+v, %v", stored, err)
		}
		if _, after, err := s.ChangeOrder(t.Context(), signalbox.OrderChange{ID: "1", Progress: new(70)}); err != nil || after.Version != 3 {
			t.Errorf("ChangeOrder = %+v, %v, want version 3", after, err)
		}
		var sent []string
		for _, e := range drain(t, s) {
			sent = append(sent, fmt.Sprint(e.UserID, e.Position))
		}
		if want := []string{"ada1", "ada2", "grace1", "grace2", "grace3"}; !slices.Equal(sent, want) {
			t.Errorf("sent %q, want %q", sent, want)
		}
	})
}

// onBoth runs a test on an empty SQLite folder and on an empty PostgreSQL database.
func onBoth(t *testing.T, test func(t *testing.T, o sqlstore.Options)) {
	t.Run("SQLite", func(t *testing.T) { test(t, sqlstore.Options{Dir: t.TempDir(), Passwords: cheap}) })
	t.Run("PostgreSQL", func(t *testing.T) {
		test(t, sqlstore.Options{URL: postgrestest.Start(t).NewDatabase(t), Passwords: cheap})
	})
}
