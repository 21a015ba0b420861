//go:build unix

package torture

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startLimit and stopLimit bound how long a process may take to be ready and to end, on a machine with much to do.
	startLimit = 2 * time.Minute
	stopLimit  = time.Minute
)

// node is a server that can be killed and started again at the same address. Its methods are for one goroutine, but ready.
type node struct {
	name    string
	address string // host:port
	command []string

	process *exec.Cmd
	ended   chan struct{} // closed when process has ended
	log     tail
}

// start starts the server and returns when it is ready.
func (n *node) start(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		if err = n.try(ctx); err == nil {
			return nil
		}
		// Somebody may have the port for a moment; and PostgreSQL may not be there yet.
		if !pause(ctx, 100*time.Millisecond) {
			return fmt.Errorf("starting server %s: %w\n%s", n.name, err, &n.log)
		}
	}
}

func (n *node) try(ctx context.Context) error {
	cmd := exec.Command(n.command[0], n.command[1:]...)
	cmd.SysProcAttr = endsWithParent()
	cmd.Stderr = &n.log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	listening, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "Signalbox listens on ") {
				close(listening)
			}
		}
		_ = cmd.Wait() // says that it was killed
	}()
	n.process, n.ended = cmd, ended
	select {
	case <-listening:
	case <-ended:
		return errors.New("it ended before it listened")
	case <-ctx.Done():
		n.kill()
		return context.Cause(ctx)
	}
	if err := ready(ctx, "http://"+n.address); err != nil {
		n.kill()
		return err
	}
	return nil
}

// ready returns when the server is. It may be called while another goroutine starts or ends it.
func (n *node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := ready(ctx, "http://"+n.address); err != nil {
		return fmt.Errorf("%w\n%s", err, &n.log)
	}
	return nil
}

// kill ends the server as a crash would, paused or not.
func (n *node) kill() {
	if n.process == nil {
		return
	}
	n.signal(syscall.SIGKILL)
	<-n.ended
}

// stop asks the server to end, and waits until it has, or until it has had its time.
func (n *node) stop(limit time.Duration) error {
	n.signal(syscall.SIGTERM)
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case <-n.ended:
		if code := n.process.ProcessState.ExitCode(); code != 0 {
			return fmt.Errorf("server %s ended with code %d\n%s", n.name, code, &n.log)
		}
		return nil
	case <-timeout.C:
		n.kill()
		return fmt.Errorf("server %s did not end within %v\n%s", n.name, limit, &n.log)
	}
}

func (n *node) signal(s syscall.Signal) { _ = n.process.Process.Signal(s) } // fails only if it has ended

// ready returns when a server says that it is: with Redis, if it has one.
func ready(ctx context.Context, url string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	for {
		text, err := get(ctx, client, url+"/readyz")
		if err == nil && text == "ok\n" {
			return nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return fmt.Errorf("%s is not ready: %q, %w", url, text, errors.Join(err, context.Cause(ctx)))
		}
	}
}

func get(ctx context.Context, client *http.Client, url string) (text string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	return string(body), err
}

// pause waits, and says whether it did so to the end.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// freeAddress returns an address that nobody listens at, for now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// tail keeps the end of what is written to it, for when something goes wrong. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 8 << 10

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = bytes.Clone(t.text[over:])
	}
	return len(p), nil
}

// String returns what it keeps.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
