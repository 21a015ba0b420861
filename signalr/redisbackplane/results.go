package redisbackplane

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
)

// answer is what a connection elsewhere has answered.
type answer struct {
	proto protocol.HubProtocol
	res   *protocol.Completion
}

// Invoke implements [signalr.HubLifetimeManager]. A connection of this server is asked directly, any other through Redis
// (F-174). It fails with [ErrBackplaneUnavailable] or [ErrOutcomeUnknown], too.
func (b *Backplane) Invoke(ctx context.Context, connectionID string, inv *protocol.Invocation) (signalr.Result, error) {
	if b.local.Connection(connectionID) != nil {
		return b.local.Invoke(ctx, connectionID, inv)
	}
	inv.InvocationID = newInvocationID()
	v, err := b.encode(signalr.NewSerializedMessage(inv))
	if err != nil {
		return signalr.Result{}, err
	}
	v.InvocationID, v.ReturnChannel = inv.InvocationID, b.names.bare(kindReturn, b.server)
	l := b.link.Load()
	if l == nil {
		return signalr.Result{}, b.unavailable(nil)
	}
	answers := wait(&b.waits, b.waits.asks, inv.InvocationID, 1)
	defer forget(&b.waits, b.waits.asks, inv.InvocationID)
	notThere := &goneError{fmt.Sprintf("Connection '%s' does not exist.", connectionID)}
	if l.cluster != nil { // the reply to PUBLISH does not tell
		if gone, err := b.isGone(ctx, l, connectionID); gone || err != nil {
			return signalr.Result{}, cmp.Or(err, error(notThere))
		}
	}
	channel := b.names.name(kindConnection, connectionID)
	p := b.publishOn(ctx, l, []publication{{channel, v.append(make([]byte, 0, v.size()))}})[0]
	switch {
	case p.err != nil:
		return signalr.Result{}, p.err
	case p.receivers < 1 && l.cluster == nil:
		return signalr.Result{}, notThere
	}
	select {
	case a := <-answers:
		return signalr.NewResult(a.proto, a.res)
	case <-l.down:
		return signalr.Result{}, fmt.Errorf("%w: %w", ErrOutcomeUnknown, context.Cause(l.ctx))
	case <-ctx.Done():
		return signalr.Result{}, canceled(ctx)
	}
}

// canceled is the error of a client result that the server gave up on (F-107).
func canceled(ctx context.Context) error {
	return fmt.Errorf("%w: %w", &signalr.HubError{Message: "Invocation canceled by the server."}, context.Cause(ctx))
}

// newInvocationID returns 22 characters that no server makes twice (F-174).
func newInvocationID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return base64.RawStdEncoding.EncodeToString(id[:])
}

// SetResult implements [signalr.HubLifetimeManager]. An answer that another server waits for is on its way when it
// returns, as far as Redis is there.
func (b *Backplane) SetResult(ctx context.Context, conn *signalr.Connection, res *protocol.Completion) error {
	channel, ok, err := b.asked.answer(conn, res.InvocationID)
	if err != nil {
		return err
	}
	if !ok {
		return b.local.SetResult(ctx, conn, res)
	}
	if res.ResultErr != nil { // there is no value that could be passed on
		res = &protocol.Completion{InvocationID: res.InvocationID, Error: res.ResultErr.Error(), HasError: true}
	}
	b.returnTo(channel, conn.Protocol(), res)
	return nil
}

// returnTo publishes a completion on the channel on which another server waits for it.
func (b *Backplane) returnTo(channel string, p protocol.HubProtocol, res *protocol.Completion) {
	own := *res
	own.Headers = nil
	data, err := p.Append(nil, &own)
	if err != nil { // of what a client has sent, as it is
		b.opts.Logger.Warn("a client's answer could not be passed on", "error", err)
		return
	}
	b.subs.publish(b.names.prefix+channel, appendCompletion(nil, signalr.EncodedMessage{Protocol: p.Name(), Data: data}))
}

// asked are the questions that other servers have put to connections of this one, by invocation id.
type asked struct {
	mu        sync.Mutex
	questions map[string]question
}

type question struct {
	conn    *signalr.Connection
	channel string // where the answer goes, without the prefix
}

func (a *asked) init() { a.questions = make(map[string]question) }

// put adds a question; it fails when there is one with its id.
func (a *asked) put(id string, q question) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, twice := a.questions[id]; twice {
		return errors.New("ID collision occurred when using client results. This is likely a bug in SignalR.")
	}
	a.questions[id] = q
	return nil
}

// answer takes the question that conn answers. It fails when it was put to another.
func (a *asked) answer(conn *signalr.Connection, id string) (channel string, ok bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q, ok := a.questions[id]
	switch {
	case !ok:
		return "", false, nil
	case q.conn != conn:
		return "", false, &foreignAnswerError{conn.ID(), id}
	}
	delete(a.questions, id)
	return q.channel, true, nil
}

// abandon answers what conn was asked and will not answer any more (F-175).
func (b *Backplane) abandon(conn *signalr.Connection) {
	b.asked.mu.Lock()
	defer b.asked.mu.Unlock()
	for id, q := range b.asked.questions {
		if q.conn == conn {
			delete(b.asked.questions, id)
			b.refuse(q.channel, conn.Protocol(), id, "Connection disconnected.")
		}
	}
}

func (b *Backplane) refuse(channel string, p protocol.HubProtocol, id, text string) {
	b.returnTo(channel, p, &protocol.Completion{InvocationID: id, Error: text, HasError: true})
}

// ask notes what another server asks of a connection of this one. The message itself is delivered like any other.
func (b *Backplane) ask(connectionID string, v *invocation) {
	// Whoever leaves now has either been noted before, or is not found any more.
	b.membership.Lock()
	defer b.membership.Unlock()
	conn := b.local.Connection(connectionID)
	if conn == nil {
		b.refuse(v.ReturnChannel, b.protocols[0], v.InvocationID, "Connection disconnected.")
		return
	}
	if err := b.asked.put(v.InvocationID, question{conn, v.ReturnChannel}); err != nil {
		b.refuse(v.ReturnChannel, conn.Protocol(), v.InvocationID, err.Error())
	}
}

// returned reads an answer to a question of this server (F-176).
func (b *Backplane) returned(payload []byte) error {
	e, err := parseCompletion(payload)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(b.protocols, func(p protocol.HubProtocol) bool { return p.Name() == e.Protocol })
	if i < 0 {
		return fmt.Errorf("received a client result for protocol %q, which this server does not support", e.Protocol)
	}
	m, _, err := b.protocols[i].Parse(e.Data)
	if err != nil {
		return fmt.Errorf("reading a client result: %w", err)
	}
	res, ok := m.(*protocol.Completion)
	if !ok {
		return errors.New("reading a client result: it is no Completion")
	}
	deliver(&b.waits, b.waits.asks, res.InvocationID, answer{b.protocols[i], res})
	return nil
}
