// Package signalr is a real-time server that speaks the ASP.NET Core SignalR protocol: the stock SignalR clients
// connect to it unchanged, over WebSockets, server-sent events or long polling, in JSON or MessagePack.
//
// A [Hub] is a set of methods that clients invoke, and the connections that belong to it. A [Server] owns everything
// that is per process and maps hubs to paths. A handler gets the [Caller] it works for as an argument; whoever else
// wants to reach clients does so through the hub's [HubContext].
//
//	hub := signalr.NewHub(nil)
//	hub.Handle("Say", signalr.Action2(func(ctx context.Context, c *signalr.Caller, room, text string) error {
//		return c.Clients().Group(room).Send(ctx, "Said", c.UserID(), text)
//	}))
//	srv, err := signalr.NewServer(nil)
//	srv.MapHub(http.DefaultServeMux, "/chat", hub)
//
// Authentication is the application's own HTTP middleware around the routes of a hub: it puts an [Identity] into the
// request's context with [WithIdentity], and hubs know no other user.
//
// # Names
//
// The names are ASP.NET Core's in Go spelling: Hub, Caller (HubCallerContext), Clients (IHubClients), GroupManager
// (IGroupManager), HubContext (IHubContext), HubFilter (IHubFilter), HubLifetimeManager, HubOptions, HubError
// (HubException). The wire contract is cited as F-nnn.
package signalr
