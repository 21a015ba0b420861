package sqlstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// dialect is the kind of database, for the few things that the two do differently.
type dialect int

const (
	sqlite dialect = iota
	postgres
)

// forUpdate ends a SELECT that locks the rows it reads until the transaction ends. In SQLite a transaction that may
// write is alone from its beginning.
func (d dialect) forUpdate() string {
	if d == postgres {
		return ` FOR UPDATE`
	}
	return ``
}

// lockName makes transactions that lock the same name wait for each other, for what has no row to lock yet.
func (s *Store) lockName(ctx context.Context, tx *tx, name string) error {
	if s.dialect != postgres {
		return nil
	}
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, name)
	return err
}

// isConflict says that PostgreSQL has ended a transaction because of another and that it may do well the next time:
// serialization_failure and deadlock_detected.
func isConflict(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pgErr.Code == "40001" || pgErr.Code == "40P01")
}

// isLockTimeout says that PostgreSQL has waited for a lock for longer than lock_timeout: lock_not_available.
func isLockTimeout(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == "55P03"
}
