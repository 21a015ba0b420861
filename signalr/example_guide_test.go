package signalr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
	"signalbox/signalr/transport"
)

// The examples of docs/library.md and docs/security.md, one by one.

// try serves a hub and shows what a client is answered, one line for each message of the server.
func try(hub *signalr.Hub, o *signalr.ServerOptions, messages ...string) {
	srv, err := signalr.NewServer(o)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	srv.MapHub(mux, "/hub", hub)
	web := httptest.NewServer(mux)
	defer web.Close()
	defer srv.Shutdown(context.Background())
	client := dial(web.URL + "/hub")
	defer client.Close()
	for _, m := range messages {
		write(client, m)
		for {
			answer := read(client)
			fmt.Println(strings.ReplaceAll(answer, "\x1e", "\n"))
			if strings.Contains(answer, `"type":3`) || strings.Contains(answer, `"type":7`) {
				break
			}
		}
	}
}

// A method with arguments and a result, in both protocols.
func ExampleFunc2() {
	hub := signalr.NewHub(&signalr.HubOptions{
		Protocols: []protocol.HubProtocol{jsonprotocol.New(nil), msgpackprotocol.New(nil)},
	})
	hub.Handle("Add", signalr.Func2(func(ctx context.Context, c *signalr.Caller, a, b int) (int, error) {
		if a > 1000 {
			return 0, signalr.Errorf("%d is too much", a) // the client sees this text
		}
		if a < 0 {
			return 0, errors.New("the database is on fire") // and not this one
		}
		return a + b, nil
	}))
	try(hub, nil,
		`{"type":1,"invocationId":"1","target":"add","arguments":[2,3]}`,
		`{"type":1,"invocationId":"2","target":"Add","arguments":[2000,3]}`,
		`{"type":1,"invocationId":"3","target":"Add","arguments":[-1,3]}`)
	// Output:
	// {"type":3,"invocationId":"1","result":5}
	// {"type":3,"invocationId":"2","error":"An unexpected error occurred invoking 'Add' on the server. HubException: 2000 is too much"}
	// {"type":3,"invocationId":"3","error":"An unexpected error occurred invoking 'Add' on the server."}
}

// A client is asked for a result, here in a method that it has called itself.
func ExampleInvoke() {
	hub := signalr.NewHub(nil)
	hub.Handle("Ship", signalr.Func1(func(ctx context.Context, c *signalr.Caller, order string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute) // people may not answer
		defer cancel()
		sure, err := signalr.Invoke[bool](ctx, c.Clients().Caller(), "Confirm", order)
		if err != nil || !sure {
			return "kept", err
		}
		return "shipped", nil
	}))
	srv, _ := signalr.NewServer(nil)
	mux := http.NewServeMux()
	srv.MapHub(mux, "/hub", hub)
	web := httptest.NewServer(mux)
	defer web.Close()
	defer srv.Shutdown(context.Background())
	client := dial(web.URL + "/hub")
	defer client.Close()
	write(client, `{"type":1,"invocationId":"1","target":"Ship","arguments":["17"]}`)
	fmt.Println(read(client))
	write(client, `{"type":3,"invocationId":"s1","result":true}`)
	fmt.Println(read(client))
	// Output:
	// {"type":1,"invocationId":"s1","target":"Confirm","arguments":["17"]}
	// {"type":3,"invocationId":"1","result":"shipped"}
}

// A stream to the client is a sequence. It ends when the client cancels it or goes away.
func ExampleStream1() {
	hub := signalr.NewHub(nil)
	hub.HandleStream("Countdown", signalr.Stream1(func(ctx context.Context, c *signalr.Caller, from int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for n := from; n > 0; n-- {
				if !yield(n, nil) {
					return
				}
			}
			yield(0, signalr.Errorf("lift-off"))
		}
	}))
	try(hub, nil, `{"type":4,"invocationId":"1","target":"Countdown","arguments":[2]}`)
	// Output:
	// {"type":2,"invocationId":"1","item":2}
	// {"type":2,"invocationId":"1","item":1}
	// {"type":3,"invocationId":"1","error":"An error occurred on the server while streaming results. HubException: lift-off"}
}

// A stream from the client is a sequence, too.
func ExampleStreamArg() {
	hub := signalr.NewHub(nil)
	hub.Register(signalr.Method{Name: "Sum", StreamArgs: 1, Invoke: func(ctx context.Context, inv *signalr.Invocation) (any, error) {
		if err := inv.Decode(); err != nil { // the arguments that are no streams: none
			return nil, err
		}
		sum := 0
		for n, err := range signalr.StreamArg[int](inv, 0) {
			if err != nil {
				return nil, err
			}
			sum += n
		}
		return sum, nil
	}})
	try(hub, nil, `{"type":1,"invocationId":"1","target":"Sum","arguments":[],"streamIds":["s"]}`+"\x1e"+
		`{"type":2,"invocationId":"s","item":40}`+"\x1e"+`{"type":2,"invocationId":"s","item":2}`+"\x1e"+`{"type":3,"invocationId":"s"}`)
	// Output: {"type":3,"invocationId":"1","result":42}
}

// A filter stands around the methods of a hub: this one allows some of them to staff alone. Methods that stream have a
// field of their own; a rule belongs into both.
func ExampleHubFilter() {
	staffOnly := []string{"Close", "Refund", "Audit"}
	check := func(inv *signalr.Invocation) error {
		roles := inv.Caller().Identity().Claims["role"]
		if slices.Contains(staffOnly, inv.Target()) && !slices.Contains(roles, "staff") {
			return signalr.Errorf("not for you")
		}
		return nil
	}
	allow := signalr.HubFilter{
		InvokeMethod: func(ctx context.Context, inv *signalr.Invocation, next signalr.HandlerFunc) (any, error) {
			if err := check(inv); err != nil {
				return nil, err
			}
			return next(ctx, inv)
		},
		InvokeStream: func(ctx context.Context, inv *signalr.Invocation, next signalr.StreamHandlerFunc) (iter.Seq2[any, error], error) {
			if err := check(inv); err != nil {
				return nil, err
			}
			return next(ctx, inv)
		},
	}
	hub := signalr.NewHub(&signalr.HubOptions{Filters: []signalr.HubFilter{allow}})
	hub.Handle("Refund", signalr.Action0(func(context.Context, *signalr.Caller) error { return nil }))
	hub.Handle("Look", signalr.Func0(func(context.Context, *signalr.Caller) (string, error) { return "nice things", nil }))
	hub.HandleStream("Audit", signalr.Stream0(func(context.Context, *signalr.Caller) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) { yield("all that happened", nil) }
	}))
	try(hub, nil,
		`{"type":1,"invocationId":"1","target":"refund","arguments":[]}`,
		`{"type":1,"invocationId":"2","target":"Look","arguments":[]}`,
		`{"type":4,"invocationId":"3","target":"Audit","arguments":[]}`)
	// Output:
	// {"type":3,"invocationId":"1","error":"An unexpected error occurred invoking 'Refund' on the server. HubException: not for you"}
	// {"type":3,"invocationId":"2","result":"nice things"}
	// {"type":3,"invocationId":"3","error":"An unexpected error occurred invoking 'Audit' on the server. HubException: not for you"}
}

// chatClient is what the clients of a chat understand: a misspelt name or a wrong argument does not compile.
type chatClient struct {
	to interface { // a signalr.ClientProxy or a signalr.SingleClientProxy
		Send(ctx context.Context, method string, args ...any) error
	}
}

func (c chatClient) Said(ctx context.Context, user, text string) error {
	return c.to.Send(ctx, "Said", user, text)
}

// What clients understand is best written down once, as a type.
func ExampleClientProxy() {
	hub := signalr.NewHub(nil)
	hub.Handle("Say", signalr.Action1(func(ctx context.Context, c *signalr.Caller, text string) error {
		return chatClient{c.Clients().All()}.Said(ctx, "ann", text)
	}))
	try(hub, nil, `{"type":1,"invocationId":"1","target":"Say","arguments":["hello"]}`)
	// Output:
	// {"type":1,"target":"Said","arguments":["ann","hello"]}
	// {"type":3,"invocationId":"1","result":null}
}

// recorder is a lifetime manager that writes down what is sent.
type recorder struct {
	*signalr.MemoryLifetimeManager
	sent []string
}

func (r *recorder) Send(ctx context.Context, to signalr.Target, m *signalr.SerializedMessage) error {
	if inv, ok := m.Message().(*protocol.Invocation); ok {
		r.sent = append(r.sent, fmt.Sprintf("%v: %s%v", to.Names, inv.Target, inv.Arguments))
	}
	return r.MemoryLifetimeManager.Send(ctx, to, m)
}

// A test of what sends needs neither a server nor a client: a hub whose lifetime manager writes down what it is given.
func ExampleHubOptions_lifetimeManager() {
	welcome := func(ctx context.Context, to signalr.HubContext, user string) error { // what is tested
		return to.Clients().User(user).Send(ctx, "Welcome", user)
	}
	sends := &recorder{MemoryLifetimeManager: signalr.NewMemoryLifetimeManager()}
	hub := signalr.NewHub(&signalr.HubOptions{LifetimeManager: sends})
	if err := welcome(context.Background(), hub, "ann"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(sends.sent)
	// Output: [[ann]: Welcome[ann]]
}

// printed is a [signalr.Metrics] that prints.
type printed struct{}

func (printed) ConnectionStarted(t transport.Type) { fmt.Println("+1 by", t) }

func (printed) ConnectionStopped(t transport.Type, status signalr.CloseStatus, lasted time.Duration) {
	fmt.Println("-1 by", t) // and status says why
}

// Whoever measures is told when connections begin and end.
func ExampleMetrics() {
	hub := signalr.NewHub(nil)
	hub.Handle("Leave", signalr.Action0(func(ctx context.Context, c *signalr.Caller) error {
		c.Abort()
		return nil
	}))
	try(hub, &signalr.ServerOptions{Metrics: printed{}}, `{"type":1,"target":"Leave","arguments":[]}`)
	// Output:
	// +1 by WebSockets
	// {"type":7}
	// -1 by WebSockets
}

type tenantKey struct{}

// What middleware has put into the context of the request that opens a connection, hub methods find in theirs.
func ExampleConnectionOptions_baseContext() {
	hub := signalr.NewHub(&signalr.HubOptions{
		Connection: signalr.ConnectionOptions{
			BaseContext: func(r *http.Request) context.Context { return r.Context() },
		},
	})
	hub.Handle("Tenant", signalr.Func0(func(ctx context.Context, c *signalr.Caller) (string, error) {
		tenant, _ := ctx.Value(tenantKey{}).(string)
		return tenant, nil
	}))
	srv, _ := signalr.NewServer(nil)
	mux := http.NewServeMux()
	srv.MapHub(mux, "/hub", hub, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tenantKey{}, "shop 7")))
		})
	})
	web := httptest.NewServer(mux)
	defer web.Close()
	defer srv.Shutdown(context.Background())
	client := dial(web.URL + "/hub")
	defer client.Close()
	write(client, `{"type":1,"invocationId":"1","target":"Tenant","arguments":[]}`)
	fmt.Println(read(client))
	// Output: {"type":3,"invocationId":"1","result":"shop 7"}
}

// Limits are options; all have ASP.NET Core's names and defaults.
func ExampleHubOptions() {
	hub := signalr.NewHub(&signalr.HubOptions{
		MaximumReceiveMessageSize: 1 << 10, EnableDetailedErrors: true,
		Connection: signalr.ConnectionOptions{SendQueueLimit: 64 << 10},
	})
	try(hub, nil, `{"type":1,"target":"Say","arguments":["`+strings.Repeat("x", 1<<10)+`"]}`)
	// Output:
	// {"type":7,"error":"Connection closed with an error. InvalidDataException: The maximum message size of 1024B was exceeded. The message size can be configured in AddHubOptions.","allowReconnect":true}
}

// A raw connection is bytes both ways, over all transports, without hub and handshake.
func ExampleServer_MapConnectionHandler() {
	srv, _ := signalr.NewServer(nil)
	mux := http.NewServeMux()
	srv.MapConnectionHandler(mux, "/upper", func(ctx context.Context, conn transport.Conn, req *signalr.Request) error {
		buf := make([]byte, 1024)
		for {
			n, err := conn.Read(buf)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := conn.Write(ctx, []byte(strings.ToUpper(string(buf[:n])))); err != nil {
				return err
			}
		}
	}, nil)
	web := httptest.NewServer(mux)
	defer web.Close()
	defer srv.Shutdown(context.Background())
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(web.URL, "http")+"/upper", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ws.Close()
	if err := ws.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(read(ws))
	// Output: HELLO
}

// Pages of other origins are let in by two switches: CORS middleware for what browsers ask about, and Origins for
// WebSockets, about which they don't.
func Example_cors() {
	const shop = "https://shop.example"
	cors := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Add("Vary", "Origin")
			if r.Header.Get("Origin") == shop {
				h.Set("Access-Control-Allow-Origin", shop)
				h.Set("Access-Control-Allow-Credentials", "true") // the official client sends cookies unless told not to
				if r.Method == http.MethodOptions {
					h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
					h.Set("Access-Control-Allow-Headers", "Authorization, X-Requested-With, X-SignalR-User-Agent")
					h.Set("Access-Control-Max-Age", "600")
					w.WriteHeader(http.StatusNoContent)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
	hub := signalr.NewHub(&signalr.HubOptions{Connection: signalr.ConnectionOptions{Origins: []string{shop}}})
	srv, _ := signalr.NewServer(nil)
	mux := http.NewServeMux()
	srv.MapHub(mux, "/hub", hub, cors)
	web := httptest.NewServer(mux)
	defer web.Close()
	defer srv.Shutdown(context.Background())

	for _, origin := range []string{shop, "https://evil.example"} {
		ask := func(method, path string) string {
			r, err := http.NewRequest(method, web.URL+path, nil)
			if err != nil {
				return err.Error()
			}
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				return err.Error()
			}
			defer res.Body.Close()
			return fmt.Sprintf("%d, allowed %q", res.StatusCode, res.Header.Get("Access-Control-Allow-Origin"))
		}
		fmt.Println(origin)
		fmt.Println("  preflight:", ask(http.MethodOptions, "/hub/negotiate"))
		fmt.Println("  negotiate:", ask(http.MethodPost, "/hub/negotiate?negotiateVersion=1"))
		_, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(web.URL, "http")+"/hub", http.Header{"Origin": {origin}})
		fmt.Println("  WebSocket:", res.StatusCode, err)
	}
	// Output:
	// https://shop.example
	//   preflight: 204, allowed "https://shop.example"
	//   negotiate: 200, allowed "https://shop.example"
	//   WebSocket: 101 <nil>
	// https://evil.example
	//   preflight: 405, allowed ""
	//   negotiate: 200, allowed ""
	//   WebSocket: 403 websocket: bad handshake
}
