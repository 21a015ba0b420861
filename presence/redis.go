package presence

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"signalbox"
)

// Redis tracks the connections of a node in a Redis (6.2 or later) that the nodes of a farm share. Its own connections it
// knows by itself: Redis is told what has changed, and told again until it has it. Connections that other nodes have it
// reads from Redis at each question.
//
// One goroutine does all the writing, in order; [Redis.Close] ends it.
type Redis struct {
	options rueidis.ClientOption
	opts    RedisOptions
	log     *slog.Logger
	node    string
	keys    keys
	scripts scripts
	changes changes
	wake    chan struct{} // has one place: there is something to write
	doubt   chan struct{} // has one place: a reader could not reach Redis
	cancel  context.CancelFunc
	running sync.WaitGroup // of run

	mu     sync.Mutex
	client rueidis.Client // nil before Redis was reached for the first time
	local  local
	dirty  map[string]*pending // by connection: what Redis may not know
	away   error               // why Redis cannot be reached; nil when it can, or was not tried yet
	closed bool

	mismatch bool // only run: Redis may know something else than what is neither in local nor in dirty
}

// pending is a change that Redis may not know. It is guarded by the tracker's lock, but for done.
type pending struct {
	userID, connectionID string
	add                  bool
	told                 bool // nobody waits for it any more
	err                  error
	done                 chan struct{} // closed when told becomes true
}

func (p *pending) tell(err error) {
	if !p.told {
		p.told, p.err = true, err
		close(p.done)
	}
}

var _ signalbox.ConnectionTracker = (*Redis)(nil)

// RedisOptions are the settings of a [Redis]. The zero value is ready. All nodes must have the same, but for Logger and
// OnChange.
type RedisOptions struct {
	// Prefix begins the names of the keys. Default "signalbox:presence".
	Prefix string
	// Heartbeat is how often the node renews its lease, and looks for dead nodes. Default 5 s.
	Heartbeat time.Duration
	// Lease is how long the node's connections count after that: at least two heartbeats. Default three.
	Lease time.Duration
	// Timeout is how long a call waits for Redis. Default 1 s.
	Timeout time.Duration
	// OnChange is told who comes online and who goes, as Redis decides: each change on one node of the farm alone, that
	// of the connection, or one that clears up after a dead node. It is a hint: a change is lost with the node that was
	// to tell of it, and those who are still there come online again when Redis has lost its data. Calls come one at a
	// time; OnChange must not wait, and not call the tracker. Default: nobody is told.
	OnChange func(Change)
	// Logger gets when Redis goes away and comes back. Default: nothing is logged.
	Logger *slog.Logger
}

// NewRedis returns a tracker that connects to Redis in the background: it need not be there yet. Nil options are the
// defaults. It fails only when an option cannot be meant. The tracker must be closed.
func NewRedis(client rueidis.ClientOption, o *RedisOptions) (*Redis, error) {
	var opts RedisOptions
	if o != nil {
		opts = *o
	}
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	// One connection and no repetitions: what is written later must not arrive earlier.
	client.PipelineMultiplex, client.AlwaysPipelining, client.DisableRetry = -1, true, true
	client.DisableCache = true
	if client.Dialer.Timeout == 0 {
		client.Dialer.Timeout = opts.Timeout
	}
	if client.ConnWriteTimeout == 0 {
		client.ConnWriteTimeout = 2 * opts.Timeout
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Redis{
		options: client, opts: opts, log: opts.Logger, node: rand.Text(),
		keys: newKeys(opts.Prefix), scripts: newScripts(), changes: changes{to: opts.OnChange},
		wake: make(chan struct{}, 1), doubt: make(chan struct{}, 1), cancel: cancel,
		local: newLocal(), dirty: make(map[string]*pending),
	}
	r.running.Go(func() { r.run(ctx) })
	return r, nil
}

func (o *RedisOptions) complete() error {
	if o.Prefix == "" {
		o.Prefix = "signalbox:presence"
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 5 * time.Second
	}
	if o.Lease == 0 {
		o.Lease = 3 * o.Heartbeat
	}
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Heartbeat < time.Millisecond || o.Timeout < time.Millisecond:
		return errors.New("Heartbeat and Timeout must be a millisecond or more")
	case o.Lease < 2*o.Heartbeat:
		return errors.New("Lease must be two heartbeats or more")
	}
	return nil
}

// Err says why Redis cannot be reached, or nil: then what the tracker answers holds for the farm.
func (r *Redis) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.away
}

var errClosed = errors.New("presence: the tracker is closed")

// Add implements [signalbox.ConnectionTracker]. It returns when Redis knows the connection, at the latest after
// [RedisOptions.Timeout].
func (r *Redis) Add(ctx context.Context, userID, connectionID string) error {
	if err := check(userID, connectionID); err != nil {
		return err
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return errClosed
	}
	added, _, err := r.local.add(userID, connectionID)
	if added {
		r.markLocked(userID, connectionID, true)
	}
	p := r.dirty[connectionID]
	r.mu.Unlock()
	if err != nil || p == nil {
		return err
	}
	return r.wait(ctx, p)
}

// Remove implements [signalbox.ConnectionTracker]. It returns as Add does.
func (r *Redis) Remove(ctx context.Context, userID, connectionID string) error {
	if err := check(userID, connectionID); err != nil {
		return err
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return errClosed
	}
	if removed, _ := r.local.remove(userID, connectionID); removed {
		r.markLocked(userID, connectionID, false)
	}
	p := r.dirty[connectionID]
	r.mu.Unlock()
	if p == nil || p.add {
		return nil
	}
	return r.wait(ctx, p)
}

var errSuperseded = errors.New("the connection has changed again")

// markLocked notes a change that Redis has to know.
func (r *Redis) markLocked(userID, connectionID string, add bool) {
	if before := r.dirty[connectionID]; before != nil {
		before.tell(errSuperseded)
	}
	p := &pending{userID: userID, connectionID: connectionID, add: add, done: make(chan struct{})}
	if r.away != nil {
		p.tell(r.away)
	}
	r.dirty[connectionID] = p
}

var errSlow = errors.New("Redis did not answer in time")

// wait waits until Redis knows the change.
func (r *Redis) wait(ctx context.Context, p *pending) error {
	signal(r.wake)
	timeout := time.NewTimer(r.opts.Timeout)
	defer timeout.Stop()
	select {
	case <-p.done:
		r.mu.Lock()
		defer r.mu.Unlock()
		return partial(p.err)
	case <-timeout.C:
		return partial(errSlow)
	case <-ctx.Done():
		return partial(context.Cause(ctx))
	}
}

// partial says why an answer is this node's alone.
func partial(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", signalbox.ErrPresencePartial, err)
}

// signal puts something into a channel with one place.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Close takes all of the node's connections back and ends the tracker: then nothing of it runs. Without Redis, or when
// ctx ends before that is done, the connections vanish with the lease, and the error says so. Calls fail afterwards.
func (r *Redis) Close(ctx context.Context) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.running.Wait() // no command is waited for beyond its time-out, and none at all from now on
	r.mu.Lock()
	client, away := r.client, r.away
	for _, p := range r.dirty {
		p.tell(errClosed)
	}
	r.mu.Unlock()
	if client == nil {
		return nil // nobody has ever heard of this node
	}
	defer client.Close()
	if away != nil {
		return fmt.Errorf("presence: the node's connections stay until its lease ends: %w", away)
	}
	if err := r.reapAll(ctx, client, r.node); err != nil {
		return fmt.Errorf("presence: the node's connections stay until its lease ends: %w", err)
	}
	return nil
}
