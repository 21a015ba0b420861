package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

const (
	databaseFile = "signalbox.db"
	// busyTimeout is how long a statement waits for another process's transaction.
	busyTimeout = 10 * time.Second
	// openTimeout is how long Open waits for another process that is opening the same folder, migrations included.
	openTimeout = time.Minute
	// readers is how many connections read at once. Reads are short; more would only hold more page caches.
	readers = 4
)

// openSQLite opens the folder's database for writing, through one connection, and for reading, and migrates it. It makes
// what there is not, unless it must exist.
func openSQLite(ctx context.Context, dir string, mustExist bool) (write, read *sql.DB, err error) {
	if dir == "" {
		return nil, nil, errors.New("no data folder given")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, databaseFile)
	if mustExist {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, ErrNoDatabase
		} else if err != nil {
			return nil, nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	// Turning on the write-ahead log and migrating look first and act later. Those who open the folder take turns.
	unlock, err := lockFile(ctx, path+".lock", openTimeout)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	if err := createPrivate(path); err != nil {
		return nil, nil, err
	}

	write, err = open(path, 1, url.Values{"_txlock": {"immediate"}, "_journal_mode": {"WAL"}})
	if err != nil {
		return nil, nil, err
	}
	if err := migrate(ctx, write, goose.DialectSQLite3); err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	read, err = open(path, readers, url.Values{"_query_only": {"1"}})
	if err != nil {
		return nil, nil, errors.Join(err, write.Close())
	}
	return write, read, nil
}

// open makes a pool of at most size connections. It opens the first with the first query.
func open(path string, size int, params url.Values) (*sql.DB, error) {
	params.Set("_busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()))
	params.Set("_foreign_keys", "1")
	// What was answered is kept, through a power failure too: with the write-ahead log, NORMAL would keep the database
	// whole but might undo the last commits.
	params.Set("_synchronous", "FULL")
	params.Set("_dqs", "0") // A misspelt name in double quotes is an error, as in PostgreSQL, not a text.
	db, err := sql.Open("sqlite", dataSource(path, params))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// dataSource is a URI, because in a plain file name a question mark would begin the parameters.
func dataSource(path string, params url.Values) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // A path with a drive letter.
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: params.Encode()}).String()
}

// createPrivate makes an empty file for its owner alone, unless there is one: SQLite would make a file that others may
// read. The files that SQLite puts beside it get its mode. What exists keeps the mode that somebody may have given it.
func createPrivate(path string) error {
	// O_EXCL: a file that exists must not be opened here. When a process closes any of its descriptors of a file, POSIX
	// drops all locks that the process holds on it, also those of a store that is open.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// lockFile waits until no other process or goroutine holds the lock of that name, and takes it until release is called or
// the process ends. After wait it fails with an error that isBusy. The file is an empty database in an exclusive transaction: SQLite knows how to lock a file on
// every system, and to wait.
func lockFile(ctx context.Context, path string, wait time.Duration) (release func(), err error) {
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dataSource(path, url.Values{
		"_txlock":       {"exclusive"},
		"_busy_timeout": {fmt.Sprint(wait.Milliseconds())},
	}))
	if err != nil {
		return nil, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for another process to let go of the store: %w", err), db.Close())
	}
	return func() {
		// Nothing was written, so that neither can lose anything by failing.
		tx.Rollback()
		db.Close()
	}, nil
}
