package signalr

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// testFarm is some servers that are one to their clients. Their private network is a map.
type testFarm struct {
	nodes   []*testServer
	private map[string]*pipeListener // by address
	servers []*http.Server
	frozen  []chan struct{} // closed to have a node's internal handler answer again; nil when it does
}

func farmKey(id byte) TokenKey {
	return TokenKey{ID: id, Secret: []byte(strings.Repeat(string(rune('a'+id)), 32))}
}

// newFarm starts n nodes with the hub /hub, which all of them share no memory of, and /other.
func newFarm(t *testing.T, n int, keys ...TokenKey) *testFarm {
	t.Helper()
	if keys == nil {
		keys = []TokenKey{farmKey(1)}
	}
	f := &testFarm{private: make(map[string]*pipeListener), frozen: make([]chan struct{}, n)}
	for i := range n {
		addr := fmt.Sprintf("10.0.0.%d:81", i+1)
		s := newTestServer(t, &ServerOptions{TokenKeys: keys, Farm: &FarmOptions{Address: addr, dial: f.dial}})
		h := s.hub(&HubOptions{Connection: ConnectionOptions{AllowStatefulReconnects: true}})
		h.Handle("Where", Func0(func(_ context.Context, c *Caller) (string, error) {
			return fmt.Sprintf("%s on %d by %s from %s%s", c.UserID(), i, c.Transport(), c.Request().Host, c.Request().Path), nil
		}))
		s.MapHub(s.mux, "/hub", h)
		s.MapHub(s.mux, "/other", NewHub(nil))
		ln := newPipeListener()
		f.private[addr] = ln
		hs := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if f.frozen[i] != nil {
				<-f.frozen[i]
			}
			s.FarmHandler().ServeHTTP(w, r)
		})}
		served := make(chan struct{})
		go func() { defer close(served); _ = hs.Serve(ln) }()
		t.Cleanup(func() { _ = hs.Close(); <-served })
		f.nodes, f.servers = append(f.nodes, s), append(f.servers, hs)
	}
	return f
}

func (f *testFarm) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return f.private[addr].dial(ctx, network, addr)
}

// kill takes a node away: nobody hears of it any more.
func (f *testFarm) kill(i int) { _ = f.servers[i].Close() }

func (f *testFarm) counts() string {
	synctest.Wait()
	var counts []int
	for _, s := range f.nodes {
		counts = append(counts, s.Connections())
	}
	return fmt.Sprint(counts)
}

func wantCounts(t *testing.T, f *testFarm, want string) {
	t.Helper()
	if got := f.counts(); got != want {
		t.Errorf("connections of the nodes: %s, want %s", got, want)
	}
}

const bearerAnn = "Bearer ann"

func TestFarmLongPolling(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFarm(t, 3)
		target := "/hub?id=" + f.nodes[0].negotiate("/hub", "Authorization", bearerAnn)
		turn := 0
		do := func(method, body string) (int, string) {
			turn++
			return f.nodes[turn%3].do(method, target, body, "Authorization", bearerAnn)
		}
		if status, body := do(http.MethodGet, ""); status != 200 || body != "" {
			t.Fatalf("first poll: %d %q", status, body)
		}
		for _, m := range []string{jsonHandshake, invocation("1", "Where"), invocation("2", "Echo", "x")} {
			if status, body := do(http.MethodPost, m+"\x1e"); status != 200 || body != "" {
				t.Fatalf("POST: %d %q", status, body)
			}
		}
		got := ""
		for want := "{}\x1e" + result("1", `"ann on 0 by LongPolling from signalr.test/hub"`) + "\x1e" + result("2", `"x"`) + "\x1e"; len(got) < len(want); {
			status, body := do(http.MethodGet, "")
			if got += body; status != 200 || !strings.HasPrefix(want, got) {
				t.Fatalf("polls: %d %q, want %q", status, got, want)
			}
		}
		wantCounts(t, f, "[1 0 0]")
		for i, s := range f.nodes {
			if status, _ := s.do(http.MethodGet, target, "", "Authorization", "Bearer bob"); status != http.StatusForbidden {
				t.Errorf("somebody else at node %d: %d", i, status)
			}
		}
		if status, _ := f.nodes[2].do(http.MethodDelete, target, "", "Authorization", bearerAnn); status != http.StatusAccepted {
			t.Errorf("DELETE: %d", status)
		}
		wantCounts(t, f, "[0 0 0]")
		for i, s := range f.nodes {
			if status, body := s.do(http.MethodGet, target, "", "Authorization", bearerAnn); status != 404 || body != "No Connection with that ID" {
				t.Errorf("afterwards at node %d: %d %q", i, status, body)
			}
		}
	})
}

func TestFarmServerSentEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFarm(t, 3)
		target := "/hub?id=" + f.nodes[0].negotiate("/hub")
		ctx, leave := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://signalr.test"+target, nil)
		r.Header.Set("Accept", "text/event-stream")
		res, err := f.nodes[1].http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if status, _ := f.nodes[2].post(target, jsonHandshake+"\x1e"); status != 200 {
			t.Fatalf("POST: %d", status)
		}
		if status, _ := f.nodes[0].post(target, invocation("1", "Where")+"\x1e"); status != 200 {
			t.Fatalf("POST: %d", status)
		}
		lines := bufio.NewScanner(res.Body)
		for _, want := range []string{":", "data: {}\x1e", "", `data: ` + result("1", `" on 0 by ServerSentEvents from signalr.test/hub"`) + "\x1e", ""} {
			if lines.Scan(); lines.Text() != want {
				t.Fatalf("line %q, want %q", lines.Text(), want)
			}
		}
		wantCounts(t, f, "[1 0 0]")
		leave()
		wantCounts(t, f, "[0 0 0]")
	})
}

// TestFarmWebSockets: a plain WebSocket lives where it landed, and its token is good for one.
func TestFarmWebSockets(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFarm(t, 3)
		token := f.nodes[0].negotiate("/hub", "Authorization", bearerAnn)
		c := f.nodes[1].open("/hub?id="+token, "Authorization", bearerAnn)
		c.send(jsonHandshake)
		c.want(`{}`)
		if got := c.call("Where"); got != result("c", `"ann on 1 by WebSockets from signalr.test/hub"`) {
			t.Error(got)
		}
		wantCounts(t, f, "[0 1 0]")
		for _, i := range []int{0, 2} {
			if status := f.upgrade(i, token, "Bearer ann"); status != 404 {
				t.Errorf("the token once more at node %d: %d", i, status)
			}
		}
		if status := f.upgrade(1, token, "Bearer ann"); status != http.StatusConflict {
			t.Errorf("the token once more where it is: %d", status)
		}
		_ = c.ws.Close()
		wantCounts(t, f, "[0 0 0]")
		for range 20 {
			for i := range f.nodes {
				if status := f.upgrade(i, token, "Bearer ann"); status != 404 {
					t.Fatalf("after its end at node %d: %d", i, status)
				}
			}
			time.Sleep(time.Second)
		}
	})
}

// upgrade asks for a WebSocket and returns the status of the answer; one that is opened is closed at once.
func (f *testFarm) upgrade(node int, token, authorization string) int {
	s := f.nodes[node]
	ws, res, err := s.ws.Dial("ws://signalr.test/hub?id="+token, http.Header{"Authorization": {authorization}})
	if err == nil {
		_ = ws.Close()
	}
	if res == nil {
		s.t.Errorf("upgrade at node %d: %v", node, err)
		return 0
	}
	return res.StatusCode
}

func TestFarmTokenOnTwoNodesAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFarm(t, 3)
		for range 30 {
			token := f.nodes[0].negotiate("/hub")
			var opened [3]bool
			var wg sync.WaitGroup
			release := make(chan struct{})
			for i, s := range f.nodes {
				wg.Go(func() {
					<-release
					ws, _, err := s.ws.Dial("ws://signalr.test/hub?id="+token, nil)
					if opened[i] = err == nil; opened[i] {
						t.Cleanup(func() { _ = ws.Close() })
					}
				})
			}
			close(release)
			wg.Wait()
			n := 0
			for _, ok := range opened {
				if ok {
					n++
				}
			}
			if n != 1 {
				t.Fatalf("one token has made %d connections: %v", n, opened)
			}
		}
	})
}

// TestFarmStatefulReconnect: a connection that can be resumed lives at its home, and is resumed through any node.
func TestFarmStatefulReconnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFarm(t, 3)
		status, body := f.nodes[0].post("/hub/negotiate?negotiateVersion=1&useStatefulReconnect=true", "")
		_, rest, _ := strings.Cut(body, `"connectionToken":"`)
		token, _, ok := strings.Cut(rest, `"`)
		if status != 200 || !ok {
			t.Fatalf("negotiation: %d %s", status, body)
		}
		c := f.nodes[1].open("/hub?id=" + token)
		c.send(`{"protocol":"json","version":2}`)
		c.want(`{}`)
		c.send(invocation("1", "Where"))
		c.want(result("1", `" on 0 by WebSockets from signalr.test/hub"`))
		wantCounts(t, f, "[1 0 0]")
		_ = c.ws.UnderlyingConn().Close()
		synctest.Wait()
		c = f.nodes[2].open("/hub?id=" + token)
		c.send(`{"type":9,"sequenceId":2}`) // what comes next is the second that counts
		c.want(`{"type":9,"sequenceId":1}`, result("1", `" on 0 by WebSockets from signalr.test/hub"`))
		c.send(invocation("2", "Echo", "again"))
		got := c.next()
		for strings.HasPrefix(got, `{"type":8,`) {
			got = c.next() // acknowledgements come when they come
		}
		if got != result("2", `"again"`) {
			t.Errorf("after the cut: %s", got)
		}
		wantCounts(t, f, "[1 0 0]")
	})
}

// TestFarmTokens: which tokens open a connection, at the node that issued them and at others.
func TestFarmTokens(t *testing.T) {
	flip := func(token string) string {
		b, _ := base64.RawURLEncoding.DecodeString(token)
		b[40] ^= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	for _, row := range []struct {
		name   string
		token  func(f *testFarm) string
		user   string
		status int
	}{
		{"good", func(f *testFarm) string { return f.nodes[0].negotiate("/hub", "Authorization", bearerAnn) }, "ann", 200},
		{"expired", func(f *testFarm) string {
			defer time.Sleep(16 * time.Second)
			return f.nodes[0].negotiate("/hub", "Authorization", bearerAnn)
		}, "ann", 404},
		{"of a server without a farm, expired", func(f *testFarm) string {
			alone := newTestServer(f.nodes[0].t, &ServerOptions{TokenKeys: []TokenKey{farmKey(1)}})
			alone.MapHub(alone.mux, "/hub", NewHub(nil))
			defer time.Sleep(16 * time.Second)
			return alone.negotiate("/hub", "Authorization", bearerAnn)
		}, "ann", 404},
		{"forged", func(f *testFarm) string { return flip(f.nodes[0].negotiate("/hub", "Authorization", bearerAnn)) }, "ann", 404},
		{"cut short", func(f *testFarm) string { return f.nodes[0].negotiate("/hub", "Authorization", bearerAnn)[:80] }, "ann", 404},
		{"of another hub", func(f *testFarm) string { return f.nodes[0].negotiate("/other", "Authorization", bearerAnn) }, "ann", 404},
		{"of another user", func(f *testFarm) string { return f.nodes[0].negotiate("/hub", "Authorization", bearerAnn) }, "bob", 403},
		{"of a user, used by nobody", func(f *testFarm) string { return f.nodes[0].negotiate("/hub", "Authorization", bearerAnn) }, "", 403},
		{"of another farm", func(f *testFarm) string {
			return newFarm(f.nodes[0].t, 1, farmKey(9)).nodes[0].negotiate("/hub", "Authorization", bearerAnn)
		}, "ann", 404},
	} {
		for node := range 3 {
			t.Run(fmt.Sprintf("%s at node %d of 3", row.name, node), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					f := newFarm(t, 3)
					token := row.token(f)
					for _, method := range []string{http.MethodGet, http.MethodPost} {
						if status, _ := f.nodes[node].do(method, "/hub?id="+token, "", "Authorization", "Bearer "+row.user); status != row.status {
							t.Errorf("%s: %d, want %d", method, status, row.status)
						}
					}
				})
			})
		}
	}
	t.Run("old and removed keys", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f := newFarm(t, 2, farmKey(1))
			old := f.nodes[0].negotiate("/hub")
			rotated := newFarm(t, 1, farmKey(2), farmKey(1))
			removed := newFarm(t, 1, farmKey(2))
			for addr, ln := range f.private { // the newcomers know the way, too
				rotated.private[addr], removed.private[addr] = ln, ln
			}
			if status, _ := rotated.nodes[0].do(http.MethodGet, "/hub?id="+old, ""); status != 404 {
				// Its home is at the address of the newcomer here, and it is another.
				t.Errorf("a token of a process that is gone: %d", status)
			}
			if status, _ := removed.nodes[0].do(http.MethodGet, "/hub?id="+old, ""); status != 404 {
				t.Errorf("a token signed with a removed key: %d", status)
			}
			if status, _ := f.nodes[1].do(http.MethodGet, "/hub?id="+old, ""); status != 200 {
				t.Errorf("a token signed with the key: %d", status)
			}
		})
	})
}

// TestFarmKeyRotation: nodes with the old key first and nodes with the new one first work together.
func TestFarmKeyRotation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		private := make(map[string]*pipeListener)
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			return private[addr].dial(ctx, network, addr)
		}
		var nodes []*testServer
		for i, keys := range [][]TokenKey{{farmKey(1), farmKey(2)}, {farmKey(2), farmKey(1)}} {
			addr := fmt.Sprintf("10.0.0.%d:81", i+1)
			s := newTestServer(t, &ServerOptions{TokenKeys: keys, Farm: &FarmOptions{Address: addr, dial: dial}})
			s.MapHub(s.mux, "/hub", s.hub(nil))
			ln := newPipeListener()
			private[addr] = ln
			hs := &http.Server{Handler: s.FarmHandler()}
			served := make(chan struct{})
			go func() { defer close(served); _ = hs.Serve(ln) }()
			t.Cleanup(func() { _ = hs.Close(); <-served })
			nodes = append(nodes, s)
		}
		for i, s := range nodes {
			target := "/hub?id=" + s.negotiate("/hub")
			if status, _ := nodes[1-i].do(http.MethodGet, target, ""); status != 200 {
				t.Errorf("a token of node %d at the other: %d", i, status)
			}
		}
	})
}

// TestFarmNodeIsGone: what belongs to a node that has died is unknown at once, so that clients connect anew.
func TestFarmNodeIsGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFarm(t, 2)
		target := "/hub?id=" + f.nodes[0].negotiate("/hub")
		if status, _ := f.nodes[1].do(http.MethodGet, target, ""); status != 200 {
			t.Fatal("the first poll failed")
		}
		fresh := f.nodes[0].negotiate("/hub")
		f.kill(0)
		began := time.Now()
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			if status, body := f.nodes[1].do(method, target, ""); status != 404 || body != "No Connection with that ID" {
				t.Errorf("%s: %d %q", method, status, body)
			}
		}
		if status := f.upgrade(1, fresh, ""); status != 404 {
			t.Errorf("a WebSocket with a token of it: %d", status)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestFarmNodeHangs: a node that holds its sockets open and does not answer holds up nothing for long.
func TestFarmNodeHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFarm(t, 3)
		target := "/hub?id=" + f.nodes[0].negotiate("/hub")
		healthy := "/hub?id=" + f.nodes[2].negotiate("/hub")
		for _, at := range []string{target, healthy} {
			if status, _ := f.nodes[1].do(http.MethodGet, at, ""); status != 200 {
				t.Fatal("the first poll failed")
			}
		}
		f.frozen[0] = make(chan struct{})
		defer close(f.frozen[0])
		began := time.Now()
		if status, _ := f.nodes[1].do(http.MethodGet, target, ""); status != 404 {
			t.Errorf("a poll: %d", status)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v to notice", took)
		}
		began = time.Now()
		if status, _ := f.nodes[1].do(http.MethodPost, target, "x"); status != 404 {
			t.Errorf("a POST: %d", status)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v to remember", took)
		}
		if status, _ := f.nodes[1].do(http.MethodPost, healthy, jsonHandshake+"\x1e"); status != 200 {
			t.Errorf("a POST for another node: %d", status)
		}
	})
}

// TestFarmNodeGoesDown: a node that passes polls on goes down; the connections that live elsewhere go on.
func TestFarmNodeGoesDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFarm(t, 3)
		target := "/hub?id=" + f.nodes[0].negotiate("/hub")
		if status, _ := f.nodes[1].do(http.MethodGet, target, ""); status != 200 {
			t.Fatal("the first poll failed")
		}
		if status, _ := f.nodes[1].post(target, jsonHandshake+"\x1e"); status != 200 {
			t.Fatal("the handshake failed")
		}
		if status, body := f.nodes[1].do(http.MethodGet, target, ""); body != "{}\x1e" {
			t.Fatalf("poll: %d %q", status, body)
		}
		polled := make(chan string)
		go func() {
			status, body := f.nodes[1].do(http.MethodGet, target, "")
			polled <- fmt.Sprint(status, body)
		}()
		synctest.Wait()
		if err := f.nodes[1].Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if got := <-polled; got != "200" {
			t.Errorf("the poll is answered %q, want an empty 200: poll again", got)
		}
		wantCounts(t, f, "[1 0 0]")
		if status, _ := f.nodes[2].post(target, invocation("1", "Echo", "x")+"\x1e"); status != 200 {
			t.Errorf("a POST through another node: %d", status)
		}
		if _, body := f.nodes[2].do(http.MethodGet, target, ""); body != result("1", `"x"`)+"\x1e" {
			t.Errorf("a poll through another node: %q", body)
		}
	})
}

// TestFarmHandlerIsClosed: the internal handler lets in nobody but nodes.
func TestFarmHandlerIsClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFarm(t, 1)
		id := f.nodes[0].negotiate("/hub")
		inside := &http.Client{Transport: &http.Transport{DialContext: f.dial}}
		defer inside.CloseIdleConnections()
		for _, path := range []string{"/connection?id=" + id, "/claim?id=" + id, "/hub?id=" + id, "/"} {
			for _, header := range []string{"", "AAAA", strings.Repeat("A", 500)} {
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://10.0.0.1:81"+path, nil)
				r.Header.Set("Signalr-Handover", header)
				res, err := inside.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s with the seal %q: %d", path, header, res.StatusCode)
				}
			}
		}
		if status, _ := f.nodes[0].do(http.MethodGet, "/hub?id="+id, ""); status != 200 {
			t.Errorf("the connection afterwards: %d", status)
		}
	})
	w := httptest.NewRecorder()
	newTestServerWithout(t).FarmHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if status := w.Code; status != http.StatusNotFound {
		t.Errorf("without a farm: %d", status)
	}
}

func TestFarmOptions(t *testing.T) {
	keys := []TokenKey{farmKey(1)}
	for name, o := range map[string]*ServerOptions{
		"no keys":        {Farm: &FarmOptions{Address: "127.0.0.1:81"}},
		"no address":     {TokenKeys: keys, Farm: &FarmOptions{}},
		"no port":        {TokenKeys: keys, Farm: &FarmOptions{Address: "127.0.0.1"}},
		"port 0":         {TokenKeys: keys, Farm: &FarmOptions{Address: "127.0.0.1:0"}},
		"every address":  {TokenKeys: keys, Farm: &FarmOptions{Address: "0.0.0.0:81"}},
		"every address6": {TokenKeys: keys, Farm: &FarmOptions{Address: "[::]:81"}},
	} {
		if _, err := NewServer(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
