package redisbackplane

import (
	"context"
	"errors"
	"slices"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
)

// Send implements [signalr.HubLifetimeManager]. It returns when Redis has taken the message; to a single connection of this
// server, when it is in its queue. It fails, with nothing sent, when an argument cannot be encoded in one of the hub's
// protocols. It fails with [ErrBackplaneUnavailable] when the message was delivered on this server alone, and with
// [ErrOutcomeUnknown] when Redis was lost meanwhile or did not answer before ctx's deadline; that ctx is canceled does not
// keep a message back. What comes back through Redis never waits for room in a queue, whoever sent it.
func (b *Backplane) Send(ctx context.Context, to signalr.Target, msg *signalr.SerializedMessage) error {
	if to.Kind == signalr.TargetConnections && len(to.Names) == 1 && b.local.Connection(to.Names[0]) != nil {
		return b.local.Send(ctx, to, msg) // F-169
	}
	if last, ok := msg.Message().(*protocol.Close); ok {
		return b.sendClose(ctx, to, last, msg)
	}
	v, err := b.encode(msg)
	if err != nil {
		return err
	}
	if to.Kind == signalr.TargetAll || to.Kind == signalr.TargetGroups {
		v.Excluded = to.Except // F-168
	}
	payload := v.append(make([]byte, 0, v.size()))
	var pubs []publication
	var names []string // as in pubs
	switch kind := kindOf[to.Kind]; to.Kind {
	case signalr.TargetAll:
		pubs = []publication{{b.names.name(kind, ""), payload}}
	default:
		for i, name := range to.Names {
			if name == "" && to.Kind != signalr.TargetConnections && len(to.Names) > 1 || slices.Contains(to.Names[:i], name) {
				continue // F-169
			}
			pubs = append(pubs, publication{b.names.name(kind, name), payload})
			names = append(names, name)
		}
	}
	return b.distribute(ctx, to, names, pubs, msg)
}

var kindOf = [...]string{
	signalr.TargetAll: kindAll, signalr.TargetConnections: kindConnection,
	signalr.TargetGroups: kindGroup, signalr.TargetUsers: kindUser,
}

// encode encodes a message in all protocols of the hub, in their order (F-166).
func (b *Backplane) encode(msg *signalr.SerializedMessage) (invocation, error) {
	v := invocation{Blobs: make([]signalr.EncodedMessage, len(b.protocols))}
	for i, p := range b.protocols {
		data, err := msg.Bytes(p)
		if err != nil {
			return v, err
		}
		v.Blobs[i] = signalr.EncodedMessage{Protocol: p.Name(), Data: data}
	}
	return v, nil
}

// distribute publishes a message. What Redis is known not to have taken is delivered on this server. names are those of
// the target, one for each publication; none if the target has none.
func (b *Backplane) distribute(
	ctx context.Context, to signalr.Target, names []string, pubs []publication, msg *signalr.SerializedMessage,
) error {
	l := b.link.Load()
	if l == nil {
		if to.Kind == signalr.TargetConnections && b.allHere(names) {
			to.Names = names
			return b.local.Send(ctx, to, msg)
		}
		return b.deliverHere(ctx, to, msg, b.unavailable(nil))
	}
	var failed error
	refused := to
	refused.Names = nil
	for len(pubs) > 0 {
		n := min(len(pubs), messagesAtATime)
		for i, p := range b.publishOn(ctx, l, pubs[:n]) {
			if p.err == nil {
				continue
			}
			if failed == nil || !errors.Is(failed, ErrOutcomeUnknown) {
				failed = p.err
			}
			if errors.Is(p.err, ErrBackplaneUnavailable) && names != nil {
				refused.Names = append(refused.Names, names[i])
			}
		}
		pubs = pubs[n:]
		if names != nil {
			names = names[n:]
		}
	}
	switch {
	case failed == nil && l.ctx.Err() != nil:
		return ErrOutcomeUnknown // Redis has taken it; whether it has come back is not known
	case failed == nil:
		return nil
	case to.Kind == signalr.TargetAll && errors.Is(failed, ErrBackplaneUnavailable), len(refused.Names) > 0:
		if l.ctx.Err() != nil {
			_ = waitFor(ctx, l.down) // what has come in before goes first
		}
		return b.deliverHere(ctx, refused, msg, failed)
	}
	return failed
}

// allHere says whether all these connections are this server's.
func (b *Backplane) allHere(ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return b.local.Connection(id) == nil })
}

// deliverHere delivers a message on this server, and returns why only there.
func (b *Backplane) deliverHere(ctx context.Context, to signalr.Target, msg *signalr.SerializedMessage, why error) error {
	if err := b.local.Send(ctx, to, msg); err != nil {
		return err
	}
	return why
}
