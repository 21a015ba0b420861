package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

// mostTries is how often a transaction is tried that PostgreSQL has ended because of another.
const mostTries = 5

// tx is a transaction that writes.
type tx struct {
	*sql.Tx
	store *Store
	// events says that it has added events to the outbox.
	events bool
}

// ExecContext is that of [sql.Tx], with a statement that is prepared already if it is one of the frequent ones.
func (t *tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := t.store.prepared[query]; stmt != nil {
		return t.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

// QueryRowContext is that of [sql.Tx], like ExecContext.
func (t *tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := t.store.prepared[query]; stmt != nil {
		return t.StmtContext(ctx, stmt).QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, query, args...)
}

// inTx runs do in a transaction, which is committed when do returns nil and otherwise rolled back. When the database
// says that two transactions got into each other's way, do runs again: it must set what it leaves outside anew. On
// SQLite it runs in another goroutine, and may share its transaction with others, see [writer].
func (s *Store) inTx(ctx context.Context, do func(tx *tx) error) error {
	if s.writer != nil {
		return s.writer.do(ctx, do)
	}
	for try := 1; ; try++ {
		err := s.tryTx(ctx, do)
		if err == nil || try == mostTries || !isConflict(err) || ctx.Err() != nil {
			return err
		}
	}
}

func (s *Store) tryTx(ctx context.Context, do func(tx *tx) error) error {
	var o *sql.TxOptions
	if s.dialect == postgres {
		// Whatever the server's default is: who has waited for a lock must see what the one before has stored.
		o = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	begun, err := s.write.BeginTx(ctx, o)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer begun.Rollback() // Does nothing after Commit.
	t := &tx{Tx: begun, store: s}
	if err := do(t); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("committing a transaction: %w", err)
	}
	if t.events {
		s.signal()
	}
	return nil
}
