//go:build unix

package sqlstore_test

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox"
	"signalbox/sqlstore"
	"signalbox/sqlstore/postgrestest"
)

// TestIsolation: a store works whatever isolation the database's transactions have by default.
func TestIsolation(t *testing.T) {
	server := postgrestest.Start(t)
	for _, level := range []string{"repeatable read", "serializable"} {
		t.Run(level, func(t *testing.T) {
			u, err := url.Parse(server.NewDatabase(t))
			if err != nil {
				t.Fatal(err)
			}
			query := u.Query()
			query.Set("default_transaction_isolation", level)
			u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // which is how a blank is read
			s := open(t, sqlstore.Options{URL: u.String()})
			if _, err := s.CreateUser(t.Context(), "ada", "password"); err != nil {
				t.Fatal(err)
			}
			var storing sync.WaitGroup
			for range 16 {
				storing.Go(func() {
					for range 5 {
						if _, err := s.Notify(t.Context(), []string{"ada"}, signalbox.NotificationMessage{Title: "t"}); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			storing.Wait()
		})
	}
}

// overtaken runs statements in a transaction, and commits them when do waits for it.
func overtaken(t *testing.T, databaseURL string, do func() error, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- do() }()
	for waiting := 0; waiting == 0; {
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
		err := db.QueryRowContext(ctx, `
			SELECT COUNT(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestOrderGivenAwayMeanwhile: an order's status is told to whoever has it when that is stored, not to who had it.
func TestOrderGivenAwayMeanwhile(t *testing.T) {
	databaseURL := postgrestest.Start(t).NewDatabase(t)
	s := open(t, sqlstore.Options{URL: databaseURL})
	for _, user := range []string{"ada", "grace"} {
		if _, err := s.CreateUser(t.Context(), user, "password"); err != nil {
			t.Fatal(err)
		}
	}
	_, order, err := s.ChangeOrder(t.Context(), signalbox.OrderChange{ID: "1", OwnerID: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	overtaken(t, databaseURL, func() error {
		n, ok, err := s.AnnounceOrder(t.Context(), order, signalbox.NotificationMessage{Title: "t"})
		if !ok || n.UserID != "grace" {
			t.Errorf("AnnounceOrder = %+v, %t, want it for grace", n, ok)
		}
		return err
	}, `UPDATE orders SET owner_id = 'grace', version = version + 1 WHERE id = '1'`)
}

// TestSubscriberRemovedMeanwhile: that one of a topic's subscribers goes keeps nothing from the others.
func TestSubscriberRemovedMeanwhile(t *testing.T) {
	databaseURL := postgrestest.Start(t).NewDatabase(t)
	s := open(t, sqlstore.Options{URL: databaseURL, Topics: signalbox.Topics{"news": {Everyone: true}}})
	for _, user := range []string{"ada", "grace"} {
		if _, err := s.CreateUser(t.Context(), user, "password"); err != nil {
			t.Fatal(err)
		}
		if err := s.Subscribe(t.Context(), user, "news"); err != nil {
			t.Fatal(err)
		}
	}
	overtaken(t, databaseURL, func() error {
		stored, err := s.NotifyTopic(t.Context(), "news", signalbox.NotificationMessage{Title: "t"})
		if err == nil && (len(stored) != 1 || stored[0].UserID != "grace") {
			t.Errorf("NotifyTopic = %+v, want one for grace", stored)
		}
		return err
	}, `DELETE FROM outbox WHERE user_id = 'ada'`, `DELETE FROM subscriptions WHERE user_id = 'ada'`,
		`DELETE FROM inboxes WHERE user_id = 'ada'`, `DELETE FROM users WHERE id = 'ada'`)
}
