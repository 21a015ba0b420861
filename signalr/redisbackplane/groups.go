package redisbackplane

import (
	"context"
	"fmt"
	"time"
)

// AddToGroup implements [signalr.HubLifetimeManager]. A connection of this server is in the group at once, and other
// servers' messages to it arrive when AddToGroup returns, or, without Redis, when Redis is back. For any other connection
// its server is asked, and AddToGroup returns when it has confirmed (F-170 to F-172); it fails with
// [ErrBackplaneUnavailable], [ErrOutcomeUnknown], or [context.DeadlineExceeded] after [Options].AckTimeout. Group names are
// told apart byte for byte, unlike with ASP.NET Core, which mixes up names that differ in case (F-173).
func (b *Backplane) AddToGroup(ctx context.Context, connectionID, group string) error {
	return b.changeGroups(ctx, actionAdd, connectionID, []string{group})
}

// AddToGroups implements [signalr.GroupsAdder]: it is AddToGroup for many groups in a few round trips.
func (b *Backplane) AddToGroups(ctx context.Context, connectionID string, groups []string) error {
	return b.changeGroups(ctx, actionAdd, connectionID, groups)
}

// RemoveFromGroup implements [signalr.HubLifetimeManager]. It is to AddToGroup what leaving is to joining.
func (b *Backplane) RemoveFromGroup(ctx context.Context, connectionID, group string) error {
	return b.changeGroups(ctx, actionRemove, connectionID, []string{group})
}

func (b *Backplane) changeGroups(ctx context.Context, action uint8, connectionID string, groups []string) error {
	if waits, ok := b.changeLocalGroups(ctx, action, connectionID, groups); ok {
		return waitFor(ctx, waits...)
	}
	if len(groups) == 0 {
		return nil
	}
	l := b.link.Load()
	if l == nil {
		return b.unavailable(nil)
	}
	bound, cancel := context.WithTimeoutCause(ctx, b.opts.AckTimeout, fmt.Errorf(
		"connection %q: no server has confirmed the change of its groups: %w", connectionID, context.DeadlineExceeded))
	defer cancel()
	if gone, err := b.isGone(bound, l, connectionID); gone || err != nil {
		return err
	}
	return b.commandGroups(bound, l, action, connectionID, groups)
}

// changeLocalGroups changes the groups of a connection of this server; ok is false when it is another's. What is returned
// is closed when Redis knows.
func (b *Backplane) changeLocalGroups(
	ctx context.Context, action uint8, connectionID string, groups []string,
) (waits []<-chan struct{}, ok bool) {
	b.membership.Lock()
	defer b.membership.Unlock()
	if b.local.Connection(connectionID) == nil {
		return nil, false
	}
	for _, g := range groups {
		switch action { // neither ever fails
		case actionAdd:
			_ = b.local.AddToGroup(ctx, connectionID, g)
		case actionRemove:
			_ = b.local.RemoveFromGroup(ctx, connectionID, g)
		}
		w := b.subs.set(b.names.name(kindGroup, g), b.local.HasGroup(g))
		if w != nil && (len(waits) == 0 || waits[len(waits)-1] != w) { // most are the same
			waits = append(waits, w)
		}
	}
	return waits, true
}

// isGone says whether no server has the connection, as far as Redis can tell.
func (b *Backplane) isGone(ctx context.Context, l *link, connectionID string) (bool, error) {
	channel := b.names.name(kindConnection, connectionID)
	n, known, err := b.hearers(ctx, l, channel)
	if b.subs.isHeard(channel) {
		n-- // it has just ended here
	}
	return known && n <= 0, err
}

// commandGroups asks the connection's server, and waits until it has confirmed.
func (b *Backplane) commandGroups(ctx context.Context, l *link, action uint8, connectionID string, groups []string) error {
	channel := b.names.name(kindGroups, "")
	for len(groups) > 0 {
		n := min(len(groups), messagesAtATime)
		pubs, acks := make([]publication, n), make([]<-chan struct{}, n)
		for i, g := range groups[:n] {
			c := groupCommand{ID: b.commands.Add(1), Server: b.server, Action: action, Group: g, ConnectionID: connectionID}
			pubs[i] = publication{channel, c.append(nil)}
			acks[i] = wait(&b.waits, b.waits.acks, c.ID, 1)
			defer forget(&b.waits, b.waits.acks, c.ID)
		}
		for _, p := range b.publishOn(ctx, l, pubs) {
			if p.err != nil {
				return p.err
			}
		}
		for _, ack := range acks {
			select {
			case <-ack:
			case <-l.down:
				return fmt.Errorf("%w: %w", ErrOutcomeUnknown, context.Cause(l.ctx))
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		groups = groups[n:]
	}
	return nil
}

// commanded does what another server asks for, if the connection is one of this server (F-171).
func (b *Backplane) commanded(payload []byte) error {
	c, err := parseGroupCommand(payload)
	if err != nil || c.Server == b.server { // our own comes back
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // nothing here waits
	defer cancel()
	if _, ok := b.changeLocalGroups(ctx, c.Action, c.ConnectionID, []string{c.Group}); ok {
		b.subs.publish(b.names.name(kindAck, c.Server), appendAck(nil, c.ID))
	}
	return nil
}

// acknowledged takes a confirmation (F-171).
func (b *Backplane) acknowledged(payload []byte) error {
	id, err := parseAck(payload)
	if err != nil {
		return err
	}
	deliver(&b.waits, b.waits.acks, id, struct{}{})
	return nil
}
