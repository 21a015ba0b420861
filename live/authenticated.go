package live

import (
	"context"
	"errors"

	"signalbox"
	"signalbox/signalr"
)

// AuthenticatedHub is what every hub of the server builds on: it ends connections that have no identity, even where the
// middleware that should have refused them was forgotten, and tells of all others who is present.
type AuthenticatedHub struct {
	// Presence, if set, is told of every connection of a user. That it cannot tell other nodes at the moment costs
	// nothing.
	Presence signalbox.ConnectionTracker
}

// OnConnected ends the connection if nobody is signed in on it, else its user is present. A hub that fails to do the rest
// must undo that with OnDisconnected, which is not called then.
func (h AuthenticatedHub) OnConnected(ctx context.Context, c *signalr.Caller) error {
	if c.UserID() == "" {
		c.Abort()
		return nil
	}
	if h.Presence == nil {
		return nil
	}
	return present(h.Presence.Add(ctx, c.UserID(), c.ConnectionID()))
}

// OnDisconnected undoes what OnConnected did.
func (h AuthenticatedHub) OnDisconnected(ctx context.Context, c *signalr.Caller, _ error) error {
	if h.Presence == nil || c.UserID() == "" {
		return nil
	}
	return present(h.Presence.Remove(ctx, c.UserID(), c.ConnectionID()))
}

// present returns what is wrong with a change of presence but that others do not know it yet: the tracker makes that good.
func present(err error) error {
	if errors.Is(err, signalbox.ErrPresencePartial) {
		return nil
	}
	return err
}

// authenticated says whether the connection has an identity. Methods ask it too: being called at all must not depend on
// how a connection was made.
func (AuthenticatedHub) authenticated(c *signalr.Caller) error {
	if c.UserID() == "" {
		return signalr.Errorf("Not authenticated")
	}
	return nil
}
