package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	// connections is how many connections to PostgreSQL a store holds at most.
	connections = 20
	// connectTimeout is how long connecting may take, where the URL does not say.
	connectTimeout = 10 * time.Second
	// connectionLifetime is how long a connection is used: after that of a server that was exchanged behind a name.
	connectionLifetime = 30 * time.Minute
)

// openPostgres opens the database that url names, and migrates it, from nothing unless it must exist.
func openPostgres(ctx context.Context, url string, mustExist bool) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// What is wrong is in the URL, and so might be a password, which the error must not tell.
		return nil, errors.New("the database's URL cannot be read: want postgres://user:password@host:5432/name")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "signalbox"
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxLifetime(connectionLifetime)
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to %s:%d: %w", config.Host, config.Port, err), db.Close())
	}
	if mustExist {
		var exists bool
		err := db.QueryRowContext(ctx, `SELECT to_regclass('users') IS NOT NULL AND to_regclass('inboxes') IS NOT NULL`).Scan(&exists)
		if err == nil && !exists {
			err = ErrNoDatabase
		}
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	if err := migrate(ctx, db, goose.DialectPostgres); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}
