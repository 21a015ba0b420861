package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The bounds of starting and stopping a server.
const (
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
)

// process is a server that runs.
type process struct {
	url string // scheme://host:port
	cmd *exec.Cmd

	mu        sync.Mutex
	told      []string // why connections ended, as far as the server tells
	unhurried sync.WaitGroup
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// start starts a server and waits for its first line, LISTENING and the address.
func start(ctx context.Context, command, environment []string, scheme string) (*process, error) {
	p := &process{cmd: exec.Command(command[0], append(slices.Clone(command[1:]), "--urls", scheme+"://127.0.0.1:0")...)}
	p.cmd.Env = append(os.Environ(), environment...)
	var stderr tail
	p.cmd.Stderr = &stderr
	// A group of its own keeps the terminal's interrupt from the server, which is stopped in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", command[0], err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", command[0], err)
	}
	listening := make(chan string, 1)
	p.unhurried.Go(func() { p.listen(stdout, listening) })
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("it does not listen in time"))
	defer cancel()
	select {
	case u, ok := <-listening:
		if ok {
			p.url = u
			return p, nil
		}
		err = errors.New("it ended")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	stopErr := p.stop() // before what it said is read, so that it is all there
	return nil, errors.Join(fmt.Errorf("starting %s: %w: %s", command[0], err, stderr.String()), stopErr)
}

// listen reads what the server prints until its end.
func (p *process) listen(stdout io.Reader, listening chan<- string) {
	defer close(listening)
	for s := bufio.NewScanner(stdout); s.Scan(); {
		if u, ok := strings.CutPrefix(s.Text(), "LISTENING "); ok && p.url == "" {
			listening <- u
		} else if why, ok := strings.CutPrefix(s.Text(), "DISCONNECTED "); ok {
			p.mu.Lock()
			p.told = append(p.told, why)
			p.mu.Unlock()
		}
	}
}

// disconnects returns why connections ended, as far as the server tells.
func (p *process) disconnects() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told)
}

// stop ends the server, by force if it takes its time. What it thinks of that is of no interest.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping a server: %w", err)
	}
	force := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer force.Stop()
	p.unhurried.Wait() // all output is read before Wait closes the pipe
	_ = p.cmd.Wait()
	return nil
}

// tail keeps the last bytes that were written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	t.b = t.b[max(len(t.b)-1000, 0):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
