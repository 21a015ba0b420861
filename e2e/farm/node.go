package farm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"syscall"
)

// Node is one server of the farm.
type Node struct {
	// Name tells the nodes apart: 1, 2 and so on.
	Name string
	// Host is where clients reach the node, host:port.
	Host string

	program []string
	env     []string
	out     *lines
	process *process
	gone    bool // was killed on purpose
}

// start starts the node. The address for the other nodes has to be known beforehand, and may have been taken meanwhile.
func (n *Node) start(ctx context.Context) (err error) {
	for range portAttempts {
		if err = n.try(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("starting node %s: %w", n.Name, err)
	}
	return nil
}

func (n *Node) try(ctx context.Context) error {
	internal, err := freeAddress()
	if err != nil {
		return err
	}
	address := make(chan string, 1)
	stdout := n.out.of(func(line string) {
		if at, ok := strings.CutPrefix(line, "LISTENING "); ok {
			select {
			case address <- at:
			default: // it says so again
			}
		}
	})
	program := append(slices.Clone(n.program), "--urls", "http://127.0.0.1:0")
	p, err := startProcess(program, append(slices.Clone(n.env), "INTERNAL="+internal), stdout, n.out.of(nil))
	if err != nil {
		return err
	}
	at, err := p.await(ctx, address)
	if err != nil {
		return err
	}
	u, err := url.Parse(at)
	if err = cmp.Or(err, noHost(u)); err != nil {
		p.kill()
		return err
	}
	n.Host, n.process = u.Host, p
	return nil
}

func noHost(u *url.URL) error {
	if u == nil || u.Host == "" {
		return errors.New("it does not say where it listens")
	}
	return nil
}

// Kill ends the node at once, as a crash would.
func (n *Node) Kill() {
	if n.process == nil {
		return
	}
	n.gone = true
	n.process.kill()
}

// Pause stops the node's process without ending it: its sockets stay open, and nobody answers. It returns when the
// process stands still, which may take a moment on a busy machine.
func (n *Node) Pause(ctx context.Context) error {
	n.process.signal(syscall.SIGSTOP)
	return n.process.awaitStop(ctx)
}

// Resume lets a paused node go on.
func (n *Node) Resume() { n.process.signal(syscall.SIGCONT) }

// Stop asks the node to end, and waits for it. It is an error if the node does not end by itself and without one.
func (n *Node) Stop() error {
	if n.process == nil || n.gone {
		return nil
	}
	if err := n.process.stop(); err != nil {
		return fmt.Errorf("ending node %s: %w", n.Name, err)
	}
	return nil
}
