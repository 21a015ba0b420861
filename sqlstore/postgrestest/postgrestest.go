//go:build unix

// Package postgrestest gives tests a PostgreSQL server of their own.
package postgrestest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// patience is how long the server may take to start, and to stop.
const patience = time.Minute

// Environment names the variable that may hold the URL of a server to use instead of a private one. Its user must be
// allowed to make schemas in its database.
const Environment = "SIGNALBOX_TEST_POSTGRES"

// Server is a PostgreSQL server.
type Server struct {
	url     string
	program []string // starts a private one
	dir     string
	as      *syscall.SysProcAttr
	stop    func() error // nil when it is not running, or not private
	log     bytes.Buffer // what it says, while it runs
}

// Start starts a server that keeps nothing and ends with the test, or uses the one that [Environment] names. Where
// PostgreSQL is not installed it skips the test.
func Start(t testing.TB) *Server {
	t.Helper()
	if named := os.Getenv(Environment); named != "" {
		return &Server{url: named}
	}
	bin, err := programs()
	if err != nil {
		t.Skipf("no PostgreSQL to test with: %v; install postgresql, or name a server in %s", err, Environment)
	}
	// Not the test's own folder: nobody else may enter that, and root is refused as the server's user.
	dir, err := os.MkdirTemp("", "signalbox-pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	as, err := unprivileged(dir)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(t.Context(), filepath.Join(bin, "initdb"), "-D", data, "-U", "signalbox", "-A", "trust",
		"--no-sync", "-E", "UTF8", "--locale=C")
	initdb.Dir, initdb.SysProcAttr = dir, as
	if output, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, output)
	}
	s := &Server{
		url: "postgres:///postgres?" + url.Values{"host": {dir}, "user": {"signalbox"}}.Encode(), dir: dir, as: as,
		// The shell ends the server when its standard input ends: also when this process dies without a chance to clean up.
		program: []string{"sh", "-c", `"$@" & server=$!; read -r _; kill -INT $server; wait $server`, "sh",
			filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"},
	}
	s.start(t)
	t.Cleanup(func() { s.halt(t) })
	return s
}

// start starts a private server that is not running, and waits until it answers.
func (s *Server) start(t testing.TB) {
	t.Helper()
	server := exec.Command(s.program[0], s.program[1:]...)
	server.Dir, server.SysProcAttr = s.dir, s.as
	s.log.Reset()
	server.Stdout, server.Stderr = &s.log, &s.log
	server.WaitDelay = patience
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	s.stop = func() error { return errors.Join(stdin.Close(), server.Wait()) }
	if err := s.await(t.Context()); err != nil {
		stop := s.stop
		s.stop = nil
		t.Fatalf("starting PostgreSQL: %v\n%s", errors.Join(err, stop()), &s.log)
	}
}

// halt stops a private server if it is running.
func (s *Server) halt(t testing.TB) {
	t.Helper()
	if s.stop == nil {
		return
	}
	stop := s.stop
	s.stop = nil
	if err := stop(); err != nil {
		t.Errorf("stopping PostgreSQL: %v\n%s", err, &s.log)
	}
}

// Restart stops the server, which cuts its clients off, and starts it again with what was committed. A server that the
// environment names is not the test's to restart: false says so. It is for the test's own goroutine.
func (s *Server) Restart(t testing.TB) bool {
	t.Helper()
	if s.program == nil {
		return false
	}
	s.halt(t)
	s.start(t)
	return true
}

// NewDatabase returns the URL of a database that is empty: a schema of its own, which ends with the test.
func (s *Server) NewDatabase(t testing.TB) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	s.exec(t.Context(), t, "CREATE SCHEMA "+name)
	t.Cleanup(func() { s.exec(context.Background(), t, "DROP SCHEMA "+name+" CASCADE") })
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal("the server's URL cannot be read")
	}
	query := u.Query()
	query.Set("search_path", name)
	u.RawQuery = query.Encode()
	return u.String()
}

func (s *Server) exec(ctx context.Context, t testing.TB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	db, err := sql.Open("pgx", s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

// await returns when the server answers.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	db, err := sql.Open("pgx", s.url)
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// programs returns the folder of the server's programs. Debian keeps them out of the path, one folder for each version.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("there is no initdb")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// unprivileged gives the folder to a user who is not root, and returns how to run a program as that user. Who is not
// root already stays who they are.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	var u *user.User
	var err error
	for _, name := range []string{"postgres", "nobody"} {
		if u, err = user.Lookup(name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("looking for a user to run PostgreSQL as: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}
