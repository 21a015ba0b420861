package redisbackplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/rueidis"
)

// published is what became of a publication.
type published struct {
	receivers int64 // the servers that hear the channel
	err       error // ErrBackplaneUnavailable or ErrOutcomeUnknown, with the cause
}

// publishOn publishes on a link. If Redis does not answer in time, the link is given up, so that nobody else waits for it.
// What a handler sends goes out though its connection, and with it ctx, has ended; only ctx's deadline counts.
func (b *Backplane) publishOn(ctx context.Context, l *link, pubs []publication) []published {
	results := make([]published, len(pubs))
	fill := func(err error) []published {
		for i := range results {
			results[i].err = err
		}
		return results
	}
	if l.ctx.Err() != nil {
		return fill(b.unavailable(context.Cause(l.ctx)))
	}
	cmds := make([]rueidis.Completed, len(pubs))
	for i, p := range pubs {
		if b.opts.Sharded {
			cmds[i] = l.client.B().Spublish().Channel(p.channel).Message(rueidis.BinaryString(p.payload)).Build()
		} else {
			cmds[i] = l.client.B().Publish().Channel(p.channel).Message(rueidis.BinaryString(p.payload)).Build()
		}
	}
	limit, patient := b.limit(ctx)
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	for i, r := range l.client.DoMulti(bound, cmds...) {
		n, err := r.AsInt64()
		if err == nil {
			results[i].receivers = n
			b.counters.published.Add(1)
			b.counters.publishedBytes.Add(uint64(len(pubs[i].payload)))
			continue
		}
		results[i].err = b.judge(l, err, patient)
	}
	return results
}

// limit is how long Redis may take for what a caller wants; patient says that the caller would wait for longer.
func (b *Backplane) limit(ctx context.Context) (limit time.Duration, patient bool) {
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline); left > 0 && left < b.opts.Timeout {
			return left, false
		}
	}
	return b.opts.Timeout, true
}

// judge says what an error of a command means, and gives the link up if it is of no use any more.
func (b *Backplane) judge(l *link, err error, patient bool) error {
	if re, ok := rueidis.IsRedisErr(err); ok {
		return b.unavailable(re) // Redis has refused it
	}
	if !patient && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err) // says nothing of Redis
	}
	l.cancel(fmt.Errorf("publishing: %w", err))
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return b.unavailable(err)
	}
	return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
}

// unavailable is ErrBackplaneUnavailable with what is known of the reason.
func (b *Backplane) unavailable(cause error) error {
	if cause == nil {
		return ErrBackplaneUnavailable
	}
	return fmt.Errorf("%w: %w", ErrBackplaneUnavailable, cause)
}
