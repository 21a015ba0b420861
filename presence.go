package signalbox

import (
	"context"
	"errors"
)

// ErrPresencePartial says that the rest of the farm cannot be asked at the moment. What came with it holds for this node
// alone; a change that failed with it is kept, and told to the others as soon as that is possible.
var ErrPresencePartial = errors.New("presence is known for this node alone")

// ConnectionTracker knows which users are connected, whichever node of the farm they are connected to. It is safe for
// concurrent use, and each call is bounded in time, whatever has become of the other nodes.
//
// A user's connections are those of nodes that are alive. Those of a node that has died vanish together, within the
// bound that the implementation states; see package presence.
//
// ASP.NET pattern: IConnectionTracker.
type ConnectionTracker interface {
	// Add counts a connection of this node. To add it again changes nothing. It fails with [ErrPresencePartial] when the
	// other nodes could not be told yet: there is nothing for the caller to do about it.
	Add(ctx context.Context, userID, connectionID string) error
	// Remove takes back what Add did; a connection that is not there is left alone. It fails as Add does. It takes effect
	// even if ctx has ended.
	Remove(ctx context.Context, userID, connectionID string) error
	// UserConnections returns the ids of the user's connections, sorted. With [ErrPresencePartial] it returns those to
	// this node.
	UserConnections(ctx context.Context, userID string) ([]string, error)
	// IsUserOnline says whether the user has a connection. With [ErrPresencePartial] it says whether there is one to this
	// node.
	IsUserOnline(ctx context.Context, userID string) (bool, error)
	// Counts returns how many users are online and how many connections they have; with [ErrPresencePartial] those of
	// this node.
	Counts(ctx context.Context) (PresenceCounts, error)
	// OnlineUsers returns users who are online, sorted by id: at most limit of those after the id after, which may be
	// empty. Fewer than limit means that there are no more. With [ErrPresencePartial] they are those of this node.
	OnlineUsers(ctx context.Context, after string, limit int) ([]OnlineUser, error)
}

// PresenceCounts is how many users are online, and with how many connections.
type PresenceCounts struct {
	Users       int
	Connections int
}

// OnlineUser is a user who is online, and with how many connections.
type OnlineUser struct {
	UserID      string
	Connections int
}
