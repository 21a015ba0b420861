package farm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is a command that runs. It ends with this process at the latest, where the system can see to that.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; after done
}

func startProcess(program []string, env []string, stdout, stderr io.Writer) (*process, error) {
	p := &process{cmd: exec.Command(program[0], program[1:]...), done: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = env, stdout, stderr, endsWithParent()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) } // fails only if it has ended

// kill ends the process at once, and waits for it.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// stop asks the process to end, and returns how it did.
func (p *process) stop() error {
	p.signal(syscall.SIGCONT) // a paused one hears nothing else
	p.signal(syscall.SIGTERM)
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-p.done:
		return p.err
	case <-limit.C:
		p.kill()
		return fmt.Errorf("it did not end within %v", stopLimit)
	}
}

// await waits until the process is ready.
func (p *process) await(ctx context.Context, ready <-chan string) (line string, err error) {
	select {
	case line = <-ready:
		return line, nil
	case <-p.done:
		return "", errors.Join(errors.New("it ended before it was ready"), p.err)
	case <-ctx.Done():
		p.kill()
		return "", fmt.Errorf("waiting until it is ready: %w", context.Cause(ctx))
	}
}

// freeAddress returns an address that nothing listens at. It may be taken before it is used.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// lines writes whole lines of several processes to one writer.
type lines struct {
	mu sync.Mutex
	to io.Writer
}

// of returns a writer for one process. Each of its lines goes to seen, too, if that is not nil.
func (l *lines) of(seen func(line string)) io.Writer { return &lineWriter{lines: l, seen: seen} }

type lineWriter struct {
	lines *lines
	seen  func(string)
	begun []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.begun = append(w.begun, p...)
	for {
		line, rest, whole := bytes.Cut(w.begun, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		if w.seen != nil {
			w.seen(string(line))
		}
		w.lines.mu.Lock()
		_, _ = fmt.Fprintf(w.lines.to, "%s\n", line) // for people, who see that it is missing
		w.lines.mu.Unlock()
		w.begun = rest
	}
}
