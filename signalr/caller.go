package signalr

import (
	"sync"
	"sync/atomic"

	"signalbox/signalr/transport"
)

// Caller is the connection that a hub method works for. It lives as long as the connection and is safe for concurrent
// use.
//
// ASP.NET Core: HubCallerContext, with Hub.Clients and Hub.Groups.
type Caller struct {
	conn  *Connection
	items atomic.Pointer[sync.Map] // made when it is first asked for: most connections have none
}

// ConnectionID returns the id of the connection. It changes when a client connects anew.
func (c *Caller) ConnectionID() string { return c.conn.ID() }

// UserID returns the authenticated user's id, or empty. It was captured when the connection was made.
func (c *Caller) UserID() string { return c.conn.UserID() }

// HubName returns the name of the hub: [HubOptions].Name.
func (c *Caller) HubName() string { return c.conn.hub.opts.Name }

// Identity returns who the connection belongs to, as captured when it was made.
func (c *Caller) Identity() Identity {
	if id := c.conn.request.identity; id != nil {
		return *id
	}
	return Identity{}
}

// Request returns what is kept of the request that opened the connection.
func (c *Caller) Request() *Request { return c.conn.request }

// Transport returns what carries the connection.
func (c *Caller) Transport() transport.Type { return c.conn.http.Transport() }

// Items is the connection's own bag of values, for filters and hub methods.
func (c *Caller) Items() *sync.Map {
	if items := c.items.Load(); items != nil {
		return items
	}
	c.items.CompareAndSwap(nil, new(sync.Map))
	return c.items.Load()
}

// Clients returns the hub's clients as seen from this connection.
func (c *Caller) Clients() CallerClients { return CallerClients{Clients{c.conn.hub, c.conn}} }

// Groups returns the hub's groups.
func (c *Caller) Groups() GroupManager { return GroupManager{c.conn.hub} }

// Abort ends the connection: the client gets a Close message and nothing else any more (F-113).
func (c *Caller) Abort() { c.conn.Abort() }
