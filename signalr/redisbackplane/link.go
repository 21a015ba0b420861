package redisbackplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

// link is one connection to Redis, or rather two: one that publishes and one that hears. When either is lost, both are
// given up, and there is another link.
type link struct {
	// ctx ends, with the reason, when the link is to be given up.
	ctx    context.Context
	cancel context.CancelCauseFunc
	client rueidis.Client
	sub    rueidis.DedicatedClient
	// down is closed when nothing is received any more.
	down chan struct{}
	// cluster is set when each node of it counts those that hear a channel for itself; client is one node's then: what it
	// takes from one sender arrives in its order at all nodes.
	cluster rueidis.Client
	// master is the address of the server that the sentinels have named; empty where there are none.
	master string
}

const (
	namesPerCommand  = 500 // in SUBSCRIBE and UNSUBSCRIBE
	commandsAtATime  = 20  // within the time-out
	messagesAtATime  = 500 // PUBLISH, in one pipeline
	firstReconnectIn = 50 * time.Millisecond
	masterInterval   = time.Second // how often a link looks whether the master is still the same
)

// errRedisLost is why a link ends whose connection was closed from the other side without a reason.
var errRedisLost = errors.New("the connection to Redis was lost")

// run keeps a link until ctx ends. It is the goroutine that the backplane owns.
func (b *Backplane) run(ctx context.Context) {
	defer close(b.done)
	delay := time.Duration(0)
	for ctx.Err() == nil {
		if delay > 0 {
			t := time.NewTimer(delay)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
			if ctx.Err() != nil {
				break
			}
		}
		start := time.Now()
		ready, err := b.serve(ctx)
		if ctx.Err() != nil {
			break
		}
		b.changeState(Disconnected, err)
		if ready && time.Since(start) > b.opts.ReconnectDelay {
			delay = 0 // one that is lost again at once is no better than none
		} else {
			delay = min(max(2*delay, firstReconnectIn), b.opts.ReconnectDelay)
		}
	}
	b.changeState(Closed, nil)
}

// serve makes a link, and serves it until it is lost. ready says that it was of use.
func (b *Backplane) serve(ctx context.Context) (ready bool, err error) {
	l := &link{down: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	defer l.cancel(nil)
	client, err := rueidis.NewClient(b.clientOption(l.ctx))
	if client != nil {
		defer client.Close()
	}
	if err != nil {
		return false, fmt.Errorf("connecting to Redis: %w", err)
	}
	l.choose(client, b.opts.Sharded)
	var release func()
	l.sub, release = l.client.Dedicate()
	defer release()
	lost := l.sub.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: b.receive, OnSubscription: func(s rueidis.PubSubSubscription) {
		if s.Kind == "sunsubscribe" && b.subs.isPlaced(s.Channel) {
			l.cancel(errors.New("the shard has moved")) // Redis says so of its own accord
		}
	}})
	defer func() {
		l.cancel(nil) // closes the connections
		select {
		case <-lost:
		case <-time.After(b.opts.Timeout): // it has no connection, and so nothing will come
		}
		l.sub.Close()
		b.link.Store(nil)
		close(l.down)
		b.subs.end()
	}()
	if err := b.subscribe(l, b.fixedChannels()); err != nil {
		return false, err
	}
	b.subs.begin()
	masters := time.NewTicker(masterInterval)
	defer masters.Stop()
	for {
		if err := b.work(l); err != nil {
			return ready, err
		}
		if !ready {
			ready = true
			b.link.Store(l)
			b.changeState(Connected, nil)
		}
		select {
		case <-b.subs.wake:
		case <-masters.C:
			if l.isMasterGone(client) {
				return ready, fmt.Errorf("%w: the master is another", errRedisLost)
			}
		case err := <-lost:
			return ready, fmt.Errorf("%w: %w", errRedisLost, orLost(err))
		case <-l.ctx.Done():
			return ready, context.Cause(l.ctx)
		}
	}
}

// choose takes the server that the link is to: what publishes and what hears must be connected to the same.
func (l *link) choose(client rueidis.Client, sharded bool) {
	l.client = client
	switch client.Mode() {
	case rueidis.ClientModeCluster:
		if sharded { // the hub's hash tag chooses
			return
		}
		l.cluster = client
		for _, l.client = range client.Nodes() { // any will do; the next link may be to another
			break
		}
	case rueidis.ClientModeSentinel:
		for l.master, l.client = range client.Nodes() { // there is one
			break
		}
	}
}

// isMasterGone says whether the sentinels have named another master than the link's, which may hang on for long.
func (l *link) isMasterGone(client rueidis.Client) bool {
	if l.master == "" {
		return false
	}
	_, same := client.Nodes()[l.master]
	return !same
}

func orLost(err error) error {
	if err == nil {
		return net.ErrClosed
	}
	return err
}

// clientOption is the options that were given with what the backplane needs. Connections end with ctx.
func (b *Backplane) clientOption(ctx context.Context) rueidis.ClientOption {
	o := b.redis
	o.DisableCache = true // nothing is read that could be cached
	o.DisableRetry = true
	o.ReplicaOnly, o.SendToReplicas = false, nil // what a replica is told stays with it
	o.AlwaysPipelining = true                    // else a caller's deadline would end the connection of all
	if o.PipelineMultiplex == 0 {
		o.PipelineMultiplex = -1 // one connection
	}
	if o.Dialer.Timeout == 0 {
		o.Dialer.Timeout = b.opts.Timeout
	}
	if o.Dialer.KeepAlive == 0 {
		o.Dialer.KeepAlive = b.opts.Timeout // how often an idle connection is tried
	}
	if o.ConnWriteTimeout == 0 {
		o.ConnWriteTimeout = b.opts.Timeout
	}
	dial := o.DialCtxFn
	if dial == nil {
		dial = func(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
			if t != nil {
				return (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", addr)
			}
			return d.DialContext(ctx, "tcp", addr)
		}
	}
	o.DialCtxFn = func(dialing context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
		dialing, cancel := context.WithCancel(dialing)
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		conn, err := dial(dialing, addr, d, t)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		return conn, nil
	}
	return o
}

// work does what there is to do on the link.
func (b *Backplane) work(l *link) error {
	for {
		next, add, remove := b.subs.take()
		if next == nil {
			return nil
		}
		err := b.subscribe(l, add)
		if err == nil {
			err = b.unsubscribe(l, remove)
		}
		if err != nil {
			close(next.done)
			return err
		}
		b.subs.confirm(next, add, remove)
		for pubs := range slices.Chunk(next.publications, messagesAtATime) {
			for _, r := range b.publishOn(l.ctx, l, pubs) {
				if r.err != nil {
					b.opts.Logger.Warn("an answer to another server was not published", "error", r.err)
				}
			}
		}
	}
}

func (b *Backplane) subscribe(l *link, names []string) error {
	return b.doAll(l, "subscribing", names, func(names []string) rueidis.Completed {
		if b.opts.Sharded {
			return l.sub.B().Ssubscribe().Channel(names...).Build()
		}
		return l.sub.B().Subscribe().Channel(names...).Build()
	})
}

func (b *Backplane) unsubscribe(l *link, names []string) error {
	return b.doAll(l, "unsubscribing", names, func(names []string) rueidis.Completed {
		if b.opts.Sharded {
			return l.sub.B().Sunsubscribe().Channel(names...).Build()
		}
		return l.sub.B().Unsubscribe().Channel(names...).Build()
	})
}

// doAll runs commands for many channels, pipelined, with a bound on the time of each part. A failure ends the link.
func (b *Backplane) doAll(l *link, what string, names []string, command func(names []string) rueidis.Completed) error {
	for part := range slices.Chunk(names, commandsAtATime*namesPerCommand) {
		var cmds []rueidis.Completed
		for few := range slices.Chunk(part, namesPerCommand) {
			cmds = append(cmds, command(few))
		}
		ctx, cancel := context.WithTimeout(l.ctx, b.opts.Timeout)
		results := l.sub.DoMulti(ctx, cmds...)
		cancel()
		for _, r := range results {
			if err := r.Error(); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	return nil
}
