package wire

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// window is the time in which an answer must come, counted from the step before it.
type window struct{ earliest, latest time.Duration }

// deadline is when the answer to the step that is being played must have come.
func (p *player) deadline() time.Time {
	if p.window != nil {
		return p.mark.Add(p.window.latest)
	}
	return time.Now().Add(p.timeout())
}

// clock plays the steps about time, and skip.
func (p *player) clock(ctx context.Context, step *Step) error {
	switch step.Verb {
	case "wait":
		d, err := parseMillis(step.Rest)
		if err != nil {
			return err
		}
		return sleep(ctx, d)
	case "within":
		earliest, latest, _ := strings.Cut(step.Rest, " ")
		var w window
		var err error
		if w.earliest, err = parseMillis(earliest); err != nil {
			return err
		}
		if w.latest, err = parseMillis(latest); err != nil {
			return err
		}
		p.window = &w
		return nil
	}
	c, err := p.conn(step)
	if err != nil {
		return err
	}
	if step.Verb == "skip" {
		c.skip = append(c.skip, step.Rest)
		return nil
	}
	d, err := parseMillis(step.Rest)
	if err != nil {
		return err
	}
	return p.quiet(ctx, c, time.Now().Add(d))
}

// quiet waits until the deadline; nothing may come meanwhile.
func (p *player) quiet(ctx context.Context, c *conn, deadline time.Time) error {
	if e := p.nextRecord(ctx, c, deadline); e.kind != "" {
		return &MismatchError{Want: "nothing", Got: e.String()}
	}
	if len(c.stream) > 0 {
		return &MismatchError{Want: "nothing", Got: event{eventPart, c.stream, nil}.String()}
	}
	return nil
}

// anyOrder plays the steps behind an anyorder step, all of one connection, in the order in which their messages come.
// It returns how many steps it took, itself included.
func (p *player) anyOrder(ctx context.Context, steps []Step) (int, error) {
	n, err := strconv.Atoi(steps[0].Rest)
	if err != nil || n < 1 || n >= len(steps) {
		return 0, fmt.Errorf("anyorder needs the number of steps that follow it")
	}
	c, err := p.conn(&steps[1])
	if err != nil {
		return 0, err
	}
	var open []*Step
	for i := range steps[1 : n+1] {
		open = append(open, &steps[i+1])
	}
	deadline := time.Now().Add(p.timeout())
	for len(open) > 0 {
		record := p.nextRecord(ctx, c, deadline)
		i := 0
		for ; i < len(open) && p.matchRecord(open[i], c, record) != nil; i++ {
		}
		if i == len(open) {
			var want []string
			for _, step := range open {
				want = append(want, step.Rest)
			}
			return 0, &MismatchError{Want: strings.Join(want, " or "), Got: record.String()}
		}
		open = append(open[:i], open[i+1:]...)
	}
	p.mark = time.Now()
	return n + 1, nil
}

// sleep waits, or returns the error of ctx when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
