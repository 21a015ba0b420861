//go:build unix

package torture

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/presence/presencetest"
	"signalbox/sqlstore"
	"signalbox/sqlstore/postgrestest"
)

// farm is what is tortured: one server with SQLite; or several with PostgreSQL and Redis, behind a balancer.
type farm struct {
	url      string // where clients and publishers go
	nodes    []*node
	redis    *presencetest.Redis  // nil with one server
	postgres *postgrestest.Server // nil with one server
	key      string               // for the REST API
	users    []string
	cookies  map[string]string // of the users, who have signed in
}

// startFarm makes users and starts servers, which end with the test.
func startFarm(t *testing.T, nodes, users int, flags ...string) *farm {
	t.Helper()
	program, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	f := &farm{cookies: map[string]string{}}
	dir := t.TempDir()
	store := sqlstore.Options{Dir: dir, Passwords: sqlstore.PasswordCost{Memory: 64, Time: 1}} // they guard nothing
	command := append([]string{program, "serve", "--data", dir, "--log-level", "warn", "--order-interval", "1h"}, flags...)
	if nodes > 1 {
		f.postgres, f.redis = postgrestest.Start(t), presencetest.StartRedis(t)
		store.URL = f.postgres.NewDatabase(t)
		keys := filepath.Join(dir, "keys")
		if err := os.WriteFile(keys, []byte("1 "+rand.Text()+rand.Text()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		command = append(command, "--database-url", store.URL, "--redis-url", f.redis.URL, "--farm-key-file", keys)
	}
	if err := f.prepare(t.Context(), store, users); err != nil {
		t.Fatal(err)
	}
	for i := range nodes {
		n := &node{name: fmt.Sprint(i + 1)}
		var internal string
		if n.address, err = freeAddress(); err == nil {
			internal, err = freeAddress()
		}
		if err != nil {
			t.Fatal(err)
		}
		n.command = append(command[:len(command):len(command)], "--listen", n.address)
		if nodes > 1 {
			n.command = append(n.command, "--internal-listen", internal)
		}
		f.nodes = append(f.nodes, n)
		t.Cleanup(n.kill)
		if err := n.start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.url = "http://" + f.nodes[0].address
	if nodes > 1 {
		b := newBalancer(f.nodes)
		t.Cleanup(b.close)
		f.url = b.web.URL
	}
	if err := ready(t.Context(), f.url); err != nil {
		t.Fatal(err)
	}
	if err := f.signIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// prepare makes the users, whose passwords are their names, and a key.
func (f *farm) prepare(ctx context.Context, o sqlstore.Options, users int) (err error) {
	store, err := sqlstore.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for i := range users {
		name := fmt.Sprintf("user%d", i)
		u, err := store.CreateUser(ctx, name, name)
		if err != nil {
			return err
		}
		f.users = append(f.users, u.ID)
	}
	_, f.key, err = store.CreateAPIKey(ctx, "torture")
	return err
}

// signIn gets each user a cookie.
func (f *farm) signIn(ctx context.Context) error {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       startLimit,
	}
	for _, user := range f.users {
		form := url.Values{"name": {user}, "password": {user}}.Encode()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+"/signin", strings.NewReader(form))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("signing in as %s: %w", user, err)
		}
		_ = res.Body.Close()
		if len(res.Cookies()) == 0 {
			return fmt.Errorf("signing in as %s was answered %s", user, res.Status)
		}
		f.cookies[user] = res.Cookies()[0].Name + "=" + res.Cookies()[0].Value
	}
	return nil
}

// clients returns clients, two of each user, which use all transports in turn.
func (f *farm) clients(n int) []options {
	var list []options
	for i := range n {
		user, way := f.users[i/2], ways[i%len(ways)]
		list = append(list, options{
			Name: fmt.Sprintf("client %d", i), User: user, Cookie: f.cookies[user], Transport: way[0], Protocol: way[1],
		})
	}
	return list
}

// ready returns when all servers are, or have been since this began.
func (f *farm) ready(ctx context.Context) error {
	for _, n := range f.nodes {
		if err := n.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// waitUntil polls until done says yes, and says whether it did within the limit.
func waitUntil(ctx context.Context, limit time.Duration, done func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !done() {
		if !pause(ctx, 50*time.Millisecond) {
			return false
		}
	}
	return true
}
