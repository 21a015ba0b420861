// Command redisnode is one server of a farm under test: a hub with the library's Redis backplane, as an application would
// write it. It listens once Redis is there. GET /redis tells how many messages Redis has brought to it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"signalbox/bench/servers/host"
	"signalbox/signalr"
	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
	"signalbox/signalr/redisbackplane"
)

// connectTimeout is how long Redis may take to be there.
const connectTimeout = 10 * time.Second

func main() {
	address := flag.String("redis", "", "address of Redis, host:port")
	name := flag.String("hub", "", "the hub's name in the names of channels")
	jsonAlone := flag.Bool("json", false, "speak JSON alone, not MessagePack as well")
	host.Run(func() (func(context.Context) error, error) {
		protocols := []protocol.HubProtocol{jsonprotocol.New(nil), msgpackprotocol.New(nil)}
		if *jsonAlone {
			protocols = protocols[:1]
		}
		return setUp(*address, *name, protocols)
	})
}

// setUp maps the hub, and returns when the backplane is connected.
func setUp(address, name string, protocols []protocol.HubProtocol) (shutdown func(context.Context) error, err error) {
	connected := make(chan struct{})
	backplane, err := redisbackplane.New(
		// An idle connection is not tried while messages are counted.
		rueidis.ClientOption{InitAddress: []string{address}, Dialer: net.Dialer{KeepAlive: time.Hour}},
		&redisbackplane.Options{HubName: name, OnStateChange: func(c redisbackplane.StateChange) {
			if c.From == redisbackplane.Connecting && c.To == redisbackplane.Connected {
				close(connected)
			}
		}})
	if err != nil {
		return nil, err
	}
	srv, err := signalr.NewServer(nil)
	if err != nil {
		return nil, err
	}
	shutdown = func(ctx context.Context) error { return errors.Join(srv.Shutdown(ctx), backplane.Close(ctx)) }
	hub := signalr.NewHub(&signalr.HubOptions{LifetimeManager: backplane, Protocols: protocols})
	register(hub)
	srv.MapHub(http.DefaultServeMux, "/hub", hub, identify)
	http.HandleFunc("GET /redis", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, backplane.Stats().Received) })
	select {
	case <-connected:
		return shutdown, nil
	case <-time.After(connectTimeout):
		return nil, fmt.Errorf("there is no Redis at %s", address)
	}
}

// register adds a method for each kind of message.
func register(hub *signalr.Hub) {
	type caller = *signalr.Caller
	hub.Handle("Me", signalr.Func0(func(_ context.Context, c caller) (string, error) { return c.ConnectionID(), nil }))
	hub.Handle("Broadcast", signalr.Action1(func(ctx context.Context, c caller, text string) error {
		return c.Clients().All().Send(ctx, "Receive", text)
	}))
	hub.Handle("SendTo", signalr.Action2(func(ctx context.Context, c caller, id, text string) error {
		return c.Clients().Client(id).Send(ctx, "Receive", text)
	}))
	hub.Handle("SendToUser", signalr.Action2(func(ctx context.Context, c caller, user, text string) error {
		return c.Clients().User(user).Send(ctx, "Receive", text)
	}))
	hub.Handle("SendToGroup", signalr.Action2(func(ctx context.Context, c caller, group, text string) error {
		return c.Clients().Group(group).Send(ctx, "Receive", text)
	}))
	hub.Handle("AddToGroup", signalr.Action2(func(ctx context.Context, c caller, id, group string) error {
		return c.Groups().Add(ctx, id, group)
	}))
	hub.Handle("RemoveFromGroup", signalr.Action2(func(ctx context.Context, c caller, id, group string) error {
		return c.Groups().Remove(ctx, id, group)
	}))
	hub.Handle("Ask", signalr.Func2(func(ctx context.Context, c caller, id, question string) (string, error) {
		return signalr.Invoke[string](ctx, c.Clients().Client(id), "AskText", question)
	}))
}

// identify makes the token user:NAME the user NAME; any other token is nobody.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(signalr.AccessToken(r), "user:"); ok {
			r = r.WithContext(signalr.WithIdentity(r.Context(), signalr.Identity{UserID: name}))
		}
		next.ServeHTTP(w, r)
	})
}
