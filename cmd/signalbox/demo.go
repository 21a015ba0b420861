package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"signalbox"
	"signalbox/sqlstore"
)

// The accounts of a demonstration. Their password is known to everybody, so that they exist on a loopback address alone.
const demoPassword = "demo"

var demoUsers = []struct {
	name   string
	roles  []string
	orders []string
}{
	{"demo", nil, []string{"1001", "1002", "1003"}},
	{"demo2", []string{"staff"}, []string{"2001", "2002"}},
}

// demoTopics are the topics of a demonstration, besides those that are configured.
var demoTopics = signalbox.Topics{
	"news":  {Everyone: true},
	"staff": {Roles: []string{"staff"}},
}

// requireLoopback refuses addresses that others can reach.
func requireLoopback(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("--listen %q: %w", listen, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--demo makes accounts whose password everybody knows, and so listens on a loopback address only, not on %q", listen)
}

// prepareDemo makes the accounts that are missing and returns an API key, the same one at every start.
func prepareDemo(ctx context.Context, store *sqlstore.Store, dir string) (key string, err error) {
	for _, u := range demoUsers {
		if _, err := store.CreateUser(ctx, u.name, demoPassword, u.roles...); err != nil && !errors.Is(err, signalbox.ErrConflict) {
			return "", fmt.Errorf("making the demo account %q: %w", u.name, err)
		}
	}
	file := filepath.Join(dir, "demo-api-key")
	if b, err := os.ReadFile(file); err == nil {
		key = strings.TrimSpace(string(b))
		if _, err := store.AuthenticateKey(ctx, key); err == nil {
			return key, nil
		} else if !errors.Is(err, signalbox.ErrUnauthenticated) {
			return "", err
		}
	}
	if _, key, err = store.CreateAPIKey(ctx, "demo"); err != nil {
		return "", fmt.Errorf("making the demo API key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil { // With PostgreSQL nothing else is in it.
		return "", err
	}
	return key, os.WriteFile(file, []byte(key+"\n"), 0o600)
}
