package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// SlowOptions are the settings of [Slow].
type SlowOptions struct {
	// Healthy is how many clients read. Slow says whether there is one more that never does.
	Healthy int
	Slow    bool
	// Count messages of Size bytes are broadcast, Window of them under way at any time.
	Count, Size, Window int
}

// Slow broadcasts to clients one of which never reads. An operation is one delivery to a client that does. It tells what
// became of the one that does not.
func Slow(ctx context.Context, t Target, o SlowOptions) (Sample, error) {
	s, err := New(t)
	if err != nil {
		return Sample{}, err
	}
	defer s.Close()
	t = s.target
	if err := s.Connect(ctx, o.Healthy); err != nil {
		return Sample{}, err
	}
	fan := FanOptions{Count: max(o.Count/20, 1), Window: o.Window, Size: o.Size}
	if _, err := s.Fan(ctx, fan); err != nil { // warms the server up
		return Sample{}, err
	}
	before, err := t.collected(ctx)
	if err != nil {
		return Sample{}, err
	}
	var slow *dialed
	if o.Slow {
		if slow, err = t.dial(ctx); err != nil {
			return Sample{}, fmt.Errorf("load: connecting the slow client: %w", err)
		}
		defer slow.close()
	}
	fan.Count = o.Count
	sample, err := s.Fan(ctx, fan)
	if err != nil {
		return Sample{}, err
	}
	sample.Before = before
	if slow != nil {
		sample.Slow = fate(slow, 10*t.Settle) // a close frame is waited for, too
	}
	sample.After, err = t.settled(ctx)
	return sample, err
}

// fate reads at last, and tells how the connection ended, if it did in that time.
func fate(d *dialed, patience time.Duration) string {
	_ = d.main.conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 64<<10)
	for {
		_, err := d.main.conn.Read(buf)
		var timeout net.Error
		switch {
		case err == nil:
		case errors.As(err, &timeout) && timeout.Timeout():
			return "still connected"
		case errors.Is(err, io.EOF):
			return "cut"
		default:
			return "cut (reset)"
		}
	}
}
