package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
	"signalbox/signalr/transport"
)

// newHandler returns everything that the host serves. It may be called once for a server.
func newHandler(srv *signalr.Server) http.Handler {
	mux := http.NewServeMux()
	tokens := newTokens()
	hubs := testHubs{newTestHub(hubOptions(transport.All)), newTestHub(hubOptions(transport.ServerSentEvents | transport.LongPolling))}
	srv.MapHub(mux, "/testhub", hubs[0])
	srv.MapHub(mux, "/testhub-nowebsockets", hubs[1])
	srv.MapHub(mux, "/authorizedhub", newAuthorizedHub(hubOptions(transport.All)), tokens.require)
	srv.MapHub(mux, "/uncreatable", newUncreatableHub(hubOptions(transport.All)))
	srv.MapHub(mux, "/test", newSwiftHub(hubOptions(transport.All)))
	connection := hubOptions(transport.All).Connection
	srv.MapConnectionHandler(mux, "/echo", echo, &connection)
	mux.HandleFunc("GET /generatejwttoken", tokens.serveToken)
	mux.HandleFunc("GET /clientresult/{id}", hubs.serveClientResult)
	mux.HandleFunc("GET /deployment", serveDeployment)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	return pipeline(srv.FoldPaths(mux))
}

// hubOptions are the settings of all hubs. Browsers load the tests from a server of their own, so any origin may open
// WebSockets.
func hubOptions(transports transport.Type) *signalr.HubOptions {
	return &signalr.HubOptions{
		EnableDetailedErrors: true,
		Protocols: []protocol.HubProtocol{
			jsonprotocol.New(&jsonprotocol.Options{PropertyNames: jsonprotocol.AsDeclared}),
			msgpackprotocol.New(nil),
		},
		Connection: signalr.ConnectionOptions{Transports: transports, Origins: []string{"*"}},
	}
}

// echo returns every byte. What is read at a time comes back at a time.
func echo(ctx context.Context, conn transport.Conn, _ *signalr.Request) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			if err := conn.Write(ctx, buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// testHubs are the hubs that clients of the test hub may be connected to: what transports there are is a hub's setting.
type testHubs []*signalr.Hub

// serveClientResult asks the client with the id in the path for a number, and answers with it or with the error's text.
func (hubs testHubs) serveClientResult(w http.ResponseWriter, r *http.Request) {
	n, err := hubs.askResult(r.Context(), r.PathValue("id"))
	if err != nil {
		text := err.Error()
		if he, ok := errors.AsType[*signalr.HubError](err); ok {
			text = he.Message
		}
		writeText(w, text)
		return
	}
	writeText(w, strconv.Itoa(n))
}

// askResult asks the one hub that the client is connected to. When no hub has it, the error is that of the first.
func (hubs testHubs) askResult(ctx context.Context, id string) (int, error) {
	var gone error
	for _, h := range hubs {
		n, err := signalr.Invoke[int](ctx, h.Clients().Client(id), "Result")
		if !errors.Is(err, signalr.ErrConnectionClosed) {
			return n, err
		}
		if gone == nil {
			gone = err
		}
	}
	return 0, gone
}

// serveDeployment answers with what the program was built from.
func serveDeployment(w http.ResponseWriter, _ *http.Request) {
	data := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		data["Module"], data["GoVersion"] = info.Main.Path, info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				data["CommitHash"] = s.Value
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(data) // fails only when the client has gone
}

// writeText writes a body. A client that has gone does not read it, and nobody else wants to know.
func writeText(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, text)
}
