package sqlstore

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// PasswordCost is what one argon2id hash costs, and how many may be computed at once. Zero fields have defaults. A
// hash carries its own cost: passwords that were stored at another cost stay valid.
type PasswordCost struct {
	// Memory of one hash, in KiB; 19456 when 0.
	Memory uint32
	// Time is the number of passes over the memory; 2 when 0.
	Time uint32
	// Threads is how many threads one hash may use; 1 when 0.
	Threads uint8
	// Concurrent is how many hashes are computed at once, so that a flood of sign-ins takes Concurrent × Memory and no
	// more; the others wait until their context ends. The number of CPUs that Go may use when 0.
	Concurrent int
}

func (c PasswordCost) withDefaults() PasswordCost {
	// The first recommendation of OWASP's Password Storage Cheat Sheet after the one with 46 MiB, which is too much
	// for small machines; it takes 20 to 40 ms of one CPU.
	if c.Memory == 0 {
		c.Memory = 19 << 10
	}
	if c.Time == 0 {
		c.Time = 2
	}
	if c.Threads == 0 {
		c.Threads = 1
	}
	if c.Concurrent == 0 {
		c.Concurrent = runtime.GOMAXPROCS(0)
	}
	return c
}

const (
	saltBytes = 16
	hashBytes = 32
)

// passwordHasher hashes and verifies passwords. It may be used by any number of goroutines.
type passwordHasher struct {
	cost PasswordCost
	// slots holds a value for each hash that is being computed.
	slots chan struct{}
	// nobody is a hash at this cost that no password is known for.
	nobody string
}

func newPasswordHasher(cost PasswordCost) (*passwordHasher, error) {
	if cost.Concurrent < 0 {
		return nil, errors.New("the number of passwords hashed at once must not be negative")
	}
	cost = cost.withDefaults()
	return &passwordHasher{
		cost:   cost,
		slots:  make(chan struct{}, cost.Concurrent),
		nobody: encodeHash(cost, make([]byte, saltBytes), make([]byte, hashBytes)),
	}, nil
}

// hash returns the password's hash with its cost and a new salt, in the PHC string format:
// $argon2id$v=19$m=…,t=…,p=…$salt$hash.
func (h *passwordHasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // Never fails.
	key, err := h.key(ctx, password, salt, h.cost, hashBytes)
	if err != nil {
		return "", err
	}
	return encodeHash(h.cost, salt, key), nil
}

// verify says whether the password is that of the hash, taking as long either way.
func (h *passwordHasher) verify(ctx context.Context, hash, password string) (bool, error) {
	cost, salt, want, err := decodeHash(hash)
	if err != nil {
		return false, err
	}
	got, err := h.key(ctx, password, salt, cost, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// key waits for its turn and computes argon2id.
func (h *passwordHasher) key(ctx context.Context, password string, salt []byte, cost PasswordCost, size uint32) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to hash a password: %w", context.Cause(ctx))
	}
	return argon2.IDKey([]byte(password), salt, cost.Time, cost.Memory, cost.Threads, size), nil
}

func encodeHash(cost PasswordCost, salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, cost.Memory, cost.Time, cost.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

func decodeHash(hash string) (cost PasswordCost, salt, key []byte, err error) {
	fields := strings.Split(hash, "$")
	if len(fields) != 6 || fields[0] != "" || fields[1] != "argon2id" || fields[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return cost, nil, nil, errors.New("a stored password hash is not argon2id in the PHC format")
	}
	_, err = fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &cost.Memory, &cost.Time, &cost.Threads)
	if err == nil && (cost.Time == 0 || cost.Threads == 0) {
		err = errors.New("time and threads must not be 0")
	}
	if err == nil {
		salt, err = base64.RawStdEncoding.DecodeString(fields[4])
	}
	if err == nil {
		key, err = base64.RawStdEncoding.DecodeString(fields[5])
	}
	if err == nil && len(key) == 0 {
		err = errors.New("the hash is empty")
	}
	if err != nil {
		return cost, nil, nil, fmt.Errorf("a stored password hash: %w", err)
	}
	return cost, salt, key, nil
}
