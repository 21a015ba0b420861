package presencetest

import (
	"os"
	"testing"

	"signalbox/signalr/redisbackplane/redistest"
)

// Redis is a redis-server of a test's own, which keeps nothing. Its methods are for one goroutine.
type Redis struct {
	// URL is where it listens, also after it was stopped and started again.
	URL string

	t      *testing.T
	server *redistest.Server
}

// NewRedis returns a server that has not been started. It ends with the test.
func NewRedis(t *testing.T) *Redis {
	t.Helper()
	s := redistest.Prepare(t)
	return &Redis{URL: s.URL(), t: t, server: s}
}

// StartRedis starts a server that ends with the test.
func StartRedis(t *testing.T) *Redis {
	t.Helper()
	s := redistest.Run(t)
	return &Redis{URL: s.URL(), t: t, server: s}
}

// Start starts the server, empty, and waits until it answers.
func (r *Redis) Start() {
	r.t.Helper()
	if err := r.server.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// Stop kills the server; all that it knows is lost.
func (r *Redis) Stop() { r.server.Stop() }

// Signal sends a signal to the server, such as SIGSTOP.
func (r *Redis) Signal(sig os.Signal) {
	r.t.Helper()
	if err := r.server.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
}
