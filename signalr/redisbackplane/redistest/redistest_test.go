package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

// ask sends a command and returns the first line of the reply.
func ask(addr, command string) (string, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line), err
}

func TestServer(t *testing.T) {
	s := Run(t)
	for _, row := range []struct{ command, want string }{{"PING", "+PONG"}, {"SET a b", "+OK"}, {"DBSIZE", ":1"}} {
		if got, err := ask(s.Addr, row.command); err != nil || got != row.want {
			t.Errorf("%s: got %q, %v, want %q", row.command, got, err, row.want)
		}
	}
	s.Stop()
	s.Stop() // which is nothing
	if got, err := ask(s.Addr, "PING"); err == nil {
		t.Errorf("a server that was stopped answers %q", got)
	}
	if err := s.Signal(os.Interrupt); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signaling a server that was stopped: %v", err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := ask(s.Addr, "DBSIZE"); err != nil || got != ":0" {
		t.Errorf("a server that was started again: got %q, %v, want it empty", got, err)
	}
}

// TestServerThatDoesNotStart: the reason is what the server says.
func TestServerThatDoesNotStart(t *testing.T) {
	s := Prepare(t, "--no-such-option", "1")
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("starting with an option that does not exist: %v", err)
	}
	ended, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("not now")
	cancel(reason)
	// Starting takes longer than noticing that nobody waits, but need not.
	if err := Prepare(t).Start(ended); err != nil && !errors.Is(err, reason) {
		t.Errorf("starting when the context has ended: %v", err)
	}
}
