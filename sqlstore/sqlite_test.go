package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"signalbox"
	"signalbox/sqlstore"
)

// direct opens the database past the store.
func direct(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "signalbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestFilesAreTheOwners(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no file modes")
	}
	dir := filepath.Join(t.TempDir(), "new", "data")
	s := open(t, sqlstore.Options{Dir: dir})
	if _, err := s.CreateUser(t.Context(), "ada", "password"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v, want 0700", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
		if info, err := file.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v, want 0600", file.Name(), info.Mode(), err)
		}
	}
	if want := []string{"signalbox.db", "signalbox.db-shm", "signalbox.db-wal", "signalbox.db.lock"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
}

// TestSchema shows that a new database has every migration, and that opening again adds none.
func TestSchema(t *testing.T) {
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	dir := t.TempDir()
	for range 2 {
		open(t, sqlstore.Options{Dir: dir})
		var applied int
		err := direct(t, dir).QueryRow(`SELECT COUNT(*) FROM goose_db_version WHERE version_id > 0`).Scan(&applied)
		if err != nil || applied != len(files) {
			t.Errorf("%d migrations applied, %v, want %d", applied, err, len(files))
		}
	}
	var mode string
	if err := direct(t, dir).QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %q, %v, want wal", mode, err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	o := sqlstore.Options{Dir: t.TempDir()}
	open(t, o)
	if _, err := direct(t, o.Dir).Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("Open = %v, want an error that asks for a newer program", err)
	}
}

// TestFailedOpenLetsGo shows that an Open that fails leaves no lock behind.
func TestFailedOpenLetsGo(t *testing.T) {
	o := sqlstore.Options{Dir: t.TempDir()}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sqlstore.Open(ctx, o); err == nil {
		t.Fatal("Open with a context that has ended did not fail")
	}
	open(t, o)
}

// TestTwoStores writes through two stores that are open on one folder at once.
func TestTwoStores(t *testing.T) {
	dir := t.TempDir()
	stores := []*sqlstore.Store{open(t, sqlstore.Options{Dir: dir}), open(t, sqlstore.Options{Dir: dir})}
	if _, err := stores[0].CreateUser(t.Context(), "ada", "password"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if err := write(t.Context(), stores[i%2]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	checkWritten(t, stores[0], 4)
}

// TestTwoProcesses lets processes make the database together and then write to it at once.
func TestTwoProcesses(t *testing.T) {
	if dir := os.Getenv("SQLSTORE_TEST_WRITE_TO"); dir != "" {
		// This is one of the processes.
		s := open(t, sqlstore.Options{Dir: dir})
		if _, err := s.CreateUser(t.Context(), "ada", "password"); err != nil && !errors.Is(err, signalbox.ErrConflict) {
			t.Fatal(err)
		}
		if err := write(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestTwoProcesses$")
			cmd.Env = append(os.Environ(), "SQLSTORE_TEST_WRITE_TO="+dir)
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
	wg.Wait()
	checkWritten(t, open(t, sqlstore.Options{Dir: dir}), 3)
}

const writes = 50

// write stores notifications for ada and moves an order.
func write(ctx context.Context, s *sqlstore.Store) error {
	for i := range writes {
		if _, err := s.Notify(ctx, []string{"ada"}, signalbox.NotificationMessage{Title: "t"}); err != nil {
			return err
		}
		if _, _, err := s.ChangeOrder(ctx, signalbox.OrderChange{ID: "1", OwnerID: "ada", Progress: new(i % 2)}); err != nil {
			return err
		}
	}
	return nil
}

// checkWritten checks what so many writers wrote together.
func checkWritten(t *testing.T, s *sqlstore.Store, writers int) {
	t.Helper()
	list, err := s.Notifications(t.Context(), "ada", 0, writers*writes+1)
	if err != nil || len(list) != writers*writes {
		t.Fatalf("%d notifications, %v, want %d", len(list), err, writers*writes)
	}
	for i, n := range list {
		if want := int64(len(list) - i); n.Sequence != want {
			t.Fatalf("sequence %d at place %d from the newest, want %d", n.Sequence, i, want)
		}
	}
	order, err := s.Order(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	history, _, err := s.History(t.Context(), "1", 1000)
	if err != nil || int64(len(history)) != order.Version {
		t.Errorf("%d events, %v, for version %d", len(history), err, order.Version)
	}
}
