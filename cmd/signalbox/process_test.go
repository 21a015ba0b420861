package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// program is the command line as a process of its own, with the variables of this one.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience) // whatever a test forgets
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), programVariable+"=1")
	cmd.Stderr = os.Stderr
	return cmd
}

// serveProcess is serve in a process of its own: it can be killed, and ends by SIGTERM. Killing it, with the function
// that is returned, is no failure of the test.
func serveProcess(t *testing.T, dir string, args ...string) (s *server, kill func()) {
	t.Helper()
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--log-level", "error"}, args...)
	cmd := program(t, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s = &server{t: t, dir: dir, ended: make(chan error, 1)}
	s.cancel = func() { _ = cmd.Process.Signal(syscall.SIGTERM) } // fails when it has ended already
	started := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, base, ok := strings.Cut(lines.Text(), "Signalbox listens on "); ok {
				started <- base
			}
		}
		close(started)
		s.ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		if !s.stopped {
			s.stop()
		}
	})
	if s.base = wait(t, "the server to start", started); s.base == "" {
		s.stopped = true
		t.Fatalf("the server did not start: %v", wait(t, "the server to end", s.ended))
	}
	return s, func() {
		s.stopped = true
		_ = cmd.Process.Kill()
		wait(t, "the server to die", s.ended)
	}
}
