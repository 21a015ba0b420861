// Command centrifuge is a server of github.com/centrifugal/centrifuge with the methods that all servers under test have,
// as RPCs whose data is the array of arguments. Every client is subscribed to the channel of all; groups are channels.
// Without --tuned it has that library's default options.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"

	"github.com/centrifugal/centrifuge"

	"signalbox/bench/servers/host"
)

// all is the channel of everybody.
const all = "all"

func main() {
	tuned := flag.Bool("tuned", false, "use little memory: pooled write buffers, small read buffers, small stacks")
	host.Run(func() (func(context.Context) error, error) {
		node, err := newNode()
		if err != nil {
			return nil, err
		}
		var config centrifuge.WebsocketConfig
		if *tuned {
			config = centrifuge.WebsocketConfig{ReadBufferSize: 512, UseWriteBufferPool: true, ProcessCommandsOffReadLoop: true}
		}
		http.Handle("/connection/websocket", anonymous(centrifuge.NewWebsocketHandler(node, config)))
		return node.Shutdown, nil
	})
}

// anonymous lets everybody in as nobody.
func anonymous(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(centrifuge.SetCredentials(r.Context(), &centrifuge.Credentials{})))
	})
}

func newNode() (*centrifuge.Node, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Subscriptions: map[string]centrifuge.SubscribeOptions{all: {}}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnRPC(func(e centrifuge.RPCEvent, answer centrifuge.RPCCallback) {
			data, err := call(node, client, e)
			answer(centrifuge.RPCReply{Data: data}, err)
		})
	})
	return node, node.Run()
}

// call is the method of an RPC.
func call(node *centrifuge.Node, client *centrifuge.Client, e centrifuge.RPCEvent) ([]byte, error) {
	var args []string
	if err := json.Unmarshal(e.Data, &args); err != nil {
		return nil, centrifuge.ErrorBadRequest
	}
	switch {
	case e.Method == "Echo" && len(args) == 1:
		return json.Marshal(args[0])
	case e.Method == "Broadcast" && len(args) == 1:
		return nil, publish(node, all, args[0])
	case e.Method == "JoinGroup" && len(args) == 1:
		return nil, client.Subscribe(args[0])
	case e.Method == "SendToGroup" && len(args) == 2:
		return nil, publish(node, args[0], args[1])
	}
	return nil, centrifuge.ErrorMethodNotFound
}

func publish(node *centrifuge.Node, channel, text string) error {
	data, err := json.Marshal(text)
	if err != nil {
		return err
	}
	if _, err := node.Publish(channel, data); err != nil {
		return errors.Join(centrifuge.ErrorInternal, fmt.Errorf("publishing: %w", err))
	}
	return nil
}
