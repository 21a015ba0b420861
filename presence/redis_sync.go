package presence

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

const (
	// retryInterval is how often Redis is tried while it is away.
	retryInterval = 500 * time.Millisecond
	// applyBatch and reapBatch are how many connections one command changes: enough to be quick, and few enough that
	// Redis is not held up for long.
	applyBatch = 200
	reapBatch  = 500
)

// run keeps Redis up to date until ctx ends. It alone writes.
func (r *Redis) run(ctx context.Context) {
	r.mismatch = true
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var err error
		beat := true
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.doubt:
		case <-r.wake:
			if r.Err() != nil {
				continue // when it is back all is written
			}
			if r.reached() != nil {
				beat = false
			}
		}
		if beat {
			err = r.beat(ctx)
			timer.Reset(r.opts.Heartbeat)
		} else {
			err = r.flush(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		r.settle(err)
		if err != nil {
			timer.Reset(min(retryInterval, r.opts.Heartbeat))
		}
	}
}

// settle notes how it went, and tells those who wait for what has failed.
func (r *Redis) settle(err error) {
	r.mu.Lock()
	before := r.away
	r.away = err
	if err != nil {
		r.mismatch = true
		for _, p := range r.dirty {
			p.tell(err)
		}
	}
	r.mu.Unlock()
	switch {
	case before == nil && err != nil:
		r.log.Warn("presence: Redis cannot be reached; this node answers for itself alone", "error", err)
	case before != nil && err == nil:
		r.log.Info("presence: Redis is back, and knows this node's connections")
	}
}

// reached returns the client, or nil before Redis was reached for the first time.
func (r *Redis) reached() rueidis.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.client
}

// connect returns the client, making it if need be, which takes no longer than dialing may.
func (r *Redis) connect() (rueidis.Client, error) {
	if c := r.reached(); c != nil {
		return c, nil
	}
	c, err := rueidis.NewClient(r.options)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.client = c
	r.mu.Unlock()
	return c, nil
}

// exec runs a script within the time-out.
func (r *Redis) exec(ctx context.Context, c rueidis.Client, s *rueidis.Lua, keys, args []string) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Timeout)
	defer cancel()
	return s.Exec(ctx, c, keys, args)
}

// beat renews the lease, makes good what Redis has lost, and clears up after nodes that have died.
func (r *Redis) beat(ctx context.Context) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	expected := r.expected()
	own := r.keys.connections + r.node
	reply, err := r.exec(ctx, c, r.scripts.beat, []string{r.keys.nodes, own}, []string{r.node, r.lease()}).AsIntSlice()
	if err != nil {
		return err
	}
	// Redis has come back without its data or without the last of it, or another node took this one for dead.
	if len(reply) == 2 && (r.mismatch || int(reply[0]) != expected) {
		if err := r.compare(ctx, c); err != nil {
			return err
		}
		r.mismatch = false
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	if len(reply) == 2 && reply[1] > 0 {
		return r.reapAll(ctx, c, "")
	}
	return nil
}

func (r *Redis) lease() string { return strconv.FormatInt(r.opts.Lease.Milliseconds(), 10) }

// expected is how many connections Redis should know of this node. A change that was taken back before it was written
// makes it wrong, which costs a comparison.
func (r *Redis) expected() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.local.owner)
	for _, p := range r.dirty {
		if p.add {
			n--
		} else {
			n++
		}
	}
	return n
}

// compare looks at what Redis knows of this node and notes every difference as a change to be written.
func (r *Redis) compare(ctx context.Context, c rueidis.Client) error {
	known, err := r.known(ctx, c)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for connectionID, userID := range r.local.owner {
		if known[connectionID] != userID && r.dirty[connectionID] == nil {
			r.markLocked(userID, connectionID, true)
		}
	}
	for connectionID, userID := range known {
		if r.local.owner[connectionID] != userID && r.dirty[connectionID] == nil {
			r.markLocked(userID, connectionID, false)
		}
	}
	return nil
}

// known returns the connections that Redis knows of this node, and whose they are. It reads them bit by bit, so that many
// take no longer than a command may.
func (r *Redis) known(ctx context.Context, c rueidis.Client) (map[string]string, error) {
	known := make(map[string]string)
	for cursor := uint64(0); ; {
		limit, cancel := context.WithTimeout(ctx, r.opts.Timeout)
		some, err := c.Do(limit, c.B().Hscan().Key(r.keys.connections+r.node).Cursor(cursor).Count(1000).Build()).AsScanEntry()
		cancel()
		if err != nil {
			return nil, err
		}
		for i := 0; i+1 < len(some.Elements); i += 2 {
			known[some.Elements[i]] = some.Elements[i+1]
		}
		if cursor = some.Cursor; cursor == 0 {
			return known, nil
		}
	}
}

// flush writes all changes.
func (r *Redis) flush(ctx context.Context) error {
	for {
		batch := r.batch()
		if len(batch) == 0 {
			return nil
		}
		args := append(make([]string, 0, 3+3*len(batch)), r.node, r.lease(), r.keys.user)
		for _, p := range batch {
			op := "0"
			if p.add {
				op = "1"
			}
			args = append(args, op, p.userID, p.connectionID)
		}
		own := r.keys.connections + r.node
		reply, err := r.exec(ctx, r.reached(), r.scripts.apply, []string{r.keys.nodes, own, r.keys.online}, args).AsStrSlice()
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(reply); i += 2 {
			r.changes.put(Change{UserID: reply[i], Online: reply[i+1] == "1"})
		}
		r.mu.Lock()
		for _, p := range batch {
			if r.dirty[p.connectionID] == p {
				delete(r.dirty, p.connectionID)
			}
			p.tell(nil)
		}
		r.mu.Unlock()
		r.changes.tell()
	}
}

// batch returns some of the changes that are to be written.
func (r *Redis) batch() []*pending {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := make([]*pending, 0, min(len(r.dirty), applyBatch))
	for _, p := range r.dirty {
		if len(batch) == applyBatch {
			break
		}
		batch = append(batch, p)
	}
	return batch
}

// reapAll clears away what dead nodes have left, or all of the one that is named.
func (r *Redis) reapAll(ctx context.Context, c rueidis.Client, node string) error {
	for {
		reply, err := r.exec(ctx, c, r.scripts.reap, []string{r.keys.nodes, r.keys.online},
			[]string{r.keys.user, r.keys.connections, strconv.Itoa(reapBatch), node}).AsStrSlice()
		if err != nil {
			return err
		}
		for _, userID := range reply[1:] {
			r.changes.put(Change{UserID: userID})
		}
		r.changes.tell()
		if reply[0] == "none" || reply[0] == "done" && node != "" {
			return nil
		}
	}
}
