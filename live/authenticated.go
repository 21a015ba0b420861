package live

import (
	"context"

	"signalbox/signalr"
)

// AuthenticatedHub is what every hub of the server builds on: it ends connections that have no identity, even where the
// middleware that should have refused them was forgotten.
type AuthenticatedHub struct{}

// OnConnected ends the connection if nobody is signed in on it.
func (AuthenticatedHub) OnConnected(_ context.Context, c *signalr.Caller) error {
	if c.UserID() == "" {
		c.Abort()
	}
	return nil
}

// OnDisconnected does nothing.
func (AuthenticatedHub) OnDisconnected(context.Context, *signalr.Caller, error) error { return nil }

// authenticated says whether the connection has an identity. Methods ask it too: being called at all must not depend on
// how a connection was made.
func (AuthenticatedHub) authenticated(c *signalr.Caller) error {
	if c.UserID() == "" {
		return signalr.Errorf("Not authenticated")
	}
	return nil
}
