package redisbackplane

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
)

// Backplane is a [signalr.HubLifetimeManager] whose connections are on all servers that have one on the same Redis with
// the same hub name. It belongs to one hub. It is safe for concurrent use.
//
// ASP.NET Core: RedisHubLifetimeManager.
type Backplane struct {
	opts   Options
	redis  rueidis.ClientOption
	names  channels
	server string
	// local has the connections of this server.
	local     *signalr.MemoryLifetimeManager
	protocols []protocol.HubProtocol // set by AttachHub, before everything else

	// membership is held by whoever changes what local knows and, with it, what is subscribed to.
	membership sync.Mutex
	subs       *subscriptions
	link       atomic.Pointer[link] // nil unless the state is Connected
	state      atomic.Uint32
	counters   counters

	commands atomic.Int32 // numbers group commands and counts, from 1
	waits    waits
	asked    asked

	mu     sync.Mutex
	stop   context.CancelFunc // ends run; nil before there is a hub
	closed bool
	done   chan struct{} // closed when run has ended
}

var (
	_ signalr.HubLifetimeManager = (*Backplane)(nil)
	_ signalr.HubAttacher        = (*Backplane)(nil)
	_ signalr.GroupsAdder        = (*Backplane)(nil)
)

// New returns a backplane for one hub. redis says where Redis is and how to reach it: one server, the sentinels of one, a
// cluster, with or without TLS. It fails when the options cannot be meant. Redis need not be there: a goroutine, which runs
// from the time when the hub is made until [Backplane.Close], connects when it is.
func New(redis rueidis.ClientOption, o *Options) (*Backplane, error) {
	if o == nil {
		o = &Options{}
	}
	opts := o.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("redisbackplane: %w", err)
	}
	if len(redis.InitAddress) == 0 {
		return nil, fmt.Errorf("redisbackplane: %w", rueidis.ErrNoAddr)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("redisbackplane: naming this server: %w", err)
	}
	hub := opts.HubName
	if opts.Sharded {
		hub = "{" + hub + "}"
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	b := &Backplane{
		opts: opts, redis: redis, names: channels{opts.ChannelPrefix, hub},
		server: host + "_" + hex.EncodeToString(id[:]), // F-163
		local:  signalr.NewMemoryLifetimeManager(), subs: newSubscriptions(), done: make(chan struct{}),
	}
	b.waits.init()
	b.asked.init()
	return b, nil
}

// AttachHub implements [signalr.HubAttacher]: from now on the backplane connects to Redis. It panics when it has a hub
// already.
func (b *Backplane) AttachHub(h *signalr.Hub) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.protocols != nil {
		panic("redisbackplane: the backplane belongs to another hub")
	}
	b.protocols = h.Protocols()
	if b.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	go b.run(ctx)
}

// Close leaves the farm: nothing is received any more, and what is sent reaches the connections of this server alone. It
// waits until the backplane's goroutine has ended, or ctx has. Shut the [signalr.Server] down first.
func (b *Backplane) Close(ctx context.Context) error {
	b.mu.Lock()
	if !b.closed && b.stop == nil { // there was no hub
		b.state.Store(uint32(Closed))
		close(b.done)
	}
	b.closed = true
	if b.stop != nil {
		b.stop()
	}
	b.mu.Unlock()
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("closing the Redis backplane: %w", context.Cause(ctx))
	}
}

// ServerName returns the name by which other servers know this one: the machine's name and 32 random digits (F-163).
func (b *Backplane) ServerName() string { return b.server }

// State returns what is known of Redis now.
func (b *Backplane) State() State { return State(b.state.Load()) }

// Healthy says whether messages reach all servers: the state is [Connected].
func (b *Backplane) Healthy() bool { return b.State() == Connected }

// changeState is called by the goroutine of run alone.
func (b *Backplane) changeState(to State, err error) {
	from := b.State()
	if from == to {
		b.opts.Logger.Debug("Redis backplane: another attempt failed", "hub", b.opts.HubName, "error", err)
		return
	}
	b.state.Store(uint32(to))
	switch {
	case err != nil:
		b.opts.Logger.Warn("Redis backplane", "hub", b.opts.HubName, "state", to.String(), "error", err)
	default:
		b.opts.Logger.Info("Redis backplane", "hub", b.opts.HubName, "state", to.String())
	}
	if to == Connected {
		b.counters.links.Add(1)
	}
	if f := b.opts.OnStateChange; f != nil {
		f(StateChange{From: from, To: to, Err: err})
	}
}

// fixedChannels are those that every server hears, in .NET's order, and then our own (F-165).
func (b *Backplane) fixedChannels() []string {
	n := b.names
	return []string{
		n.name(kindAll, ""), n.name(kindGroups, ""), n.name(kindAck, b.server), n.name(kindReturn, b.server),
		n.name(kindFarm, ""), n.name(kindFarmReply, b.server),
	}
}

// counters count for [Backplane.Stats].
type counters struct {
	published, publishedBytes, received, receivedBytes, refused, links atomic.Uint64
}

// Stats is what a backplane has done so far, for metrics.
type Stats struct {
	// Published counts the messages that Redis has taken, Received those that it has brought, each with the bytes of their
	// payloads. What this server sends to itself counts in both.
	Published, PublishedBytes, Received, ReceivedBytes uint64
	// Refused counts what was received and could not be read.
	Refused uint64
	// Connects is how often the state became [Connected].
	Connects uint64
	// Subscriptions is how many channels of connections, groups and users are heard or will be.
	Subscriptions int
}

// Stats returns the counters.
func (b *Backplane) Stats() Stats {
	c := &b.counters
	return Stats{
		Published: c.published.Load(), PublishedBytes: c.publishedBytes.Load(),
		Received: c.received.Load(), ReceivedBytes: c.receivedBytes.Load(),
		Refused: c.refused.Load(), Connects: c.links.Load(), Subscriptions: b.subs.count(),
	}
}
