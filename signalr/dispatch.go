package signalr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"signalbox/signalr/internal/httpconn"
	"signalbox/signalr/protocol"
)

// Invocation is a call of a client on its way to a handler. It must not be used after the handler has returned.
//
// ASP.NET Core: HubInvocationContext.
type Invocation struct {
	conn    *Connection
	msg     *protocol.Invocation
	method  *Method
	ctx     invocationContext
	bindErr error // what Decode failed with
	uploads []*upload
	turn    bool // holds one of the connection's turns; guarded by conn.mu

	// Here to save their allocations: what the adapters of func.go decode into, and the answer.
	dst  [3]any
	done protocol.Completion
}

// Target returns the name of the method as it was registered.
func (inv *Invocation) Target() string { return inv.method.Name }

// Caller returns the connection that calls.
func (inv *Invocation) Caller() *Caller { return &inv.conn.caller }

// Headers returns the headers of the message (F-062).
func (inv *Invocation) Headers() protocol.Headers { return inv.msg.Headers }

// Decode decodes the arguments into what dst points to, one for each parameter of the method but streams. A handler
// calls it first, once, and returns its error as it is: the client is then told that the arguments do not fit (F-081).
func (inv *Invocation) Decode(dst ...any) error {
	err := inv.msg.ArgumentsErr
	if err == nil {
		err = inv.conn.proto.DecodeArguments(inv.msg.RawArguments, dst...)
	} else {
		err = &protocol.ArgumentError{Err: err}
	}
	inv.bindErr = err
	return err
}

// decode is Decode for at most three arguments, without a slice of its own.
func (inv *Invocation) decode(n int, a, b, c any) error {
	inv.dst = [3]any{a, b, c}
	return inv.Decode(inv.dst[:n]...)
}

// invocationContext is the connection's context with the invocation in it, so that a client result can give the
// invocation's turn back (F-094). It lives in the Invocation to save the allocation.
type invocationContext struct {
	context.Context
	inv *Invocation
}

type invocationKey struct{}

func (c *invocationContext) Value(key any) any {
	if key == (invocationKey{}) {
		return c.inv
	}
	return c.Context.Value(key)
}

// accept takes an invocation on: it finds the method, takes a turn and claims the streams that come along. Calls that
// cannot run are answered here, and the result is nil.
func (c *Connection) accept(m *protocol.Invocation) *Invocation {
	method := c.hub.method(m.Target)
	if method == nil {
		c.refuseCall(m, "Failed to invoke '"+m.Target+"' due to an error on the server. HubException: Method does not exist.")
		return nil
	}
	if m.ArgumentsErr != nil && m.Stream != (method.Stream != nil) {
		// Binding comes before the mode. More than this cannot be told here: only the handler knows its types.
		c.refuseCall(m, describe("Failed to invoke '"+method.Name+"' due to an error on the server.",
			&protocol.ArgumentError{Err: m.ArgumentsErr}, c.hub.opts.EnableDetailedErrors))
		return nil
	}
	switch {
	case m.Stream && method.Stream == nil:
		c.refuseCall(m, "The client attempted to invoke the non-streaming '"+method.Name+"' method with a streaming invocation.")
		return nil
	case !m.Stream && method.Stream != nil:
		c.refuseCall(m, "The client attempted to invoke the streaming '"+method.Name+"' method with a non-streaming invocation.")
		return nil
	case len(m.StreamIDs) != method.StreamArgs:
		c.refuseCall(m, fmt.Sprintf("%s HubException: Client sent %d stream(s), Hub method expects %d.", unexpected(method), len(m.StreamIDs), method.StreamArgs))
		return nil
	}
	inv := &Invocation{conn: c, msg: m, method: method}
	inv.ctx = invocationContext{c.Context(), inv}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !m.Stream && method.StreamArgs == 0 {
		c.running++
		c.lastStart = c.http.Now()
		inv.turn = true
		return inv
	}
	if id := m.InvocationID; m.Stream {
		if _, taken := c.streams[id]; taken {
			c.refuseCallLocked(m, "Invocation ID '"+id+"' is already in use.")
			return nil
		}
	}
	for i, id := range m.StreamIDs {
		if c.uploads[id] != nil || slices.Contains(m.StreamIDs[:i], id) {
			c.refuseCallLocked(m, unexpected(method)+" HubException: Stream ID '"+id+"' is already in use.")
			return nil
		}
	}
	c.claimStreamsLocked(inv)
	return inv
}

// unexpected is how the text of an error begins that the reference throws before the method runs (F-100).
func unexpected(method *Method) string {
	return "An unexpected error occurred invoking '" + method.Name + "' on the server."
}

// refuseCall answers a call that cannot run, if an answer is wanted (F-087).
func (c *Connection) refuseCall(m *protocol.Invocation, text string) {
	c.hub.opts.Logger.Debug("call refused", "connection", c.ID(), "method", m.Target, "error", text)
	if m.InvocationID == "" {
		return
	}
	done := &protocol.Completion{InvocationID: m.InvocationID, Error: text, HasError: true}
	if c.replay == nil {
		_ = c.answer(done, false) // a text can be encoded
		return
	}
	// The pump must not wait for an acknowledgement that only it can read.
	if f, err := encodeFrame(c.proto, done); err == nil {
		c.push(f)
	}
}

// refuseCallLocked is refuseCall with the lock held, which it gives up meanwhile.
func (c *Connection) refuseCallLocked(m *protocol.Invocation, text string) {
	c.mu.Unlock()
	defer c.mu.Lock()
	c.refuseCall(m, text)
}

// Run runs the invocation, and what waited for it to end. It implements httpconn.Task.
func (inv *Invocation) Run() { runAll(inv) }

// Short implements [httpconn.ShortTask]: while a call runs that keeps the others waiting, there is little to read.
func (inv *Invocation) Short() bool {
	return inv.conn.hub.opts.MaximumParallelInvocationsPerClient == 1 && !inv.msg.Stream && len(inv.uploads) == 0
}

func (inv *Invocation) do() httpconn.Task {
	c := inv.conn
	if inv.msg.Stream {
		inv.runStream()
	} else {
		inv.runPlain()
	}
	c.mu.Lock()
	if inv.turn {
		inv.turn = false
		c.running--
	}
	c.forgetUploadsLocked(inv)
	c.mu.Unlock()
	return c.resume()
}

func (inv *Invocation) runPlain() {
	result, err := inv.call()
	done := &inv.done
	if err != nil {
		done.Error, done.HasError = inv.failure(err), true // also logs it, which nobody else does when no answer is wanted
	}
	done.InvocationID = inv.msg.InvocationID
	if done.InvocationID == "" {
		return
	}
	if err == nil {
		done.Result, done.HasResult = result, true // null where there is none (F-087)
	}
	if err := inv.conn.answer(done, true); err != nil {
		inv.unencodable("a result cannot be encoded", err)
	}
}

// unencodable ends the connection because of a value that the method gave, which is the method's fault (F-088).
func (inv *Invocation) unencodable(text string, err error) {
	inv.logFailure(text, err)
	inv.conn.fail(err)
}

// call runs the handler; a panic in it is an error like others.
func (inv *Invocation) call() (result any, err error) {
	defer inv.recovered(&err)
	return inv.method.Invoke(&inv.ctx, inv)
}

func (inv *Invocation) recovered(err *error) {
	if p := recover(); p != nil {
		*err = &panicError{p}
		inv.conn.hub.opts.Logger.Error("hub method panicked", "connection", inv.conn.ID(), "method", inv.method.Name,
			"panic", p, "stack", string(debug.Stack()))
	}
}

// panicError is a panic of a handler.
type panicError struct{ value any }

func (e *panicError) Error() string     { return fmt.Sprint(e.value) }
func (e *panicError) ErrorName() string { return "panic" }

// failure is what the client is told of an error (F-081, F-084).
func (inv *Invocation) failure(err error) string {
	h := inv.conn.hub
	if inv.bindErr != nil && errors.Is(err, inv.bindErr) {
		inv.logBinding()
		return describe("Failed to invoke '"+inv.method.Name+"' due to an error on the server.", inv.bindErr, h.opts.EnableDetailedErrors)
	}
	inv.logFailure("hub method failed", err)
	return describe("An unexpected error occurred invoking '"+inv.method.Name+"' on the server.", err, h.opts.EnableDetailedErrors)
}

// logFailure logs what a method failed with. A [HubError] is an answer that the method gives on purpose, which a client
// can ask for as often as it likes: nobody must be able to fill the log with warnings that way. Nor by going away, which
// ends the context of a method that runs.
//
// ASP.NET Core logs every exception of a method as an error, HubException among them.
func (inv *Invocation) logFailure(text string, err error) {
	level := slog.LevelWarn
	if _, ok := errors.AsType[*HubError](err); ok || inv.ctx.Err() != nil && errors.Is(err, inv.ctx.Err()) {
		level = slog.LevelDebug
	}
	inv.conn.hub.opts.Logger.Log(&inv.ctx, level, text, "connection", inv.conn.ID(), "method", inv.method.Name, "error", err)
}

// logBinding logs arguments that do not fit, with what is wrong about them. Clients can send such at will, so that it is
// no warning.
func (inv *Invocation) logBinding() {
	attrs := []any{"connection", inv.conn.ID(), "method", inv.method.Name, "error", inv.bindErr}
	if arg, ok := errors.AsType[*protocol.ArgumentError](inv.bindErr); ok {
		attrs = append(attrs, "argument", arg.Index, "cause", arg.Err)
	}
	inv.conn.hub.opts.Logger.DebugContext(&inv.ctx, "arguments do not fit", attrs...)
}

// yieldTurn gives the turn of the invocation that ctx belongs to back, for good, while it waits for its client (F-094).
func (c *Connection) yieldTurn(ctx context.Context) {
	inv, _ := ctx.Value(invocationKey{}).(*Invocation)
	if inv == nil || inv.conn != c {
		return
	}
	c.mu.Lock()
	had := inv.turn
	if had {
		inv.turn = false
		c.running--
	}
	c.mu.Unlock()
	if had {
		c.http.Workers().Do((*resumption)(c))
	}
}

// callConnected runs the hub's OnConnected.
func (h *Hub) callConnected(ctx context.Context, caller *Caller) (err error) {
	if h.onConnected == nil {
		return nil
	}
	defer recoverInto(&err, h, caller)
	return h.onConnected(ctx, caller)
}

// callDisconnected runs the hub's OnDisconnected.
func (h *Hub) callDisconnected(ctx context.Context, caller *Caller, cause error) (err error) {
	if h.onDisconnected == nil {
		return nil
	}
	defer recoverInto(&err, h, caller)
	return h.onDisconnected(ctx, caller, cause)
}

func recoverInto(err *error, h *Hub, caller *Caller) {
	if p := recover(); p != nil {
		*err = &panicError{p}
		h.opts.Logger.Error("a hub's event handler panicked", "connection", caller.ConnectionID(), "panic", p,
			"stack", string(debug.Stack()))
	}
}
