package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
)

// ErrNotInstalled says that there is no redis-server to start.
var ErrNotInstalled = errors.New("there is no redis-server here; Debian: apt-get install redis-server")

// Server is a Redis server on 127.0.0.1 that keeps nothing. Its methods are for one goroutine.
type Server struct {
	// Addr is where it listens, host:port, also after it was stopped and started again.
	Addr string

	dir    string
	args   []string
	tls    bool
	cmd    *exec.Cmd // nil while it does not run
	exited chan struct{}
	log    *log
}

// Find returns the path of the server's program, redis-server or valkey-server, or [ErrNotInstalled].
func Find() (string, error) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNotInstalled
}

// FreeAddress returns an address that nothing listens at. It may be taken before it is used.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// New returns a server that has not been started, at an address that is free. What it writes goes into dir. args are
// further arguments of the program, such as "--maxclients", "10"; the path of a configuration file may be the first.
func New(dir string, args ...string) (*Server, error) {
	addr, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	return &Server{Addr: addr, dir: dir, args: args}, nil
}

// URL is Addr as a redis URL.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Start starts the server, empty, and returns when it accepts connections. Where the system can see to that, the server
// ends with this process at the latest. It fails with [ErrNotInstalled], when ctx ends, or with what the server has said.
func (s *Server) Start(ctx context.Context) error {
	path, err := Find()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	// Where an argument comes twice, the last counts.
	args := []string{"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--save", "", "--appendonly", "no",
		"--client-output-buffer-limit", "pubsub 0 0 0"}
	if s.tls {
		args = append(args, "--port", "0", "--tls-port", port)
	}
	if len(s.args) > 0 && s.args[0][0] != '-' {
		args = slices.Concat(s.args[:1], args, s.args[1:])
	} else {
		args = append(args, s.args...)
	}
	cmd, exited := exec.Command(path, args...), make(chan struct{})
	s.log = &log{ready: make(chan struct{})}
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = s.log, s.log, endsWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting Redis: %w", err)
	}
	go func() {
		defer close(exited)
		_ = cmd.Wait() // says how it was killed
	}()
	s.cmd, s.exited = cmd, exited
	select {
	case <-s.log.ready:
		return nil
	case <-exited:
		s.cmd = nil
		return fmt.Errorf("starting Redis: it ended before it was ready:\n%s", s.Log())
	case <-ctx.Done():
		s.Stop()
		return fmt.Errorf("starting Redis: %w", context.Cause(ctx))
	}
}

// Stop kills the server, if it runs; all that it knows is lost.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // fails only if it has ended
	<-s.exited
	s.cmd = nil
}

// Signal sends a signal to the server, such as SIGSTOP. It fails when the server does not run.
func (s *Server) Signal(sig os.Signal) error {
	if s.cmd == nil {
		return fmt.Errorf("signaling Redis: %w", os.ErrProcessDone)
	}
	return s.cmd.Process.Signal(sig)
}

// Log is what the server has said since it was last started.
func (s *Server) Log() string {
	if s.log == nil {
		return ""
	}
	return s.log.String()
}

// log keeps what a server says, and finds out when it is ready.
type log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	isReady bool
	ready   chan struct{} // closed when it is
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	for _, words := range []string{"eady to accept connections", "Sentinel ID is"} {
		if !l.isReady && bytes.Contains(l.text.Bytes(), []byte(words)) {
			l.isReady = true
			close(l.ready)
		}
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
