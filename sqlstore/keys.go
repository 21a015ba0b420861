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
	// The comparison inside the database may be timed, but who sends a secret cannot choose its hash.
	err := s.read.QueryRowContext(ctx, `SELECT id, name, created_at FROM api_keys WHERE secret_hash = $1`, digest(secret)).
		Scan(&key.ID, &key.Name, &createdAt)
	if errors.Is(err, sql.ErrNoRows) {
		return signalbox.APIKey{}, signalbox.ErrUnauthenticated
	}
	if err != nil {
		return signalbox.APIKey{}, fmt.Errorf("reading an API key: %w", err)
	}
	key.CreatedAt = fromMicros(createdAt)
	return key, nil
}

// digest is what is kept of a random secret: enough to know it again.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// newID returns an id that cannot be guessed: at least 128 random bits in base32.
func newID() string { return rand.Text() }
