package signalr

import (
	"context"
	"fmt"
	"reflect"

	"signalbox/signalr/protocol"
)

// Clients chooses whom to send to. It is a small value; copy it at will. A send to several has no order among them, but
// sends to one target arrive in the order in which they were sent.
//
// ASP.NET Core: IHubClients.
type Clients struct {
	hub    *Hub
	origin *Connection
}

func (c Clients) proxy(kind TargetKind, names, except []string) ClientProxy {
	return ClientProxy{c.hub, Target{Kind: kind, Names: names, Except: except, Origin: c.origin}}
}

// All is every connection of the hub.
func (c Clients) All() ClientProxy { return c.proxy(TargetAll, nil, nil) }

// AllExcept is every connection but those.
func (c Clients) AllExcept(connectionIDs ...string) ClientProxy {
	return c.proxy(TargetAll, nil, connectionIDs)
}

// Client is one connection; if there is none with that id, nobody.
func (c Clients) Client(connectionID string) SingleClientProxy {
	return SingleClientProxy{c.proxy(TargetConnections, []string{connectionID}, nil)}
}

// Clients is the connections with those ids.
func (c Clients) Clients(connectionIDs ...string) ClientProxy {
	return c.proxy(TargetConnections, connectionIDs, nil)
}

// Group is the connections in a group.
func (c Clients) Group(name string) ClientProxy { return c.proxy(TargetGroups, []string{name}, nil) }

// Groups is the connections in several groups; who is in two of them gets a message twice, as with ASP.NET Core.
func (c Clients) Groups(names ...string) ClientProxy { return c.proxy(TargetGroups, names, nil) }

// GroupExcept is the connections in a group but those.
func (c Clients) GroupExcept(name string, connectionIDs ...string) ClientProxy {
	return c.proxy(TargetGroups, []string{name}, connectionIDs)
}

// User is the connections of a user.
func (c Clients) User(userID string) ClientProxy { return c.proxy(TargetUsers, []string{userID}, nil) }

// Users is the connections of several users.
func (c Clients) Users(userIDs ...string) ClientProxy { return c.proxy(TargetUsers, userIDs, nil) }

// CallerClients is [Clients] seen from one of them.
//
// ASP.NET Core: IHubCallerClients.
type CallerClients struct{ Clients }

// Caller is the connection itself.
func (c CallerClients) Caller() SingleClientProxy { return c.Client(c.origin.ID()) }

// Others is every connection but this one.
func (c CallerClients) Others() ClientProxy { return c.AllExcept(c.origin.ID()) }

// OthersInGroup is the connections in a group but this one.
func (c CallerClients) OthersInGroup(name string) ClientProxy {
	return c.GroupExcept(name, c.origin.ID())
}

// ClientProxy sends to the connections that it was made for.
//
// ASP.NET Core: IClientProxy.
type ClientProxy struct {
	hub *Hub
	to  Target
}

// Send invokes a method on the clients and does not wait for them: it returns when the message is in the queue of each.
// It fails when an argument cannot be encoded, and then nothing is sent, or when ctx ends while the caller's own queue is
// full. That a client is gone is no error.
//
// ASP.NET Core: SendAsync.
func (p ClientProxy) Send(ctx context.Context, method string, args ...any) error {
	msg := NewSerializedMessage(&protocol.Invocation{Target: method, Arguments: args})
	if err := p.hub.manager.Send(ctx, p.to, msg); err != nil {
		return fmt.Errorf("sending %s: %w", method, err)
	}
	return nil
}

// Close ends the connections: each gets a Close message, as if it had been aborted in a hub method, and nothing else any
// more. With allowReconnect, clients that reconnect by themselves come back.
func (p ClientProxy) Close(ctx context.Context, allowReconnect bool) error {
	msg := NewSerializedMessage(&protocol.Close{AllowReconnect: allowReconnect})
	if err := p.hub.manager.Send(ctx, p.to, msg); err != nil {
		return fmt.Errorf("closing connections: %w", err)
	}
	return nil
}

// SingleClientProxy is a [ClientProxy] for one connection, which can also be asked for a result; see [Invoke].
//
// ASP.NET Core: ISingleClientProxy.
type SingleClientProxy struct{ ClientProxy }

// Invoke asks one client for a result and waits for it, until ctx ends. It fails with a [*HubError] that has the
// client's text when the client fails, with [ErrConnectionClosed] when the client is not there or goes away, and must
// not be called in OnConnected (F-106 to F-109). In a hub method it gives the caller's turn back, so that its further
// invocations can run meanwhile (F-094).
//
// ASP.NET Core: InvokeAsync.
func Invoke[R any](ctx context.Context, p SingleClientProxy, method string, args ...any) (R, error) {
	var r R
	if conn := p.to.Origin; conn != nil {
		if conn.isConnecting() {
			return r, &namedError{"InvalidOperationException", "Client results inside OnConnectedAsync Hub methods are not allowed."}
		}
		conn.yieldTurn(ctx)
	}
	res, err := p.hub.manager.Invoke(ctx, p.to.Names[0], &protocol.Invocation{Target: method, Arguments: args})
	if err != nil {
		return r, err
	}
	if err := res.Protocol.Decode(res.Value, &r); err != nil {
		return r, Errorf("Error trying to deserialize result to %s. %v", typeName(reflect.TypeFor[R]()), err)
	}
	return r, nil
}

// typeName is what .NET calls a type of results, where it has it too.
func typeName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int32:
		return "Int32"
	case reflect.Int64:
		return "Int64"
	case reflect.Float64:
		return "Double"
	case reflect.Bool:
		return "Boolean"
	case reflect.String:
		return "String"
	default:
		return t.Name()
	}
}

// GroupManager puts connections into groups. A group exists while it has members; its name is matched byte for byte. A
// connection leaves its groups when it ends (F-140).
//
// ASP.NET Core: IGroupManager.
type GroupManager struct{ hub *Hub }

// Add puts a connection into a group. That it is gone is no error.
func (g GroupManager) Add(ctx context.Context, connectionID, group string) error {
	if err := g.hub.manager.AddToGroup(ctx, connectionID, group); err != nil {
		return fmt.Errorf("adding a connection to group %q: %w", group, err)
	}
	return nil
}

// AddAll puts a connection into many groups. A backplane tells the other servers in a few round trips instead of one for
// each group.
func (g GroupManager) AddAll(ctx context.Context, connectionID string, groups ...string) error {
	if m, ok := g.hub.manager.(GroupsAdder); ok {
		if err := m.AddToGroups(ctx, connectionID, groups); err != nil {
			return fmt.Errorf("adding a connection to %d groups: %w", len(groups), err)
		}
		return nil
	}
	for _, name := range groups {
		if err := g.Add(ctx, connectionID, name); err != nil {
			return err
		}
	}
	return nil
}

// Remove takes a connection out of a group.
func (g GroupManager) Remove(ctx context.Context, connectionID, group string) error {
	if err := g.hub.manager.RemoveFromGroup(ctx, connectionID, group); err != nil {
		return fmt.Errorf("removing a connection from group %q: %w", group, err)
	}
	return nil
}
