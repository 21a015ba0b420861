// Command philippseith is the SignalR server of github.com/philippseith/signalr with the hub that all servers under test
// have, and that library's default options.
package main

import (
	"context"
	"net/http"

	"github.com/philippseith/signalr"

	"signalbox/bench/servers/host"
)

// bench is the hub. The library finds its methods by reflection.
type bench struct {
	signalr.Hub
}

func (h *bench) Echo(text string) string    { return text }
func (h *bench) Broadcast(text string)      { h.Clients().All().Send("Receive", text) }
func (h *bench) JoinGroup(group string)     { h.Groups().AddToGroup(group, h.ConnectionID()) }
func (h *bench) SendToGroup(g, text string) { h.Clients().Group(g).Send("Receive", text) }

// silent is a logger that drops everything.
type silent struct{}

func (silent) Log(...interface{}) error { return nil }

func main() {
	host.Run(func() (func(context.Context) error, error) {
		srv, err := signalr.NewServer(context.Background(), signalr.SimpleHubFactory(&bench{}), signalr.Logger(silent{}, false))
		if err != nil {
			return nil, err
		}
		srv.MapHTTP(signalr.WithHTTPServeMux(http.DefaultServeMux), "/hub")
		return nil, nil
	})
}
