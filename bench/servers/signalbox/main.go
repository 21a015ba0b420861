// Command signalbox is the library's server under test: a hub as an application would write it, on the public API alone.
// A connection that ends with an error is told of by a line DISCONNECTED with the error.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"strings"

	"signalbox/bench/servers/host"
	"signalbox/signalr"
	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
)

func main() {
	poller := flag.Bool("poller", false, "wait for all sockets with one goroutine, and give memory back")
	host.Run(func() (func(context.Context) error, error) {
		srv, err := signalr.NewServer(&signalr.ServerOptions{Poller: *poller, TrimMemory: *poller})
		if err != nil {
			return nil, err
		}
		srv.MapHub(http.DefaultServeMux, "/hub", newHub(), identify)
		return srv.Shutdown, nil
	})
}

func newHub() *signalr.Hub {
	hub := signalr.NewHub(&signalr.HubOptions{
		Protocols: []protocol.HubProtocol{jsonprotocol.New(nil), msgpackprotocol.New(nil)},
	})
	hub.Handle("Echo", signalr.Func1(func(_ context.Context, _ *signalr.Caller, text string) (string, error) {
		return text, nil
	}))
	hub.Handle("Broadcast", signalr.Action1(func(ctx context.Context, c *signalr.Caller, text string) error {
		return c.Clients().All().Send(ctx, "Receive", text)
	}))
	hub.Handle("JoinGroup", signalr.Action1(func(ctx context.Context, c *signalr.Caller, group string) error {
		return c.Groups().Add(ctx, c.ConnectionID(), group)
	}))
	hub.Handle("SendToGroup", signalr.Action2(func(ctx context.Context, c *signalr.Caller, group, text string) error {
		return c.Clients().Group(group).Send(ctx, "Receive", text)
	}))
	hub.OnDisconnected(func(_ context.Context, _ *signalr.Caller, cause error) error {
		if cause != nil {
			fmt.Println("DISCONNECTED", cause)
		}
		return nil
	})
	return hub
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
