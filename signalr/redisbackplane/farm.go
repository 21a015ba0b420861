package redisbackplane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tinylib/msgp/msgp"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
)

// What ASP.NET Core's backplane cannot do has channels of its own, which its servers do not hear and which disturb them
// in nothing: internal:farm, heard by every server of this package, and internal:farm:{server} for replies. The first
// element of a message is its kind; kinds that are not known are passed over, as are elements behind those that are.
const (
	farmClose = 1 // [1, kind of target, [names], [excluded ids], error, allowReconnect]
	farmCount = 2 // [2, number of the question, server that asks]; the reply is [number, server, connections]
)

// sendClose closes connections on all servers, this one included.
func (b *Backplane) sendClose(
	ctx context.Context, to signalr.Target, last *protocol.Close, msg *signalr.SerializedMessage,
) error {
	p := msgp.AppendArrayHeader(nil, 6)
	p = msgp.AppendUint8(p, farmClose)
	p = msgp.AppendUint8(p, uint8(to.Kind))
	p = appendStrings(p, to.Names)
	p = appendStrings(p, to.Except)
	p = msgp.AppendString(p, last.Error)
	p = msgp.AppendBool(p, last.AllowReconnect)
	l := b.link.Load()
	if l == nil {
		return b.deliverHere(ctx, to, msg, b.unavailable(nil))
	}
	err := b.publishOn(ctx, l, []publication{{b.names.name(kindFarm, ""), p}})[0].err
	if errors.Is(err, ErrBackplaneUnavailable) {
		return b.deliverHere(ctx, to, msg, err)
	}
	return err
}

// farmMessage does what another server, or this one, asks of all.
func (b *Backplane) farmMessage(payload []byte) error {
	n, p, err := header("farm", payload, 1)
	if err != nil {
		return err
	}
	kind, p, err := msgp.ReadUint8Bytes(p)
	switch {
	case err != nil:
		return err
	case kind == farmClose && n >= 6:
		return b.farmClose(p)
	case kind == farmCount && n >= 3:
		return b.farmCount(p)
	}
	return nil
}

func (b *Backplane) farmClose(p []byte) error {
	kind, p, err := msgp.ReadUint8Bytes(p)
	var to signalr.Target
	if err == nil {
		to.Names, p, err = readStrings(p)
	}
	if err == nil {
		to.Except, p, err = readStrings(p)
	}
	var last protocol.Close
	if err == nil {
		last.Error, p, err = msgp.ReadStringBytes(p)
	}
	if err == nil {
		last.AllowReconnect, _, err = msgp.ReadBoolBytes(p)
	}
	if err != nil {
		return fmt.Errorf("reading which connections to close: %w", err)
	}
	if to.Kind = signalr.TargetKind(kind); int(to.Kind) >= len(kindOf) {
		return nil // of a later version
	}
	return b.local.Send(context.Background(), to, signalr.NewSerializedMessage(&last))
}

// Counts says how many connections the servers of a farm have.
type Counts struct {
	// Servers are the numbers by [Backplane.ServerName].
	Servers map[string]int
	// Total is their sum.
	Total int
}

type nodeCount struct {
	server string
	n      int
}

// Connections returns the number of connections of this server.
func (b *Backplane) Connections() int { return b.local.Len() }

// Count asks every server that uses this package for its number of connections, and waits for all answers: nothing is kept
// in Redis that could be out of date. ASP.NET Core servers are not counted. It fails with [ErrBackplaneUnavailable] or
// [ErrOutcomeUnknown], or with [context.DeadlineExceeded] when a server does not answer within [Options].Timeout; what is
// known by then is returned with the error. In a Redis Cluster without [Options].Sharded one of whose nodes is away, nobody
// knows how many servers there are, and it takes half a second to wait for those that answer.
func (b *Backplane) Count(ctx context.Context) (Counts, error) {
	c := Counts{Servers: map[string]int{b.server: b.local.Len()}, Total: b.local.Len()}
	l := b.link.Load()
	if l == nil {
		return c, b.unavailable(nil)
	}
	id := b.commands.Add(1)
	answers := wait(&b.waits, b.waits.polls, id, 1024)
	defer forget(&b.waits, b.waits.polls, id)
	servers, known, err := int64(0), true, error(nil)
	if l.cluster != nil { // the reply to PUBLISH does not tell
		if servers, known, err = b.hearers(ctx, l, b.names.name(kindFarm, "")); err != nil {
			return c, err
		}
	}
	q := appendInt(msgp.AppendUint8(msgp.AppendArrayHeader(nil, 3), farmCount), id)
	p := b.publishOn(ctx, l, []publication{{b.names.name(kindFarm, ""), msgp.AppendString(q, b.server)}})[0]
	if p.err != nil {
		return c, p.err
	}
	if l.cluster == nil {
		servers = p.receivers
	}
	limit := b.opts.Timeout
	if !known {
		limit = min(limit, 500*time.Millisecond)
	}
	bound, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf(
		"counting connections: not all of %d servers have answered: %w", servers, context.DeadlineExceeded))
	defer cancel()
	c = Counts{Servers: make(map[string]int)}
	for !known || int64(len(c.Servers)) < servers {
		select {
		case a := <-answers:
			c.Total += a.n - c.Servers[a.server]
			c.Servers[a.server] = a.n
		case <-l.down:
			return c, fmt.Errorf("%w: %w", ErrOutcomeUnknown, context.Cause(l.ctx))
		case <-bound.Done():
			if !known && ctx.Err() == nil {
				return c, nil
			}
			return c, context.Cause(bound)
		}
	}
	return c, nil
}

// farmCount answers who counts.
func (b *Backplane) farmCount(p []byte) error {
	id, p, err := msgp.ReadInt32Bytes(p)
	if err != nil {
		return err
	}
	server, _, err := msgp.ReadStringBytes(p)
	if err != nil {
		return err
	}
	r := appendInt(msgp.AppendArrayHeader(nil, 3), id)
	r = msgp.AppendString(r, b.server)
	b.subs.publish(b.names.name(kindFarmReply, server), appendInt(r, int32(b.local.Len())))
	return nil
}

// farmReply takes the answer of a server that was counted.
func (b *Backplane) farmReply(payload []byte) error {
	_, p, err := header("farm reply", payload, 3)
	if err != nil {
		return err
	}
	id, p, err := msgp.ReadInt32Bytes(p)
	if err != nil {
		return err
	}
	var a nodeCount
	if a.server, p, err = msgp.ReadStringBytes(p); err != nil {
		return err
	}
	n, _, err := msgp.ReadInt32Bytes(p)
	if err != nil {
		return err
	}
	a.n = int(n)
	deliver(&b.waits, b.waits.polls, id, a)
	return nil
}
