package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Backup copies the database, as it is at one moment, to a file that must not exist, for its owner alone. Others may go
// on writing. It fails on PostgreSQL, which has tools of its own.
func (s *Store) Backup(ctx context.Context, file string) (err error) {
	if s.dialect == postgres {
		return errors.New("backing up: the data is in PostgreSQL: use pg_dump")
	}
	// SQLite would write to an empty file too; so this one cannot be somebody else's.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("backing up: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("backing up: %w", errors.Join(err, os.Remove(file)))
		}
	}()
	if err := f.Close(); err != nil {
		return err
	}
	// Not one of the connections for reading: those may not write, to whatever file.
	if _, err = s.write.ExecContext(ctx, `VACUUM INTO $1`, file); err != nil {
		return err
	}
	// What SQLite has written is the system's to write to the disk.
	if f, err = os.OpenFile(file, os.O_RDWR, 0); err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// SchemaVersion returns the number of the last migration.
func (s *Store) SchemaVersion(ctx context.Context) (int64, error) {
	var version int64
	err := s.read.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version WHERE is_applied`).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("reading the schema's version: %w", err)
	}
	return version, nil
}
