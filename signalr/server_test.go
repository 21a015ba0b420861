package signalr

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"signalbox/signalr/transport"
)

// post sends a POST and returns the status and the body.
func (s *testServer) post(target, body string, header ...string) (int, string) {
	s.t.Helper()
	return s.do(http.MethodPost, target, body, header...)
}

func (s *testServer) do(method, target, body string, header ...string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://signalr.test"+target, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	res, err := s.http.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	return res.StatusCode, string(p)
}

// negotiate returns a connection token.
func (s *testServer) negotiate(path string, header ...string) string {
	s.t.Helper()
	status, body := s.post(path+"/negotiate?negotiateVersion=1", "", header...)
	var n struct{ ConnectionToken string }
	if err := json.Unmarshal([]byte(body), &n); err != nil || status != http.StatusOK || n.ConnectionToken == "" {
		s.t.Fatalf("negotiation: %d %s", status, body)
	}
	return n.ConnectionToken
}

// TestTransports: a call and its answer over each transport.
func TestTransports(t *testing.T) {
	t.Run("server-sent events", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := hubServer(t, nil, func(h *Hub) {
				h.Handle("Transport", Func0(func(_ context.Context, c *Caller) (string, error) { return c.Transport().String(), nil }))
			})
			target := "/hub?id=" + s.negotiate("/hub")
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://signalr.test"+target, nil)
			r.Header.Set("Accept", "text/event-stream")
			res, err := s.http.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if status, body := s.post(target, jsonHandshake+"\x1e"+invocation("1", "Transport")+"\x1e"); status != 200 || body != "" {
				t.Errorf("POST: %d %q", status, body)
			}
			want := ":\r\ndata: {}\x1e\r\n\r\ndata: " + result("1", `"ServerSentEvents"`) + "\x1e\r\n\r\n"
			got := make([]byte, len(want))
			if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	})
	t.Run("long polling", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := hubServer(t, nil, func(h *Hub) {
				h.Handle("Transport", Func0(func(_ context.Context, c *Caller) (string, error) { return c.Transport().String(), nil }))
			})
			target := "/hub?id=" + s.negotiate("/hub")
			poll := func(want string) {
				t.Helper()
				if status, body := s.do(http.MethodGet, target, ""); status != http.StatusOK || body != want {
					t.Errorf("poll: %d %q, want %q", status, body, want)
				}
			}
			poll("")
			s.post(target, jsonHandshake+"\x1e")
			poll("{}\x1e")
			s.post(target, invocation("1", "Transport")+"\x1e")
			poll(result("1", `"LongPolling"`) + "\x1e")
			poll("") // 90 s later, and no ping came (F-042)
			last := make(chan string)
			go func() {
				_, body := s.do(http.MethodGet, target, "")
				last <- body
			}()
			synctest.Wait()
			if status, _ := s.do(http.MethodDelete, target, ""); status != http.StatusAccepted {
				t.Errorf("DELETE: %d", status)
			}
			if got, want := <-last, `{"type":7,"allowReconnect":true}`+"\x1e"; got != want {
				t.Errorf("the last poll: %q, want %q", got, want)
			}
			if status, _ := s.do(http.MethodGet, target, ""); status != http.StatusNotFound {
				t.Errorf("poll afterwards: %d", status)
			}
		})
	})
}

// TestRequestIsKept: what a hub can see of the request that opened the transport.
func TestRequestIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		requests := make(chan *Request, 1)
		s := hubServer(t, nil, func(h *Hub) {
			h.OnConnected(func(_ context.Context, c *Caller) error { requests <- c.Request(); return nil })
		})
		c := s.open("/hub?room=a%20b&x=1&x=2", "X-Many", "1", "X-Many", "2", "Cookie", "session=s1; theme=dark", "X-Empty", "")
		c.send(jsonHandshake)
		r := <-requests
		if diff := cmp.Diff([]string{"/hub", "signalr.test", "pipe"}, []string{r.Path, r.Host, r.RemoteAddr}); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if diff := cmp.Diff(url.Values{"room": {"a b"}, "x": {"1", "2"}}, r.Query()); diff != "" {
			t.Errorf("query: -want +got\n%s", diff)
		}
		for _, row := range []struct {
			name, want string
			ok         bool
		}{{"x-many", "1", true}, {"X-EMPTY", "", true}, {"X-Missing", "", false}, {"Upgrade", "websocket", true}} {
			if got, ok := r.Header(row.name); got != row.want || ok != row.ok {
				t.Errorf("header %s: %q, %t", row.name, got, ok)
			}
		}
		for _, row := range []struct {
			name, want string
			ok         bool
		}{{"session", "s1", true}, {"theme", "dark", true}, {"Session", "", false}} {
			if got, ok := r.Cookie(row.name); got != row.want || ok != row.ok {
				t.Errorf("cookie %s: %q, %t", row.name, got, ok)
			}
		}
	})
}

func TestAccessToken(t *testing.T) {
	for _, row := range []struct{ name, header, query, want string }{
		{"none", "", "", ""},
		{"header", "Bearer abc", "", "abc"},
		{"header in another case", "bearer abc", "", "abc"},
		{"query", "", "abc", "abc"},
		{"header wins", "Bearer abc", "def", "abc"},
		{"another scheme", "Basic abc", "def", "def"},
		{"no scheme", "abc", "", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/hub?Access_Token="+row.query, nil) // the case of keys does not matter
		if row.header != "" {
			r.Header.Set("Authorization", row.header)
		}
		if got := AccessToken(r); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestIdentity(t *testing.T) {
	ctx := WithIdentity(context.Background(), Identity{UserID: "ann", Claims: map[string][]string{"role": {"admin"}}})
	if id, ok := IdentityFrom(ctx); !ok || id.UserID != "ann" || id.Claims["role"][0] != "admin" {
		t.Errorf("identity %+v, %t", id, ok)
	}
	if _, ok := IdentityFrom(context.Background()); ok {
		t.Error("there is an identity in an empty context")
	}
	if id, ok := IdentityFrom(WithIdentity(context.Background(), Identity{Expires: time.Unix(1, 0)})); ok || id.Expires.IsZero() {
		t.Errorf("an identity of nobody: %+v, %t", id, ok)
	}
}

// TestIdentityOfLaterRequests: a token serves him alone who has negotiated, and a connection him who has opened it.
func TestIdentityOfLaterRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, nil)
		ann, bob := []string{"Authorization", "Bearer ann"}, []string{"Authorization", "Bearer bob"}
		target := "/hub?id=" + s.negotiate("/hub", ann...)
		for _, row := range []struct {
			method string
			header []string
			want   int
		}{
			{http.MethodGet, bob, 403}, {http.MethodGet, nil, 403}, {http.MethodPost, bob, 403},
			{http.MethodGet, ann, 200},
			{http.MethodGet, bob, 403}, {http.MethodPost, bob, 403}, {http.MethodPost, nil, 403}, {http.MethodDelete, bob, 403},
			{http.MethodPost, ann, 200}, {http.MethodDelete, ann, 202},
		} {
			if got, body := s.do(row.method, target, jsonHandshake+"\x1e", row.header...); got != row.want || got == 403 && body != "" {
				t.Errorf("%s as %v: %d %q, want %d", row.method, row.header, got, body, row.want)
			}
		}
		if _, res, err := s.ws.Dial("ws://signalr.test/hub?id="+s.negotiate("/hub", ann...), http.Header{"Authorization": {"Bearer bob"}}); err == nil || res.StatusCode != 403 {
			t.Errorf("WebSocket of another user: %v", err)
		}
	})
}

func TestCloseOnAuthenticationExpiration(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, &HubOptions{Connection: ConnectionOptions{CloseOnAuthenticationExpiration: true}}, func(h *Hub) {
			h.OnDisconnected(func(_ context.Context, _ *Caller, cause error) error {
				if cause != nil {
					t.Errorf("cause %v, want nil", cause)
				}
				return nil
			})
		})
		c := s.user("ann until 20s")
		start := time.Now()
		c.want(`{"type":7,"allowReconnect":true}`, "close 1000")
		if d := time.Since(start); d < 20*time.Second || d > 22*time.Second {
			t.Errorf("closed after %v, want 20 s", d)
		}
	})
}

// TestOrigin: who may open WebSockets.
func TestOrigin(t *testing.T) {
	for _, row := range []struct {
		name    string
		origins []string
		origin  string
		want    bool
	}{
		{"none", nil, "", true},
		{"same", nil, "http://signalr.test", true},
		{"same by TLS, behind a proxy", nil, "https://SignalR.test", true},
		{"same name, other port", nil, "http://signalr.test:8080", false},
		{"sub-domain", nil, "http://evil.signalr.test", false},
		{"longer name", nil, "http://signalr.test.evil.example", false},
		{"null", nil, "null", false},
		{"nonsense", nil, "::", false},
		{"foreign", nil, "https://shop.example", false},
		{"allowed", []string{"https://shop.example"}, "https://shop.example", true},
		{"allowed in another case", []string{"https://shop.example"}, "https://SHOP.example", true},
		{"allowed by another scheme", []string{"https://shop.example"}, "http://shop.example", false},
		{"allowed with another port", []string{"https://shop.example"}, "https://shop.example:444", false},
		{"not on the list", []string{"https://shop.example"}, "https://evil.example", false},
		{"all", []string{"*"}, "https://evil.example", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := hubServer(t, &HubOptions{Connection: ConnectionOptions{Origins: row.origins}}, nil)
				h := http.Header{}
				if row.origin != "" {
					h.Set("Origin", row.origin)
				}
				ws, res, err := s.ws.Dial("ws://signalr.test/hub", h)
				if err == nil {
					_ = ws.Close()
				}
				if (err == nil) != row.want || err != nil && res.StatusCode != http.StatusForbidden {
					t.Errorf("origin %q: %v, want allowed %t", row.origin, err, row.want)
				}
			})
		})
	}
}

// TestPaths: with and without a slash at the end, and in any case behind FoldPaths (F-015, F-017).
func TestPaths(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTestServer(t, nil)
		s.MapHub(s.mux, "/Hubs/Chat", NewHub(nil))
		s.MapHub(s.mux, "/", NewHub(nil))
		s.mux.HandleFunc("/Files/{name}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
		for _, path := range []string{"/Hubs/Chat/negotiate", "/hubs/chat/NEGOTIATE", "/Hubs/Chat/negotiate/", "/negotiate"} {
			if status, body := s.post(path, ""); status != http.StatusOK || !strings.Contains(body, "connectionId") {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		for _, path := range []string{"/Hubs/Chat", "/Hubs/Chat/", "/hubs/CHAT", "/hubs/chat/"} {
			if status, body := s.do(http.MethodGet, path, ""); status != http.StatusBadRequest || body != "Connection ID required" {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		if status, body := s.do(http.MethodGet, "/Files/ReadMe", ""); status != http.StatusOK || body != "/Files/ReadMe" {
			t.Errorf("a path that is not a hub's: %d %s", status, body)
		}
		if status, _ := s.do(http.MethodGet, "/files/ReadMe", ""); status != http.StatusNotFound {
			t.Errorf("a path that is not a hub's is folded: %d", status)
		}
		if status, _ := s.do(http.MethodGet, "/Hubs/Chat/x", ""); status != http.StatusNotFound {
			t.Errorf("a path below a hub's: %d", status)
		}
	})
}

// TestMiddleware: the first is the outermost, and sees every request of the hub.
func TestMiddleware(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTestServer(t, nil)
		note := func(name string) Middleware {
			return func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Add("X-Seen", name)
					next.ServeHTTP(w, r)
				})
			}
		}
		s.MapHub(s.mux, "/hub", NewHub(nil), note("outer"), note("inner"))
		for _, row := range []struct{ method, path string }{
			{http.MethodPost, "/hub/negotiate"}, {http.MethodGet, "/hub"}, {http.MethodPost, "/hub"}, {http.MethodDelete, "/hub/"}, {http.MethodPut, "/hub"},
		} {
			w := httptest.NewRecorder()
			s.mux.ServeHTTP(w, httptest.NewRequest(row.method, row.path, nil))
			if diff := cmp.Diff([]string{"outer", "inner"}, w.Header()["X-Seen"]); diff != "" {
				t.Errorf("%s %s: -want +got\n%s", row.method, row.path, diff)
			}
		}
	})
}

// TestTwoServers live in one process and know nothing of each other.
func TestTwoServers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := hubServer(t, nil, nil), hubServer(t, nil, nil)
		ca, cb := a.connect(), b.connect()
		if status, _ := b.do(http.MethodGet, "/hub?id="+a.negotiate("/hub"), ""); status != http.StatusNotFound {
			t.Errorf("a token of the other server: %d", status)
		}
		go func() { _ = a.Shutdown(context.Background()) }()
		ca.want(`{"type":7,"allowReconnect":true}`, "close 1000")
		if got := cb.call("Echo", "alive"); got != result("c", `"alive"`) {
			t.Errorf("the other server: %s", got)
		}
		synctest.Wait()
		if a.Connections() != 0 || b.Connections() != 1 {
			t.Errorf("%d and %d connections", a.Connections(), b.Connections())
		}
	})
}

// TestSharedKeys: servers that share their keys accept each other's tokens.
func TestSharedKeys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		keys := &ServerOptions{TokenKeys: []TokenKey{{ID: 7, Secret: []byte(strings.Repeat("k", 32))}}}
		a, b := newTestServer(t, keys), newTestServer(t, keys)
		a.MapHub(a.mux, "/hub", NewHub(nil))
		b.MapHub(b.mux, "/hub", NewHub(nil))
		if status, _ := b.do(http.MethodGet, "/hub?id="+a.negotiate("/hub"), ""); status != http.StatusOK {
			t.Errorf("a token of the other server: %d", status)
		}
	})
	if _, err := NewServer(&ServerOptions{TokenKeys: []TokenKey{{ID: 1, Secret: []byte("short")}}}); err == nil {
		t.Error("a short key is accepted")
	}
}

// TestConnectionHandler: bytes go to and fro, and the handler sees the request.
func TestConnectionHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newTestServer(t, nil)
		s.MapConnectionHandler(s.mux, "/raw", func(ctx context.Context, conn transport.Conn, req *Request) error {
			buf := make([]byte, 100)
			for {
				n, err := conn.Read(buf)
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
				if err := conn.Write(ctx, []byte(req.identity.UserID+":"+string(buf[:n]))); err != nil {
					return err
				}
			}
		}, nil)
		c := s.open("/raw", "Authorization", "Bearer ann")
		if err := c.ws.WriteMessage(websocket.BinaryMessage, []byte("hi")); err != nil {
			t.Fatal(err)
		}
		if _, p, err := c.ws.ReadMessage(); string(p) != "ann:hi" {
			t.Errorf("read %q, %v", p, err)
		}
	})
}

func TestServerOptionsThatCannotBeMeant(t *testing.T) {
	for name, o := range map[string]ServerOptions{
		"time":  {DisconnectTimeout: -1},
		"bytes": {SuspendedBufferLimit: -1},
	} {
		if _, err := NewServer(&o); err == nil {
			t.Errorf("negative %s: no error", name)
		}
	}
}

// wildMux takes {$} for a parameter, as chi does.
type wildMux struct{ http.ServeMux }

func (m *wildMux) Handle(pattern string, h http.Handler) {
	m.ServeMux.Handle(strings.ReplaceAll(pattern, "{$}", "{any}"), h)
}

// TestMuxOfAnotherKind maps a hub where {$} means something else: only its own paths are the hub's.
func TestMuxOfAnotherKind(t *testing.T) {
	srv, err := NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := new(wildMux)
	srv.MapHub(mux, "/hub", NewHub(nil))
	for path, want := range map[string]int{
		"/hub/negotiate?negotiateVersion=1": http.StatusOK,
		"/hub/negotiate/more":               http.StatusNotFound,
		"/hub":                              http.StatusBadRequest, // no id
		"/hub/more":                         http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
		if w.Code != want {
			t.Errorf("POST %s: status %d, want %d", path, w.Code, want)
		}
	}
}
