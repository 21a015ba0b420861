package signalr

import (
	"testing"

	"github.com/gorilla/websocket"
)

// TestStatefulTornMessage: what a cut socket brought of a message is dropped, for the client sends the whole of it again
// (F-133).
func TestStatefulTornMessage(t *testing.T) {
	torn := invocation("2", "Echo", "b") + "\x1e"
	for name, write := range map[string]func(t *testing.T, ws *websocket.Conn, p []byte){
		"between two WebSocket messages": func(t *testing.T, ws *websocket.Conn, p []byte) {
			if err := ws.WriteMessage(websocket.TextMessage, p); err != nil {
				t.Fatal(err)
			}
		},
		"inside a WebSocket message": func(t *testing.T, ws *websocket.Conn, p []byte) {
			w, err := ws.NextWriter(websocket.TextMessage)
			if err != nil {
				t.Fatal(err)
			}
			// More than the writer's buffer, so that the first fragment goes out although the message does not end.
			if _, err := w.Write(append(p, make([]byte, 8<<10)...)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newTestServer(t, nil)
				s.MapHub(s.mux, "/hub", s.hub(&HubOptions{Connection: ConnectionOptions{AllowStatefulReconnects: true}}))
				target := newStatefulClient(s).target[len("ws://signalr.test"):]
				c := s.open(target)
				c.send(`{"protocol":"json","version":2}`)
				c.want(`{}`)
				write(t, c.ws, []byte(invocation("1", "Echo", "a")+"\x1e"+torn[:len(torn)/2]))
				c.want(result("1", `"a"`))
				_ = c.ws.NetConn().Close()
				c = s.open(target)
				c.want(`{"type":9,"sequenceId":1}`, result("1", `"a"`))
				c.send(`{"type":9,"sequenceId":2}`, torn[:len(torn)-1])
				c.want(result("2", `"b"`))
			})
		})
	}
}
