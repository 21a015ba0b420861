package sqlstore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// Sessions keeps sign-in sessions. It is a CtxStore of github.com/alexedwards/scs/v2. A token is stored as its hash
// only, so that who reads the database cannot take over a session.
type Sessions struct{ store *Store }

// Sessions returns the store's sessions; they are usable as long as the store is open.
func (s *Store) Sessions() *Sessions { return &Sessions{store: s} }

// FindCtx returns what is stored under the token, and found false when there is nothing or it has expired.
func (s *Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	var text string
	err = s.store.read.QueryRowContext(ctx, `SELECT data FROM sessions WHERE token_hash = $1 AND expires_at > $2`,
		digest(token), now().UnixMicro()).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err == nil {
		data, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading a session: %w", err)
	}
	return data, true, nil
}

// CommitCtx stores data under the token until expiry, in place of what may be there.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_, err := s.store.write.ExecContext(ctx, `
		INSERT INTO sessions (token_hash, data, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT (token_hash) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at`,
		digest(token), base64.StdEncoding.EncodeToString(data), expiry.UnixMicro())
	if err != nil {
		return fmt.Errorf("storing a session: %w", err)
	}
	return nil
}

// DeleteCtx removes what is stored under the token, if anything is.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	if _, err := s.store.write.ExecContext(ctx, `DELETE FROM sessions WHERE token_hash = $1`, digest(token)); err != nil {
		return fmt.Errorf("deleting a session: %w", err)
	}
	return nil
}

// Find is FindCtx without a context; scs calls it only where it has none.
func (s *Sessions) Find(token string) (data []byte, found bool, err error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (s *Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a context.
func (s *Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// DeleteExpiredSessions removes the sessions that have expired, which nobody can find any more, and says how many.
func (s *Store) DeleteExpiredSessions(ctx context.Context) (int64, error) {
	result, err := s.write.ExecContext(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, now().UnixMicro())
	if err != nil {
		return 0, fmt.Errorf("deleting expired sessions: %w", err)
	}
	return result.RowsAffected()
}
