package redistest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

const (
	// startLimit bounds the start of a server, on a machine that has other things to do.
	startLimit = 30 * time.Second
	// portAttempts is how often a server is started whose port was free a moment ago.
	portAttempts = 5
)

// Run starts a server with further arguments; see [New]. It ends with the test, which is skipped where Redis is not
// installed. A test that fails shows what the server has said.
func Run(t testing.TB, args ...string) *Server {
	t.Helper()
	return run(t, func() *Server { return Prepare(t, args...) })
}

func run(t testing.TB, prepare func() *Server) *Server {
	t.Helper()
	var err error
	for range portAttempts {
		s := prepare()
		ctx, cancel := context.WithTimeout(t.Context(), startLimit)
		err = s.Start(ctx)
		cancel()
		if err == nil {
			return s
		}
		if s.tls && strings.Contains(s.Log(), "tls") { // it does not know the option
			t.Skip("this redis-server has no TLS: ", err)
		}
	}
	t.Fatal(err)
	return nil
}

// Prepare is [Run] without starting the server.
func Prepare(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := Find(); errors.Is(err, ErrNotInstalled) {
		t.Skip(err)
	}
	s, err := New(t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() && s.Log() != "" {
			t.Logf("Redis at %s:\n%s", s.Addr, s.Log())
		}
	})
	return s
}
