package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// insertKey is a change that stores something under a name.
func insertKey(name string) func(tx *tx) error {
	return func(tx *tx) error {
		_, err := tx.ExecContext(context.Background(),
			`INSERT INTO api_keys (id, name, secret_hash, created_at) VALUES ($1, $1, $1, 0)`, name)
		return err
	}
}

var errOwn = errors.New("its own failure")

// TestSharedCommit runs changes in one transaction: each is stored, or not, as if it were alone.
func TestSharedCommit(t *testing.T) {
	hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for name, row := range map[string]struct {
		odd  func(tx *tx) error // what one of three does, between the others
		want error              // of that one
		kept bool               // whether that one's is stored
	}{
		"all do well": {insertKey("odd"), nil, true},
		"one fails": {func(tx *tx) error {
			return errors.Join(insertKey("odd")(tx), errOwn)
		}, errOwn, false},
		"one ends the transaction": {func(tx *tx) error {
			_, err := tx.Tx.ExecContext(t.Context(), `ROLLBACK`)
			return errors.Join(insertKey("odd")(tx), err, errOwn)
		}, errOwn, true}, // as if it were alone: what it does behind the end stays
		"one is interrupted": {func(tx *tx) error {
			_, err := tx.ExecContext(hurried, `
				INSERT INTO api_keys (id, name, secret_hash, created_at)
				WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'odd' || i, '', i, 0 FROM n`)
			return err
		}, context.DeadlineExceeded, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var group []*change
			for _, do := range []func(tx *tx) error{insertKey("first"), row.odd, insertKey("last")} {
				group = append(group, &change{
					do: do, alone: func() error { return s.tryTx(t.Context(), do) }, done: make(chan error, 1),
				})
			}
			s.writer.commit(group)
			for i, want := range []error{nil, row.want, nil} {
				if err := <-group[i].done; !errors.Is(err, want) {
					t.Errorf("change %d: got %v, want %v", i, err, want)
				}
			}
			var others, odd int
			err = s.read.QueryRow(`SELECT COUNT(*) FILTER (WHERE id IN ('first', 'last')), COUNT(*) FILTER (WHERE id LIKE 'odd%')
				FROM api_keys`).Scan(&others, &odd)
			if err != nil || others != 2 || odd > 0 != row.kept {
				t.Errorf("%d of the 2 others are stored, and %d of the odd one, %v", others, odd, err)
			}
		})
	}
}

// TestSharedCommitFails: nobody is told that a change is stored when the commit has failed, and none is stored.
func TestSharedCommitFails(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	lasting := func(tx *tx) error {
		// What is checked when the transaction is committed makes that fail.
		_, err := tx.Tx.ExecContext(t.Context(), `PRAGMA defer_foreign_keys = 1`)
		if err == nil {
			_, err = tx.ExecContext(t.Context(), `INSERT INTO subscriptions (topic, user_id) VALUES ('news', 'nobody')`)
		}
		return err
	}
	var group []*change
	for i, do := range []func(tx *tx) error{insertKey("first"), lasting, insertKey("last")} {
		group = append(group, &change{
			do: do, alone: func() error { return fmt.Errorf("change %d was tried again", i) }, done: make(chan error, 1),
		})
	}
	s.writer.commit(group)
	for i, c := range group {
		if err := <-c.done; err == nil {
			t.Errorf("change %d has passed for stored", i)
		}
	}
	var n int
	if err := s.read.QueryRow(`SELECT COUNT(*) FROM api_keys`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d are stored, %v", n, err)
	}
	if err := s.inTx(t.Context(), insertKey("next")); err != nil {
		t.Errorf("the next change: %v", err)
	}
}

// TestWaitingChanges: those that come while one is under way are committed as one.
func TestWaitingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		finish := make(chan struct{})
		errs := make(chan error)
		go func() {
			errs <- s.inTx(t.Context(), func(*tx) error {
				<-finish
				return nil
			})
		}()
		synctest.Wait()
		const many = 10
		transactions := make(map[*sql.Tx]int) // the writer's goroutine alone runs changes
		for i := range many {
			go func() {
				errs <- s.inTx(t.Context(), func(tx *tx) error {
					transactions[tx.Tx]++
					return insertKey(fmt.Sprint(i))(tx)
				})
			}()
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.inTx(gone, insertKey("gone")); !errors.Is(err, context.Canceled) {
			t.Errorf("who is gone before its turn has come: got %v, want %v", err, context.Canceled)
		}
		synctest.Wait()
		close(finish)
		for range 1 + many {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		var n int
		if err := s.read.QueryRow(`SELECT COUNT(*) FROM api_keys`).Scan(&n); err != nil || n != many {
			t.Errorf("%d of %d are stored, %v", n, many, err)
		}
		if len(transactions) != 1 {
			t.Errorf("they took %d transactions, want 1", len(transactions))
		}
	})
}

// TestPanicInChange: it is an error of that change, and nothing else comes to harm.
func TestPanicInChange(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.inTx(t.Context(), func(*tx) error { panic("a bug") }); err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("got %v, want the panic as an error", err)
	}
	if err := s.inTx(t.Context(), insertKey("next")); err != nil {
		t.Errorf("the next change: %v", err)
	}
}
