package signalr

import (
	"context"

	"signalbox/signalr/protocol"
)

// TargetKind says how a [Target] names its connections.
type TargetKind uint8

// The kinds of targets.
const (
	TargetAll         TargetKind = iota // every connection
	TargetConnections                   // the connections with the ids in Names
	TargetGroups                        // the connections in any of the groups in Names
	TargetUsers                         // the connections of the users in Names
)

// Target says which connections of a hub a message is for.
type Target struct {
	Kind TargetKind
	// Names are connection ids, groups or users, by Kind.
	Names []string
	// Except are the ids of connections that do not get the message, with TargetAll and TargetGroups.
	Except []string
	// Origin is the connection whose hub method sends, or nil. What a connection sends to itself waits for room in its
	// queue; nothing else does.
	Origin *Connection
}

// HubLifetimeManager knows a hub's connections, their groups and users, and reaches them: in this process, or, as a
// backplane does, wherever they are. Its methods are called by many goroutines at once, and those of one connection in
// order. Every implementation passes the suite in signalrtest.
//
// ASP.NET Core: HubLifetimeManager.
type HubLifetimeManager interface {
	// OnConnected adds a connection, before the hub's own OnConnected (F-058). An error ends the connection.
	OnConnected(ctx context.Context, conn *Connection) error
	// OnDisconnected removes it, with its groups, after the hub's own OnDisconnected (F-111).
	OnDisconnected(ctx context.Context, conn *Connection) error
	// Send gives msg to every connection that to names. It returns once they all have it in their queues, or once what
	// carries it to them has taken it; that a connection is gone is no error. Messages that are sent one after the other to
	// the same target arrive in that order. A [protocol.Close] ends the connections.
	Send(ctx context.Context, to Target, msg *SerializedMessage) error
	// Invoke asks one connection for a result and waits for it (F-106, F-107). The InvocationID is the manager's to set.
	// It fails with [ErrConnectionClosed] when the connection does not exist or ends, with a [*HubError] that has the
	// client's text when the client fails, and when ctx ends.
	Invoke(ctx context.Context, connectionID string, inv *protocol.Invocation) (Result, error)
	// SetResult takes an answer that a connection gave. It fails when the question was not for that connection (F-108);
	// answers that nobody waits for are ignored.
	SetResult(ctx context.Context, conn *Connection, res *protocol.Completion) error
	// AddToGroup adds a connection to a group, once, however often it is called. A connection that does not exist is no
	// error.
	AddToGroup(ctx context.Context, connectionID, group string) error
	// RemoveFromGroup takes it out.
	RemoveFromGroup(ctx context.Context, connectionID, group string) error
}

// HubAttacher is a [HubLifetimeManager] that has to know its hub, such as for its protocols: whoever sends to connections
// elsewhere has to encode a message for all of them.
type HubAttacher interface {
	// AttachHub is called once, by [NewHub], before any other method.
	AttachHub(h *Hub)
}

// GroupsAdder is a [HubLifetimeManager] that adds a connection to many groups faster than to one after the other.
type GroupsAdder interface {
	// AddToGroups does what AddToGroup does, for each of the groups.
	AddToGroups(ctx context.Context, connectionID string, groups []string) error
}

// Result is a client's answer, as the client's protocol encoded it.
type Result struct {
	Value    protocol.RawValue
	Protocol protocol.HubProtocol
}
