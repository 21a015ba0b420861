package presencetest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Redis is a redis-server of a test's own, which keeps nothing. Its methods are for one goroutine.
type Redis struct {
	// URL is where it listens, also after it was stopped and started again.
	URL string

	t    *testing.T
	port int
	cmd  *exec.Cmd
}

// NewRedis returns a server that has not been started. It ends with the test.
func NewRedis(t *testing.T) *Redis {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := &Redis{URL: fmt.Sprintf("redis://127.0.0.1:%d", port), t: t, port: port}
	t.Cleanup(r.Stop)
	return r
}

// StartRedis starts a server that ends with the test.
func StartRedis(t *testing.T) *Redis {
	t.Helper()
	r := NewRedis(t)
	r.Start()
	return r
}

// Start starts the server, empty, and waits until it answers.
func (r *Redis) Start() {
	r.t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if program, err = exec.LookPath("valkey-server"); err != nil {
			r.t.Fatal("redis-server is not installed (Debian: apt-get install redis-server)")
		}
	}
	r.cmd = exec.Command(program, "--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", r.t.TempDir(), "--loglevel", "warning")
	r.cmd.Stderr = os.Stderr
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	Eventually(r.t, "redis-server to answer", true, r.ping)
}

func (r *Redis) ping() bool {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", r.port), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	answer := make([]byte, len("+PONG"))
	err = conn.SetDeadline(time.Now().Add(time.Second))
	if err == nil {
		_, err = conn.Write([]byte("PING\r\n"))
	}
	if err == nil {
		_, err = conn.Read(answer)
	}
	return err == nil && string(answer) == "+PONG"
}

// Stop kills the server; all that it knows is lost.
func (r *Redis) Stop() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait() // says that it was killed
	r.cmd = nil
}

// Signal sends a signal to the server, such as SIGSTOP.
func (r *Redis) Signal(sig os.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
}
