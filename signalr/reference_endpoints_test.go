package signalr

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
	"signalbox/signalr/transport"
)

// TestDefaults (F-004, F-121).
func TestDefaults(t *testing.T) {
	want := HubOptions{
		HandshakeTimeout: 15 * time.Second, KeepAliveInterval: 15 * time.Second, ClientTimeoutInterval: 30 * time.Second,
		MaximumReceiveMessageSize: 32 << 10, MaximumParallelInvocationsPerClient: 1, StreamBufferCapacity: 10, StatefulReconnectBufferSize: 100_000,
		Connection: ConnectionOptions{
			Transports:               transport.WebSockets | transport.ServerSentEvents | transport.LongPolling,
			ApplicationMaxBufferSize: 64 << 10, SendQueueLimit: 1 << 20,
			TransportSendTimeout: 10 * time.Second, CloseTimeout: 5 * time.Second, PollTimeout: 90 * time.Second,
		},
	}
	got := NewHub(nil).opts
	ignored := cmpopts.IgnoreFields(HubOptions{}, "Protocols", "LifetimeManager", "Logger", "SlowClients")
	if diff := cmp.Diff(want, got, ignored, cmpopts.IgnoreFields(ConnectionOptions{}, "SubProtocolSelector", "BaseContext")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !got.SlowClients.closes() {
		t.Error("slow clients stay")
	}
	if names := got.Protocols; len(names) != 1 || names[0].Name() != "json" {
		t.Errorf("protocols %v", names)
	}
}

// TestTransportsThatAreOff: an endpoint offers what it is allowed to, and refuses the rest (F-026).
func TestTransportsThatAreOff(t *testing.T) {
	for _, row := range []struct {
		on  transport.Type
		get map[string]int // Accept or Upgrade, and the status
	}{
		{transport.LongPolling, map[string]int{"ws": 404, "sse": 404, "lp": 200}},
		{transport.ServerSentEvents, map[string]int{"ws": 404, "lp": 404}},
		{transport.WebSockets, map[string]int{"sse": 404, "lp": 404}},
		{transport.WebSockets | transport.ServerSentEvents, map[string]int{"lp": 404}},
	} {
		t.Run(row.on.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := hubServer(t, &HubOptions{Connection: ConnectionOptions{Transports: row.on}}, nil)
				for kind, want := range row.get {
					target := "/hub?id=" + s.negotiate("/hub")
					status := 0
					switch kind {
					case "ws":
						_, res, err := s.ws.Dial("ws://signalr.test"+target, nil)
						if err == nil || res == nil {
							t.Fatalf("a WebSocket where there is none: %v", err)
						}
						status = res.StatusCode
					case "sse":
						status, _ = s.do(http.MethodGet, target, "", "Accept", "text/event-stream")
					case "lp":
						status, _ = s.do(http.MethodGet, target, "")
					}
					if status != want {
						t.Errorf("%s: %d, want %d", kind, status, want)
					}
				}
			})
		})
	}
}

// TestContextsEndWithTheConnection: on each transport a method's context ends when the client goes (F-113).
func TestContextsEndWithTheConnection(t *testing.T) {
	for _, kind := range []string{"WebSockets", "ServerSentEvents", "LongPolling"} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				started, ended := make(chan string, 1), make(chan struct{})
				s := hubServer(t, nil, func(h *Hub) {
					h.Handle("Wait", Action0(func(ctx context.Context, c *Caller) error {
						started <- c.Transport().String()
						<-ctx.Done()
						close(ended)
						return nil
					}))
				})
				calls := jsonHandshake + "\x1e" + invocation("", "Wait") + "\x1e"
				var leave func()
				if kind == "WebSockets" {
					c := s.connect()
					c.send(invocation("", "Wait"))
					leave = func() { _ = c.ws.NetConn().Close() }
				} else {
					target := "/hub?id=" + s.negotiate("/hub")
					ctx, cancel := context.WithCancel(t.Context())
					r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://signalr.test"+target, http.NoBody)
					if err != nil {
						t.Fatal(err)
					}
					leave = func() { s.do(http.MethodDelete, target, "") }
					if kind == "ServerSentEvents" {
						r.Header.Set("Accept", "text/event-stream")
						leave = cancel
					}
					res, err := s.http.Do(r)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { cancel(); _ = res.Body.Close() })
					s.post(target, calls)
				}
				if got := <-started; got != kind {
					t.Errorf("transport %s", got)
				}
				leave()
				<-ended // or the bubble's watchdog finds that it hangs
			})
		})
	}
}

// TestHandshakeFormat: MessagePack needs a transport for bytes (F-056).
func TestHandshakeFormat(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, &HubOptions{Protocols: []protocol.HubProtocol{jsonprotocol.New(nil), msgpackprotocol.New(nil)}}, nil)
		target := "/hub?id=" + s.negotiate("/hub")
		answers := make(chan string, 1)
		go func() {
			_, body := s.do(http.MethodGet, target, "", "Accept", "text/event-stream")
			answers <- body
		}()
		time.Sleep(time.Second)
		s.post(target, `{"protocol":"messagepack","version":1}`+"\x1e")
		const text = `{"error":"Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format."}`
		if got, want := <-answers, ":\r\ndata: "+text+"\x1e\r\n\r\n"; got != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
	})
}
