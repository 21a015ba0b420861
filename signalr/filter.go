package signalr

import (
	"context"
	"iter"
)

// HubFilter wraps what a hub does: a nil field leaves it as it is. A filter may skip next, change the result or the
// error, and is held to the same rules as the method itself: of its errors, clients see those of [HubError] alone.
// Filters run after the checks of mode and streams; unknown methods do not reach them (F-145 to F-148).
//
// ASP.NET Core: IHubFilter.
type HubFilter struct {
	// InvokeMethod wraps methods that do not stream. The arguments are decoded behind next: an error of binding comes
	// out of it.
	InvokeMethod func(ctx context.Context, inv *Invocation, next HandlerFunc) (any, error)
	// InvokeStream wraps methods that stream; it sees the stream, and may wrap it.
	InvokeStream func(ctx context.Context, inv *Invocation, next StreamHandlerFunc) (iter.Seq2[any, error], error)
	// OnConnected and OnDisconnected wrap the hub's events, also where the hub has no handler of its own.
	OnConnected    func(ctx context.Context, c *Caller, next func(context.Context, *Caller) error) error
	OnDisconnected func(ctx context.Context, c *Caller, cause error, next func(context.Context, *Caller, error) error) error
}

// applyFilters wraps methods and events once, when the hub is mapped: a hub without filters pays nothing. The first
// filter is the outermost (F-146).
func (h *Hub) applyFilters() {
	for i := len(h.opts.Filters) - 1; i >= 0; i-- {
		f := h.opts.Filters[i]
		for _, m := range h.methods {
			if next := m.Invoke; next != nil && f.InvokeMethod != nil {
				m.Invoke = func(ctx context.Context, inv *Invocation) (any, error) { return f.InvokeMethod(ctx, inv, next) }
			}
			if next := m.Stream; next != nil && f.InvokeStream != nil {
				m.Stream = func(ctx context.Context, inv *Invocation) (iter.Seq2[any, error], error) {
					return f.InvokeStream(ctx, inv, next)
				}
			}
		}
		if f.OnConnected != nil {
			next := h.onConnected
			if next == nil {
				next = func(context.Context, *Caller) error { return nil }
			}
			h.onConnected = func(ctx context.Context, c *Caller) error { return f.OnConnected(ctx, c, next) }
		}
		if f.OnDisconnected != nil {
			next := h.onDisconnected
			if next == nil {
				next = func(context.Context, *Caller, error) error { return nil }
			}
			h.onDisconnected = func(ctx context.Context, c *Caller, cause error) error {
				return f.OnDisconnected(ctx, c, cause, next)
			}
		}
	}
}
