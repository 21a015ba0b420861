package churn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
	"signalbox/signalr/transport"
)

// lifetime bounds one life: whatever takes longer hangs. On a busy machine a large crowd is slow.
func lifetime() time.Duration { return 2*time.Minute + time.Duration(*crowd)*time.Second/2 }

// The ways in which a life ends.
const (
	endPolitely = "goodbye"   // a Close message, or what the transport has for it
	endLeave    = "transport" // what the transport has for it
	endCut      = "cut"       // sockets are reset between two exchanges
	endCutLater = "cut later" // sockets are reset at some time, whatever happens then
	endVanish   = "vanish"    // the client stops to come, its sockets stay a while
	endAbort    = "abort"     // the server ends it
	endGarbage  = "garbage"   // the client breaks the rules
)

var ends = []string{endPolitely, endLeave, endCut, endCutLater, endCutLater, endVanish, endAbort, endGarbage}

// life is one connection of a client, from its first request to its last.
type life struct {
	h    *host
	rng  *rand.Rand
	w    *wires
	kind transport.Type
	user string
	end  string
	// stateful: the sockets are cut now and then, and the client comes back with others.
	stateful bool
	// expectCut is set before the sockets are reset: all fails from then on.
	expectCut atomic.Bool
	*client
}

// live lives one life and says what it was. It fails with errClosed when the server has ended it; another error is one
// that should not be.
func live(ctx context.Context, h *host, rng *rand.Rand) (name string, err error) {
	ctx, cancel := context.WithTimeout(ctx, lifetime())
	defer cancel()
	l := &life{h: h, rng: rng, w: newWires(), end: ends[rng.IntN(len(ends))]}
	defer l.w.end()
	l.kind = []transport.Type{transport.WebSockets, transport.ServerSentEvents, transport.LongPolling}[rng.IntN(3)]
	if rng.IntN(3) > 0 {
		l.user = fmt.Sprintf("user%d", rng.IntN(50))
	}
	var proto protocol.HubProtocol = jsonprotocol.New(nil)
	if l.kind != transport.ServerSentEvents && rng.IntN(2) == 0 {
		proto = msgpackprotocol.New(nil)
	}
	l.client = &client{proto: proto, rng: rng, next: 1}
	l.stateful = l.kind == transport.WebSockets && rng.IntN(3) == 0
	name = l.kind.String() + " " + proto.Name()
	if l.stateful {
		name += " stateful"
	}
	name += ", " + l.end
	if l.end == endCutLater && !l.stateful {
		later := time.AfterFunc(time.Duration(rng.Int64N(int64(time.Second))), func() {
			l.expectCut.Store(true)
			l.w.kill()
		})
		defer later.Stop()
	}
	err = l.run(ctx)
	if errors.Is(err, errGone) && l.client.link != nil {
		l.redial = nil
		if last := l.untilEnd(ctx); errors.Is(last, errClosed) {
			err = last // the reason was still to be read
		}
	}
	switch {
	case l.expectCut.Load():
		return name, nil
	case errors.Is(err, errClosed), errors.Is(err, errGone):
		return name, errClosed
	case err != nil:
		return name, fmt.Errorf("%s: %w", name, err)
	}
	return name, nil
}

func (l *life) run(ctx context.Context) error {
	query := "negotiateVersion=" + fmt.Sprint(l.rng.IntN(2))
	if l.stateful {
		query += "&useStatefulReconnect=true"
	}
	hub := l.h.web.URL + "/hub"
	target := hub
	if l.stateful || l.kind != transport.WebSockets || l.rng.IntN(2) == 0 {
		var err error
		if target, err = l.w.negotiate(ctx, hub, l.user, query); err != nil {
			return err
		}
	}
	if l.rng.IntN(30) == 0 { // and never comes
		return nil
	}
	binary := l.proto.TransferFormat() == transport.Binary
	redial := func() (link, error) { return open(ctx, l.w, l.kind, target, l.user, binary) }
	var err error
	if l.link, err = redial(); err != nil {
		return err
	}
	if l.rng.IntN(30) == 0 { // and goes again without a handshake
		return nil
	}
	version := 1
	if l.stateful {
		version = 2
	}
	if err := l.shakeHands(ctx, version); err != nil {
		return err
	}
	if l.stateful {
		l.redial = redial
		defer l.pullCables()()
	}
	for range l.rng.IntN(10) {
		if err := l.pause(ctx); err != nil {
			return err
		}
		op := operations[l.rng.IntN(len(operations))]
		if err := op.run(l, ctx); err != nil {
			return fmt.Errorf("%s: %w", op.name, err)
		}
	}
	err = l.finish(ctx)
	if l.stateful && ctx.Err() == nil {
		return nil // its sockets are cut meanwhile, and it does not come back any more
	}
	return err
}

// pullCables resets the sockets again and again, until stop is called.
func (l *life) pullCables() (stop func()) {
	tick := time.NewTicker(50*time.Millisecond + time.Duration(l.rng.Int64N(int64(time.Second))))
	enough, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for range 3 {
			select {
			case <-tick.C:
				l.w.cut()
			case <-enough:
				return
			}
		}
	}()
	return func() {
		tick.Stop()
		close(enough)
		<-stopped
	}
}

// pause is the time that people take: the longer the more there are, so that a machine can bear them.
func (l *life) pause(ctx context.Context) error {
	timer := time.NewTimer(time.Duration(l.rng.ExpFloat64() * float64(*crowd) * float64(4*time.Millisecond)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// operations are what a client does, in any order.
var operations = []struct {
	name string
	run  func(l *life, ctx context.Context) error
}{
	{"Echo", (*life).echo},
	{"many calls at once", (*life).burst},
	{"groups", (*life).groups},
	{"user", (*life).tellUser},
	{"Count", (*life).count},
	{"Count, cancelled", (*life).cancelled},
	{"Sum", (*life).sum},
	{"Mirror", (*life).mirror},
	{"Ask", (*life).ask},
	{"AskAnybody", (*life).askAnybody},
	{"Fail", (*life).failing},
	{"Wait", (*life).wait},
}

func (l *life) echo(ctx context.Context) error {
	text := strings.Repeat("é", l.rng.IntN(1<<l.rng.IntN(14)+1))
	done, err := l.call(ctx, nil, "Echo", text)
	if err != nil {
		return err
	}
	got, err := result[string](l.client, done)
	if err == nil && got != text {
		err = fmt.Errorf("%d bytes came back as %d others", len(text), len(got))
	}
	return err
}

// burst sends calls without waiting: the answers come in their order.
func (l *life) burst(ctx context.Context) error {
	var ids []string
	var msgs []protocol.Message
	for range 1 + l.rng.IntN(20) {
		ids = append(ids, l.newID())
		msgs = append(msgs, &protocol.Invocation{InvocationID: ids[len(ids)-1], Target: "Echo", Arguments: []any{"x"}})
	}
	if err := l.write(ctx, msgs...); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := l.await(ctx, id, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) groups(ctx context.Context) error {
	group, text := fmt.Sprintf("group%d", l.rng.IntN(20)), fmt.Sprint("news ", l.rng.Uint64())
	if done, err := l.call(ctx, nil, "Join", group); err != nil || done.HasError {
		return fmt.Errorf("Join: %+v %w", done, err)
	}
	if err := l.heard(ctx, text, "TellGroup", group, text); err != nil || l.rng.IntN(2) == 0 {
		return err
	}
	_, err := l.call(ctx, nil, "Leave", group)
	return err
}

func (l *life) tellUser(ctx context.Context) error {
	text := fmt.Sprint("news ", l.rng.Uint64())
	if l.user == "" {
		_, err := l.call(ctx, nil, "TellUser", text) // to nobody
		return err
	}
	return l.heard(ctx, text, "TellUser", text)
}

// heard calls a method that sends a text to those that the client is one of: it comes before the answer.
func (l *life) heard(ctx context.Context, text, target string, args ...any) error {
	var told []string
	done, err := l.call(ctx, &told, target, args...)
	if err == nil && (done.HasError || !slices.Contains(told, text)) {
		err = fmt.Errorf("%q did not come before %+v", text, done)
	}
	return err
}

// stream calls a streaming method and checks that n numbers come from 0 on, or that their end comes after the client has
// cancelled it.
func (l *life) stream(ctx context.Context, n int, cancelAt int, m *protocol.Invocation, more ...protocol.Message) error {
	if err := l.write(ctx, append([]protocol.Message{m}, more...)...); err != nil {
		return err
	}
	next := 0
	done, err := l.await(ctx, m.InvocationID, nil, func(item int) error {
		if item != next {
			return fmt.Errorf("item %d came after %d", item, next-1)
		}
		if next++; next == cancelAt {
			return l.write(ctx, &protocol.CancelInvocation{InvocationID: m.InvocationID})
		}
		return nil
	})
	if err == nil && (done.HasError || cancelAt == 0 && next != n) {
		err = fmt.Errorf("after %d items of %d came %+v", next, n, done)
	}
	return err
}

func (l *life) count(ctx context.Context) error {
	n := l.rng.IntN(200)
	return l.stream(ctx, n, 0, &protocol.Invocation{InvocationID: l.newID(), Target: "Count", Arguments: []any{n, false}, Stream: true})
}

// cancelled cancels a stream that has no end, while items come or when no more do.
func (l *life) cancelled(ctx context.Context) error {
	at := 1 + l.rng.IntN(50)
	n := at + l.rng.IntN(1000)*l.rng.IntN(2) // more than the queue holds, or no more than are waited for
	m := &protocol.Invocation{InvocationID: l.newID(), Target: "Count", Arguments: []any{n, true}, Stream: true}
	return l.stream(ctx, 0, at, m)
}

// upload is a call with a stream of n numbers from 0 on.
func (l *life) upload(target string, streams bool, n int) (*protocol.Invocation, []protocol.Message) {
	stream := "up" + l.newID()
	m := &protocol.Invocation{InvocationID: l.newID(), Target: target, Arguments: []any{}, StreamIDs: []string{stream}, Stream: streams}
	var items []protocol.Message
	for i := range n {
		items = append(items, &protocol.StreamItem{InvocationID: stream, Item: i})
	}
	return m, append(items, &protocol.Completion{InvocationID: stream})
}

func (l *life) sum(ctx context.Context) error {
	n := l.rng.IntN(100)
	m, items := l.upload("Sum", false, n)
	if err := l.write(ctx, append([]protocol.Message{m}, items...)...); err != nil {
		return err
	}
	done, err := l.await(ctx, m.InvocationID, nil, nil)
	if err != nil {
		return err
	}
	got, err := result[int](l.client, done)
	if want := n * (n - 1) / 2; err == nil && got != want {
		err = fmt.Errorf("got %d, want %d", got, want)
	}
	return err
}

func (l *life) mirror(ctx context.Context) error {
	n := l.rng.IntN(50)
	m, items := l.upload("Mirror", true, n)
	return l.stream(ctx, n, 0, m, items...)
}

func (l *life) ask(ctx context.Context) error {
	n := l.rng.IntN(1000)
	done, err := l.call(ctx, nil, "Ask", n)
	if err != nil {
		return err
	}
	got, err := result[int](l.client, done)
	if err == nil && got != 2*n {
		err = fmt.Errorf("got %d, want %d", got, 2*n)
	}
	return err
}

// askAnybody asks a client that may be busy, or gone: only that there is an answer is certain.
func (l *life) askAnybody(ctx context.Context) error {
	_, err := l.call(ctx, nil, "AskAnybody", l.rng.IntN(1000))
	return err
}

func (l *life) failing(ctx context.Context) error {
	target, args := "Fail", []any{"on purpose"}
	if l.rng.IntN(2) == 0 {
		target, args = "Panic", nil
	}
	done, err := l.call(ctx, nil, target, args...)
	if err == nil && !done.HasError {
		err = fmt.Errorf("%s was answered without an error", target)
	}
	return err
}

// wait leaves a call behind that ends with the connection: with the one turn that there is, nothing else is answered
// after it. The connection is cut.
func (l *life) wait(ctx context.Context) error {
	if l.redial != nil {
		return nil
	}
	if err := l.write(ctx, &protocol.Invocation{InvocationID: l.newID(), Target: "Wait", Arguments: []any{}}); err != nil {
		return err
	}
	l.expectCut.Store(true)
	l.w.kill()
	return errClosed
}

// finish ends the life.
func (l *life) finish(ctx context.Context) error {
	switch l.end {
	case endPolitely:
		if err := l.write(ctx, &protocol.Close{}); err != nil {
			return err
		}
		return l.ended(ctx)
	case endLeave:
		return l.link.leave(ctx)
	case endAbort:
		if err := l.write(ctx, &protocol.Invocation{Target: "Abort", Arguments: []any{}}); err != nil {
			return err
		}
		return l.ended(ctx)
	case endGarbage:
		l.redial = nil
		garbage := "this is nothing \x1e"
		if l.proto.TransferFormat() == transport.Binary {
			garbage = "\x05\xc1\xc1\xc1\xc1\xc1"
		}
		if err := l.link.send(ctx, []byte(garbage)); err != nil {
			return err
		}
		if err := l.untilEnd(ctx); !strings.Contains(err.Error(), "Connection closed with an error") {
			return fmt.Errorf("garbage was answered with: %w", err)
		}
		return nil
	case endVanish:
		return l.pause(ctx)
	default: // the sockets are cut at the end of every life
		return nil
	}
}

// ended reads until the connection has ended as the client has asked.
func (l *life) ended(ctx context.Context) error {
	l.redial = nil
	if err := l.untilEnd(ctx); !errors.Is(err, errClosed) {
		return err
	}
	return nil
}

// untilEnd reads until the connection is over, and returns how it ended: with errClosed if it went well.
func (l *life) untilEnd(ctx context.Context) error {
	for {
		if _, err := l.read(ctx); err != nil {
			if errors.Is(err, io.EOF) {
				return errClosed
			}
			return err
		}
	}
}
