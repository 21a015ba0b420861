package sqlstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox"
)

// keyPrefix makes an API key known for one wherever it leaks to.
const keyPrefix = "sbk_"

// keyBytes is how many random bytes a key has: too many to guess, so that a fast hash protects it.
const keyBytes = 32

// CreateAPIKey implements [signalbox.UserService]. The secret is sbk_ and 32 random bytes in unpadded base64url.
func (s *Store) CreateAPIKey(ctx context.Context, name string) (key signalbox.APIKey, secret string, err error) {
	if err := signalbox.ValidateName("name", name); err != nil {
		return signalbox.APIKey{}, "", err
	}
	random := make([]byte, keyBytes)
	rand.Read(random) // Never fails.
	secret = keyPrefix + base64.RawURLEncoding.EncodeToString(random)
	key = signalbox.APIKey{ID: newID(), Name: name, CreatedAt: now()}
	_, err = s.write.ExecContext(ctx, `INSERT INTO api_keys (id, name, secret_hash, created_at) VALUES ($1, $2, $3, $4)`,
		key.ID, key.Name, digest(secret), key.CreatedAt.UnixMicro())
	if err != nil {
		return signalbox.APIKey{}, "", fmt.Errorf("creating API key %q: %w", name, err)
	}
	return key, secret, nil
}

// AuthenticateKey implements [signalbox.UserService].
func (s *Store) AuthenticateKey(ctx context.Context, secret string) (signalbox.APIKey, error) {
	if !strings.HasPrefix(secret, keyPrefix) {
		return signalbox.APIKey{}, signalbox.ErrUnauthenticated
	}
	var key signalbox.APIKey
	var createdAt int64
	var used sql.Null[int64]
	// The comparison inside the database may be timed, but who sends a secret cannot choose its hash.
	err := s.read.QueryRowContext(ctx, `SELECT id, name, created_at, last_used_at FROM api_keys WHERE secret_hash = $1`, digest(secret)).
		Scan(&key.ID, &key.Name, &createdAt, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return signalbox.APIKey{}, signalbox.ErrUnauthenticated
	}
	if err != nil {
		return signalbox.APIKey{}, fmt.Errorf("reading an API key: %w", err)
	}
	key.CreatedAt = fromMicros(createdAt)
	s.noteUse(ctx, key.ID, used)
	return key, nil
}

// useNoted is how long the use of a key is not noted again, so that requests do not write for it.
const useNoted = time.Minute

// noteUse notes that a key is used, if that was not noted lately. What fails is not worth failing a request for, which
// meets the same database next.
func (s *Store) noteUse(ctx context.Context, id string, last sql.Null[int64]) {
	at := now()
	if last.Valid && at.Sub(fromMicros(last.V)) < useNoted {
		return
	}
	_, _ = s.write.ExecContext(ctx, `
		UPDATE api_keys SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $3)`,
		at.UnixMicro(), id, at.Add(-useNoted).UnixMicro())
}

// APIKeys implements [signalbox.Administration].
func (s *Store) APIKeys(ctx context.Context) ([]signalbox.APIKey, error) {
	keys, err := collect(ctx, s.read, func(sc scanner) (key signalbox.APIKey, err error) {
		var createdAt int64
		var used sql.Null[int64]
		err = sc.Scan(&key.ID, &key.Name, &createdAt, &used)
		key.CreatedAt, key.LastUsedAt = fromMicros(createdAt), timeOrNil(used)
		return key, err
	}, `SELECT id, name, created_at, last_used_at FROM api_keys ORDER BY created_at, id`)
	if err != nil {
		return nil, fmt.Errorf("reading the API keys: %w", err)
	}
	return keys, nil
}

// RevokeAPIKey implements [signalbox.Administration]. Keys are looked up in the database for every request, so that
// nothing else has to be told.
func (s *Store) RevokeAPIKey(ctx context.Context, id string) (signalbox.APIKey, error) {
	var key signalbox.APIKey
	var createdAt int64
	var used sql.Null[int64]
	err := s.write.QueryRowContext(ctx, `DELETE FROM api_keys WHERE id = $1 RETURNING id, name, created_at, last_used_at`, id).
		Scan(&key.ID, &key.Name, &createdAt, &used)
	if errors.Is(err, sql.ErrNoRows) {
		err = signalbox.ErrNotFound
	}
	if err != nil {
		return signalbox.APIKey{}, fmt.Errorf("revoking API key %q: %w", id, err)
	}
	key.CreatedAt, key.LastUsedAt = fromMicros(createdAt), timeOrNil(used)
	return key, nil
}

// digest is what is kept of a random secret: enough to know it again.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// newID returns an id that cannot be guessed: at least 128 random bits in base32.
func newID() string { return rand.Text() }
