package redisbackplane

import (
	"context"

	"signalbox/signalr"
)

// OnConnected implements [signalr.HubLifetimeManager]: when it returns, other servers reach the connection (F-165). Without
// Redis the connection is welcome all the same; they reach it once Redis is back.
func (b *Backplane) OnConnected(ctx context.Context, conn *signalr.Connection) error {
	b.membership.Lock()
	if err := b.local.OnConnected(ctx, conn); err != nil {
		b.membership.Unlock()
		return err
	}
	waits := []<-chan struct{}{b.subs.set(b.names.name(kindConnection, conn.ID()), true)}
	if user := conn.UserID(); user != "" {
		waits = append(waits, b.subs.set(b.names.name(kindUser, user), true))
	}
	b.membership.Unlock()
	return waitFor(ctx, waits...)
}

// OnDisconnected implements [signalr.HubLifetimeManager]. It does not wait for Redis. Who waits for a result of the
// connection is told (F-175).
func (b *Backplane) OnDisconnected(ctx context.Context, conn *signalr.Connection) error {
	b.membership.Lock()
	defer b.membership.Unlock()
	if b.local.Connection(conn.ID()) != conn {
		return nil
	}
	groups := b.local.GroupsOf(conn.ID())
	if err := b.local.OnDisconnected(ctx, conn); err != nil {
		return err
	}
	b.subs.set(b.names.name(kindConnection, conn.ID()), false)
	if user := conn.UserID(); user != "" {
		b.subs.set(b.names.name(kindUser, user), b.local.HasUser(user))
	}
	for _, g := range groups {
		b.subs.set(b.names.name(kindGroup, g), b.local.HasGroup(g))
	}
	b.abandon(conn)
	return nil
}

// waitFor waits for channels to be closed; nil ones are passed over.
func waitFor(ctx context.Context, waits ...<-chan struct{}) error {
	for _, w := range waits {
		if w == nil {
			continue
		}
		select {
		case <-w:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
