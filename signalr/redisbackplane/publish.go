package redisbackplane

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/redis/rueidis"
)

// published is what became of a publication.
type published struct {
	receivers int64 // the servers that hear the channel
	err       error // ErrBackplaneUnavailable or ErrOutcomeUnknown, with the cause
}

// publishOn publishes on a link. If Redis does not answer in time, the link is given up, so that nobody else waits for it.
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
	if err := ctx.Err(); err != nil {
		return fill(err) // nothing went out
	}
	cmds := make([]rueidis.Completed, len(pubs))
	for i, p := range pubs {
		if b.opts.Sharded {
			cmds[i] = l.client.B().Spublish().Channel(p.channel).Message(rueidis.BinaryString(p.payload)).Build()
		} else {
			cmds[i] = l.client.B().Publish().Channel(p.channel).Message(rueidis.BinaryString(p.payload)).Build()
		}
	}
	bound, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	for i, r := range l.client.DoMulti(bound, cmds...) {
		n, err := r.AsInt64()
		if err == nil {
			results[i].receivers = n
			b.counters.published.Add(1)
			b.counters.publishedBytes.Add(uint64(len(pubs[i].payload)))
			continue
		}
		results[i].err = b.judge(ctx, l, err)
	}
	return results
}

// judge says what an error of a publication means, and gives the link up if it is of no use any more.
func (b *Backplane) judge(ctx context.Context, l *link, err error) error {
	if re, ok := rueidis.IsRedisErr(err); ok {
		return b.unavailable(re) // Redis has refused it
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, context.Cause(ctx)) // the caller did not wait
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
