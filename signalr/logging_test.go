package signalr

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/signalr/transport"
)

// secrets are what must not stand in a log line.
type secrets struct{ seen map[string]string } // by value: what it is

func (s *secrets) add(value, what string) string {
	if s.seen == nil {
		s.seen = make(map[string]string)
	}
	s.seen[value] = what
	return value
}

// lockedBuffer may be written to by many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// intruder sends what a log line may be written about, and knows the secrets in it.
type intruder struct {
	*testServer
	secrets
	accessToken string
}

// token negotiates and returns the token.
func (i *intruder) token(path, version string) string {
	i.t.Helper()
	res := i.do(http.MethodPost, path+"/negotiate?negotiateVersion="+version, "")
	var n struct{ ConnectionID, ConnectionToken string }
	if err := json.Unmarshal([]byte(res), &n); err != nil {
		i.t.Fatalf("negotiating: %s: %v", res, err)
	}
	return i.add(cmp.Or(n.ConnectionToken, n.ConnectionID), "token of a negotiation of version "+version)
}

// target adds the id and the access token to a path.
func (i *intruder) target(path, id string) string {
	v := url.Values{"access_token": {i.accessToken}}
	if id != "" {
		v.Set("id", i.add(id, "id"))
	}
	return path + "?" + v.Encode()
}

// do sends a request with the access token in a header and returns the body of the answer, or the error.
func (i *intruder) do(method, target, body string, header ...string) string {
	i.t.Helper()
	res, err := i.start(i.t.Context(), method, target, body, header...)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(p)
}

func (i *intruder) start(ctx context.Context, method, target, body string, header ...string) (*http.Response, error) {
	i.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://signalr.test"+target, strings.NewReader(body))
	if err != nil {
		i.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+i.accessToken)
	for h := 0; h < len(header); h += 2 {
		r.Header.Set(header[h], header[h+1])
	}
	return i.http.Do(r)
}

const separator = "\x1e"

// posts are bodies that provoke something, behind a handshake.
var posts = []string{
	jsonHandshake + separator + invocation("1", "Fail") + separator + invocation("2", "Panic") + separator + invocation("3", "NoSuch") +
		separator + strings.Replace(invocation("4", "FailingStream"), `"type":1`, `"type":4`, 1) + separator + invocation("5", "AskAnother") + separator,
	jsonHandshake + separator + `{"type":1,` + separator,
	jsonHandshake + separator + `{"type":3,"invocationId":"s1","result":1}` + separator, // answers another's question
	jsonHandshake + separator + strings.Repeat("x", 40<<10),
	jsonHandshake + separator + `{"type":7,"error":"the client has failed"}` + separator,
	`{"protocol":"unheard of","version":1}` + separator,
	`no handshake` + separator,
}

// overHTTP opens a connection on server-sent events or long polling, posts the body, and lets go of it.
func (i *intruder) overHTTP(kind transport.Type, path, id, body string) {
	i.t.Helper()
	target, accept := i.target(path, id), "*/*"
	if kind == transport.ServerSentEvents {
		accept = "text/event-stream"
	}
	ctx, leave := context.WithTimeout(i.t.Context(), 10*time.Second)
	defer leave()
	res, err := i.start(ctx, http.MethodGet, target, "", "Accept", accept)
	if err != nil {
		i.t.Errorf("opening %v: %v", kind, err)
		return
	}
	defer res.Body.Close()
	i.do(http.MethodPost, target, body)
	if kind == transport.ServerSentEvents {
		synctest.Wait()
		return
	}
	i.do(http.MethodGet, target, "") // the answers, or the error
	i.do(http.MethodGet, i.target(path, id), "", "Authorization", "Bearer "+i.add("token of a stranger", "access token"))
	i.do(http.MethodGet, target, "", "Accept", "text/event-stream") // cannot change now
	i.do(http.MethodDelete, target, "")
	i.do(http.MethodPost, target, "too late")
}

// overWebSocket does the same on a WebSocket, and cuts it.
func (i *intruder) overWebSocket(path, id, body string) {
	i.t.Helper()
	c := i.open(i.target(path, id), "Authorization", "Bearer "+i.accessToken)
	if err := c.ws.WriteMessage(1, []byte(body)); err != nil {
		return // refused while it was being sent
	}
	synctest.Wait()
	_ = c.ws.NetConn().Close()
}

// TestNoSecretsInLogs drives every endpoint over every transport, with good and bad tokens and ids, and provokes
// errors: no line of the log, at the lowest level, has an access token or the id that a request named.
func TestNoSecretsInLogs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var out lockedBuffer
		log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		i := &intruder{testServer: newTestServer(t, &ServerOptions{Logger: log})}
		ids := make(chan string, 1)
		hub := i.hub(&HubOptions{
			Name: "Hub of secrets", Logger: log, EnableDetailedErrors: true,
			Connection: ConnectionOptions{AllowStatefulReconnects: true, CloseOnAuthenticationExpiration: true},
		})
		hub.OnConnected(func(_ context.Context, c *Caller) error {
			if _, ok := c.Request().Query()["panics"]; ok {
				panic("at " + c.ConnectionID())
			}
			if _, refused := c.Request().Query()["refused"]; refused {
				return Errorf("refused %s", c.ConnectionID())
			}
			select {
			case ids <- c.ConnectionID():
			default:
			}
			return nil
		})
		hub.OnDisconnected(func(_ context.Context, c *Caller, _ error) error {
			return Errorf("nobody says goodbye to %s", c.ConnectionID())
		})
		hub.Handle("Fail", Action0(func(_ context.Context, c *Caller) error { return errors.New("failed for " + c.ConnectionID()) }))
		hub.Handle("Panic", Action0(func(_ context.Context, c *Caller) error { panic(struct{ ID string }{c.ConnectionID()}) }))
		hub.Handle("AskAnother", Action0(func(ctx context.Context, c *Caller) error {
			_, err := Invoke[int](ctx, c.Clients().Client(<-ids), "WhoAreYou")
			return err
		}))
		hub.HandleStream("FailingStream", Stream0(func(_ context.Context, c *Caller) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) { yield(0, errors.New("stream of "+c.ConnectionID())) }
		}))
		i.MapHub(i.mux, "/hub", hub)
		i.MapConnectionHandler(i.mux, "/raw", func(_ context.Context, conn transport.Conn, _ *Request) error {
			var p [1000]byte
			_, err := conn.Read(p[:])
			return cmp.Or(err, errors.New("raw connection "+conn.ID()+" has failed"))
		}, nil)

		for _, user := range []string{"ann-of-the-secret-token", "bob-until-the-end until 30s"} {
			i.accessToken = i.add(user, "access token")
			i.add(url.QueryEscape(user), "access token, escaped")
			for _, path := range []string{"/hub", "/raw"} {
				for _, version := range []string{"0", "1"} {
					for _, body := range posts {
						for _, kind := range []transport.Type{transport.ServerSentEvents, transport.LongPolling} {
							i.overHTTP(kind, path, i.token(path, version), body)
						}
						i.overWebSocket(path, i.token(path, version), body)
						i.overWebSocket(path, "", body)
					}
					// Ids that are none, have been used, have expired, or belong elsewhere.
					used, old, other := i.token(path, version), i.token(path, version), i.token(path, version)
					i.overHTTP(transport.LongPolling, path, used, jsonHandshake)
					i.do(http.MethodPost, i.target(path, old), jsonHandshake)
					time.Sleep(time.Minute) // of the bubble
					forged := "B" + other[1:]
					for _, id := range []string{used, old, other, forged, "an id that is none", strings.Repeat("id", 1000)} {
						for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodPut} {
							i.do(method, i.target(path, id), jsonHandshake)
						}
						i.do(http.MethodGet, i.target(path, id), "", "Connection", "Upgrade", "Upgrade", "websocket",
							"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
					}
					i.do(http.MethodPost, i.target(path+"/negotiate", "an id for negotiate"), "")
				}
			}
			for _, fate := range []string{"&refused=", "&panics="} {
				target := i.target("/hub", i.token("/hub", "0")) + fate
				i.do(http.MethodGet, target, "")
				i.do(http.MethodPost, target, jsonHandshake+separator)
			}
		}
		if err := i.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}

		lines := out.String()
		for line := range strings.Lines(lines) {
			for secret, what := range i.seen {
				if strings.Contains(line, secret) {
					t.Errorf("the %s %q is in the log: %s", what, secret, line)
				}
			}
		}
		wantLogged(t, lines)
	})
}

// wantLogged checks that there was something to find: every message that a connection's life can bring, with the
// connection's id and the hub's name.
func wantLogged(t *testing.T, lines string) {
	t.Helper()
	missing := map[string]bool{
		"connection started": true, "connection ended": true, "WebSocket ended": true, "connection handler failed": true,
		"handshake complete": true, "handshake refused": true, "connection failed": true, "hub method failed": true,
		"hub method panicked": true, "stream failed": true, "OnConnected failed": true, "OnDisconnected failed": true,
		"a hub's event handler panicked": true,
	}
	for line := range strings.Lines(lines) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		delete(missing, fields["msg"].(string))
		if id, _ := fields["connection"].(string); len(id) != 22 {
			t.Errorf("no connection id in %s", line)
		}
		if fields["hub"] != "Hub of secrets" && fields["endpoint"] != "/hub" && fields["endpoint"] != "/raw" {
			t.Errorf("neither hub nor endpoint in %s", line)
		}
	}
	if len(missing) > 0 {
		t.Errorf("never logged: %q", slices.Sorted(maps.Keys(missing)))
	}
}
