// Package sqlstore keeps the domain's data in an SQL database: SQLite in a local folder, without cgo, or PostgreSQL. It
// implements the domain's services and the store of the sign-in sessions, one file per subject. What every store must
// do is written down as a test suite in sqlstore/storetest.
//
// The SQL is kept to what SQLite and PostgreSQL share, so that one set of queries and migrations serves both; where
// they must differ a method of [Store] in dialect.go says how. Times are stored as microseconds since 1970 in UTC, and
// whatever a method returns has been cut to that, so that it equals what is read later.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"signalbox"
)

// Options say where a store keeps its data and what it must know of the server's configuration.
type Options struct {
	// URL names a PostgreSQL database, as in postgres://user:password@host:5432/signalbox. Empty means SQLite in Dir.
	URL string
	// Dir is the data folder; it is made, for its owner alone, when it does not exist. The database is the file
	// signalbox.db in it. Required without URL, and not used with it.
	Dir string
	// MustExist has Open fail with [ErrNoDatabase], and make nothing, where there is no database of this program yet.
	MustExist bool
	// Topics are the topics that exist and who may hear them. They must not be changed while the store is open.
	Topics signalbox.Topics
	// Passwords is what hashing passwords may cost; zero fields have defaults.
	Passwords PasswordCost
}

// Store is a database that is open. Its methods may be called by any number of goroutines at once. Several stores,
// also in several processes on one machine, may be open on one folder, and any number anywhere on one PostgreSQL
// database.
type Store struct {
	// With PostgreSQL both are the same pool. SQLite lets one connection write at a time. The others would wait by
	// sleeping and trying again, which is slow and unfair; so all writes of this process queue in Go for the one
	// connection of write. Its transactions begin with BEGIN IMMEDIATE: one that begins by reading and is overtaken by
	// another process would otherwise fail with SQLITE_BUSY at once when it comes to write, however long it may wait.
	// With the write-ahead log the connections of read see the last commit and never wait for a writer.
	write, read *sql.DB
	writer      *writer              // commits transactions together; nil with PostgreSQL
	prepared    map[string]*sql.Stmt // the frequent statements on write; none with PostgreSQL
	dialect     dialect
	topics      signalbox.Topics
	passwords   *passwordHasher
	changed     chan struct{} // receives when a transaction has added events
	publishing  publishingLock
	inFlight    inFlight
}

var (
	_ signalbox.UserService         = (*Store)(nil)
	_ signalbox.NotificationService = (*Store)(nil)
	_ signalbox.TopicService        = (*Store)(nil)
	_ signalbox.OrderService        = (*Store)(nil)
	_ signalbox.Outbox              = (*Store)(nil)
	_ signalbox.Administration      = (*Store)(nil)
)

// ErrNoDatabase says that there is no database where Options.MustExist wants one.
var ErrNoDatabase = errors.New("there is no database")

// Open opens the database, makes it when there is none, and brings its schema up to date. It refuses topics that do
// not pass [signalbox.Topics.Validate], and a database whose schema is newer than this program. Close the store when
// nothing uses it any more.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := o.Topics.Validate(); err != nil {
		return nil, err
	}
	passwords, err := newPasswordHasher(o.Passwords)
	if err != nil {
		return nil, err
	}
	s := &Store{topics: o.Topics, passwords: passwords, changed: make(chan struct{}, 1)}
	if o.URL != "" {
		s.dialect = postgres
		s.write, err = openPostgres(ctx, o.URL, o.MustExist)
		s.read = s.write
		if err != nil {
			return nil, fmt.Errorf("opening the PostgreSQL database: %w", err)
		}
		return s, nil
	}
	if s.write, s.read, err = openSQLite(ctx, o.Dir, o.MustExist); err != nil {
		return nil, fmt.Errorf("opening the store in %q: %w", o.Dir, err)
	}
	if s.prepared, err = prepare(ctx, s.write); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing statements: %w", err), s.read.Close(), s.write.Close())
	}
	s.writer = startWriter(s)
	s.publishing = newPublishingLock(filepath.Join(o.Dir, publishingFile))
	return s, nil
}

// Close waits for the queries that are under way and closes the database.
func (s *Store) Close() error {
	s.publishing.release()
	s.writer.close()
	if s.read == s.write {
		return s.write.Close()
	}
	// The writer goes last: the last connection to go folds the write-ahead log into the database, and a reader may not.
	return errors.Join(s.read.Close(), s.write.Close())
}

// snapshot runs do in a transaction that only reads and sees the database as it is at one moment.
func (s *Store) snapshot(ctx context.Context, do func(q querier) error) error {
	var o *sql.TxOptions
	if s.dialect == postgres { // In SQLite every transaction is like that.
		o = &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	tx, err := s.read.BeginTx(ctx, o)
	if err != nil {
		return fmt.Errorf("beginning to read: %w", err)
	}
	defer tx.Rollback() // Nothing was written.
	return do(tx)
}

// querier is what a *sql.DB and a *sql.Tx have in common for reading.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is what a *sql.Row and *sql.Rows have in common.
type scanner interface {
	Scan(dest ...any) error
}

// collect runs a query and scans each of its rows.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// now is the time as a row can hold it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// fromMicros is the time that a row holds.
func fromMicros(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
