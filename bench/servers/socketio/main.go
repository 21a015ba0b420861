// Command socketio is a server of github.com/zishang520/socket.io with the methods that all servers under test have, as
// events, and that library's default options.
package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"signalbox/bench/servers/host"
)

func main() {
	host.Run(func() (func(context.Context) error, error) {
		io := socket.NewServer(nil, nil)
		if err := io.On("connection", func(clients ...any) {
			if client, ok := clients[0].(*socket.Socket); ok {
				_ = serve(io, client) // it fails for names that are reserved, and none of these is
			}
		}); err != nil {
			return nil, err
		}
		http.Handle("/socket.io/", io.ServeHandler(nil))
		return func(context.Context) error {
			io.Close(nil)
			return nil
		}, nil
	})
}

// serve registers the methods of one client.
func serve(io *socket.Server, client *socket.Socket) error {
	return errors.Join(
		client.On("Echo", func(args ...any) {
			if answer, ok := args[len(args)-1].(socket.Ack); ok {
				answer(args[:len(args)-1], nil)
			}
		}),
		client.On("Broadcast", func(args ...any) { _ = io.Emit("Receive", args...) }),
		client.On("JoinGroup", func(args ...any) {
			client.Join(room(args[0]))
			if answer, ok := args[len(args)-1].(socket.Ack); ok {
				answer(nil, nil)
			}
		}),
		client.On("SendToGroup", func(args ...any) { _ = io.To(room(args[0])).Emit("Receive", args[1:]...) }),
	)
}

func room(name any) socket.Room {
	s, _ := name.(string)
	return socket.Room(s)
}
