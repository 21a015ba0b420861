package wire

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"
)

// Replayer plays recordings against one server. Its methods may be called concurrently; the zero value of every
// field but Address is usable.
type Replayer struct {
	// Address is the host and port of the server, as "127.0.0.1:5000".
	Address string
	// Timeout is how long the server may take for what a step expects; zero means 5 seconds.
	Timeout time.Duration
	// Dial opens a connection to the server; nil means TCP to Address.
	Dial func(ctx context.Context) (net.Conn, error)
}

func (r *Replayer) timeout() time.Duration {
	if r.Timeout == 0 {
		return 5 * time.Second
	}
	return r.Timeout
}

// MismatchError is the error of a server that did something else than was recorded.
type MismatchError struct {
	// Want is what the recording says, and Got what came, both in the notation of transcripts.
	Want, Got string
}

// Error shows both sides, long ones cut.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("want %s\n got %s", clip(e.Want), clip(e.Got))
}

func clip(text string) string {
	const most = 2000
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
}

// Play plays a transcript on connections of its own and returns the first difference, a [MismatchError] with the
// step in front of it. Any other error means that the scenario could not be played: a broken step, a server that
// takes no connections, or the end of ctx.
func (r *Replayer) Play(ctx context.Context, t *Transcript) error {
	p := &player{Replayer: r, transcript: t, names: bindings{}, conns: map[string]*conn{}, mark: time.Now()}
	defer func() {
		for _, c := range p.opened {
			c.drop(false)
		}
	}()
	for i := 0; i < len(t.Steps); {
		step := &t.Steps[i]
		used, err := p.play(ctx, t.Steps[i:])
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("line %d: %s\n%w", step.Line, clip(step.Text), err)
		}
		if step.Sign != '~' {
			p.mark = time.Now()
		}
		i += used
	}
	return nil
}

// player is one run of one transcript. It is used by one goroutine.
type player struct {
	*Replayer
	transcript *Transcript
	names      bindings
	conns      map[string]*conn // by label; a label may be used again
	opened     []*conn          // all of them, to be ended with the run
	mark       time.Time        // when the last step was done that is not about time
	window     *window          // when the next answer must come, nil for any time within the timeout
}

// play plays the first of steps and returns how many it took.
func (p *player) play(ctx context.Context, steps []Step) (int, error) {
	step := &steps[0]
	switch {
	case step.Sign == '>':
		return 1, p.act(ctx, step)
	case step.Sign == '<':
		return 1, p.expect(ctx, step)
	case step.Verb == "anyorder":
		return p.anyOrder(ctx, steps)
	default:
		return 1, p.clock(ctx, step)
	}
}

// conn returns the connection that a step names.
func (p *player) conn(step *Step) (*conn, error) {
	c := p.conns[step.Label]
	if c == nil {
		return nil, fmt.Errorf("no connection %q", step.Label)
	}
	return c, nil
}

// ignores reports whether the transcript says that a kind of message does not matter.
func (p *player) ignores(what string) bool {
	return slices.Contains(p.transcript.Ignore, what)
}
