package signalr_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gorilla/websocket"

	"signalbox/signalr"
)

// dial is a client that shakes hands; what a program would do with one of the official clients.
func dial(url string) *websocket.Conn {
	ws, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http"), nil)
	if err != nil {
		if res != nil {
			fmt.Println("refused:", res.Status)
		}
		return nil
	}
	write(ws, `{"protocol":"json","version":1}`)
	read(ws)
	return ws
}

func write(ws *websocket.Conn, message string) {
	if err := ws.WriteMessage(websocket.TextMessage, []byte(message+"\x1e")); err != nil {
		fmt.Println("error:", err)
	}
}

func read(ws *websocket.Conn) string {
	_, p, err := ws.ReadMessage()
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(string(p), "\x1e")
}

// A hub is a set of methods that clients invoke.
func Example() {
	hub := signalr.NewHub(nil)
	hub.Handle("Say", signalr.Action1(func(ctx context.Context, c *signalr.Caller, text string) error {
		return c.Clients().All().Send(ctx, "Said", strings.ToUpper(text))
	}))
	srv, err := signalr.NewServer(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	srv.MapHub(mux, "/chat", hub)

	// From here on it is a test's business.
	web := httptest.NewServer(mux)
	defer web.Close()
	defer srv.Shutdown(context.Background())
	client := dial(web.URL + "/chat")
	defer client.Close()
	write(client, `{"type":1,"target":"Say","arguments":["hello"]}`)
	fmt.Println(read(client))
	// Output: {"type":1,"target":"Said","arguments":["HELLO"]}
}

// Whoever is not in a hub method reaches clients through the hub's context: a worker that tells of new prices.
func ExampleHubContext() {
	hub := signalr.NewHub(nil)
	connected := make(chan string, 1)
	hub.OnConnected(func(ctx context.Context, c *signalr.Caller) error {
		defer func() { connected <- c.ConnectionID() }()
		return c.Groups().Add(ctx, c.ConnectionID(), "prices")
	})
	worker := func(ctx context.Context, to signalr.HubContext) error {
		return to.Clients().Group("prices").Send(ctx, "PriceChanged", "apples", 1.25)
	}

	srv, _ := signalr.NewServer(nil)
	mux := http.NewServeMux()
	srv.MapHub(mux, "/prices", hub)
	web := httptest.NewServer(mux)
	defer web.Close()
	defer srv.Shutdown(context.Background())
	client := dial(web.URL + "/prices")
	defer client.Close()
	<-connected
	if err := worker(context.Background(), hub); err != nil {
		fmt.Println(err)
	}
	fmt.Println(read(client))
	// Output: {"type":1,"target":"PriceChanged","arguments":["apples",1.25]}
}

// Authentication is middleware around the routes of a hub. It refuses who is nobody, and tells the hub who calls.
func ExampleWithIdentity() {
	users := map[string]string{"secret-of-ann": "ann"}
	authenticate := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, ok := users[signalr.AccessToken(r)]
			if !ok {
				w.Header().Set("WWW-Authenticate", "Bearer")
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r.WithContext(signalr.WithIdentity(r.Context(), signalr.Identity{UserID: user})))
		})
	}
	hub := signalr.NewHub(nil)
	hub.Handle("Who", signalr.Func0(func(_ context.Context, c *signalr.Caller) (string, error) { return c.UserID(), nil }))

	srv, _ := signalr.NewServer(nil)
	mux := http.NewServeMux()
	srv.MapHub(mux, "/hub", hub, authenticate)
	web := httptest.NewServer(mux)
	defer web.Close()
	defer srv.Shutdown(context.Background())
	dial(web.URL + "/hub?access_token=guessed")
	client := dial(web.URL + "/hub?access_token=secret-of-ann")
	defer client.Close()
	write(client, `{"type":1,"invocationId":"1","target":"Who","arguments":[]}`)
	fmt.Println(read(client))
	// Output:
	// refused: 401 Unauthorized
	// {"type":3,"invocationId":"1","result":"ann"}
}
