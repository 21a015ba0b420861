// Package redisbackplane connects the servers of a hub through Redis, so that each reaches the connections of all. It
// speaks the format of ASP.NET Core's Redis backplane byte for byte (F-162 to F-177): Go and .NET servers of one hub work
// together.
//
//	backplane, err := redisbackplane.New(rueidis.ClientOption{InitAddress: []string{"redis:6379"}},
//		&redisbackplane.Options{HubName: "My.App.Hubs.ChatHub"})
//	hub := signalr.NewHub(&signalr.HubOptions{LifetimeManager: backplane})
//	defer backplane.Close(ctx)
//
// # Delivery
//
// Messages to all, to groups and to users go through Redis, also to connections of the server that sends: they come back
// to it in the order in which Redis took them. A message to one connection of the server itself goes to it directly. A
// group's or user's messages reach only servers that have one of its connections.
//
// Redis delivers at most once, and so does the backplane. While Redis is known to be away, a message is delivered on the
// server that sends it, and the send fails with [ErrBackplaneUnavailable]. When Redis is lost while a message is on its
// way, the send fails with [ErrOutcomeUnknown], and the server does not deliver it by itself. Connections stay open,
// groups can be joined, and new connections are welcome; whatever was subscribed to is subscribed to again before
// [Backplane.State] is [Connected].
//
// # Redis Cluster, Sentinel, TLS
//
// The client's options choose them. In a cluster every message goes to all nodes, unless [Options].Sharded is set. Each
// node counts those that hear a channel for itself then: whether a connection exists is asked of all nodes, and while one of
// them is away, a client result asked of a connection that does not exist is found out only when the caller's context ends.
package redisbackplane
