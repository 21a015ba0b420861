package redisbackplane_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/signalr"
)

var users = flag.Int("users", 5_000, "how many users, and as many connections of nobody, TestManyUsers has")

// heap is how many bytes are in use.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestManyGroups: a hundred thousand groups on one node, in memory that is stated in the documentation.
func TestManyGroups(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	a := n.connectJSON("a")
	const groups = 100_000
	before := heap()
	for part := range groups / 10_000 {
		names := make([]string, 10_000)
		for i := range names {
			names[i] = fmt.Sprintf("order %07d", part*len(names)+i)
		}
		if err := n.hub.Groups().AddAll(n.ctx(), a.id, names...); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / groups
	t.Logf("%d bytes a group", each)
	if each > 1024 {
		t.Errorf("a group takes %d bytes, want at most 1024", each)
	}
	n.send(n.hub.Clients().Group("order 0099999"), "x")
	a.gets("x")
}

// TestManyUsers measures what a connection, and a user with one, take in a lifetime manager, beside what the connection
// itself takes: they are stated in the documentation, measured with more of them.
func TestManyUsers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	each := func(m signalr.HubLifetimeManager, conns []*signalr.Connection) int {
		before := heap()
		var wg sync.WaitGroup
		const atATime = 64
		for i := range atATime {
			wg.Go(func() {
				for ; i < len(conns); i += atATime {
					if err := m.OnConnected(t.Context(), conns[i]); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		n := (heap() - before) / len(conns)
		runtime.KeepAlive(m)
		return n
	}
	var local, redis [2]int // of a connection alone, and with its user
	for i, user := range []string{"", "user"} {
		conns := polledConnections(t, *users, user)
		local[i] = each(signalr.NewMemoryLifetimeManager(), conns)
		b := newBackplane(t, startRedis(t), nil)
		signalr.NewHub(&signalr.HubOptions{LifetimeManager: b})
		eventually(t, "a backplane is connected", b.Healthy)
		redis[i] = each(b, conns)
		if got, want := b.Stats().Subscriptions, len(conns)*(i+1); got != want {
			t.Errorf("%d subscriptions, want %d", got, want)
		}
	}
	for _, row := range []struct {
		name  string
		each  [2]int
		bound int // of a connection with its user
	}{{"the local manager", local, 1024}, {"the backplane with its local manager", redis, 2048}} {
		t.Logf("%s: %d bytes a connection, and %d more for its user", row.name, row.each[0], row.each[1]-row.each[0])
		if row.each[1] > row.bound {
			t.Errorf("%s takes %d bytes for a user with a connection, want at most %d", row.name, row.each[1], row.bound)
		}
	}
}

// catcher is a manager that tells of connections.
type catcher struct {
	*signalr.MemoryLifetimeManager
	caught chan *signalr.Connection
}

func (c catcher) OnConnected(ctx context.Context, conn *signalr.Connection) error {
	c.caught <- conn
	return c.MemoryLifetimeManager.OnConnected(ctx, conn)
}

// polledConnections makes connections that have no socket, each of another user unless user is empty. They are those of
// clients that poll, and have just been answered.
func polledConnections(t *testing.T, n int, user string) []*signalr.Connection {
	t.Helper()
	srv, err := signalr.NewServer(&signalr.ServerOptions{DisconnectTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c := catcher{signalr.NewMemoryLifetimeManager(), make(chan *signalr.Connection, 1)}
	hub := signalr.NewHub(&signalr.HubOptions{LifetimeManager: c, ClientTimeoutInterval: time.Hour, KeepAliveInterval: time.Hour})
	mux := http.NewServeMux()
	srv.MapHub(mux, "/hub", hub)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("shutting down: %v", err)
		}
	})
	conns := make([]*signalr.Connection, n)
	for i := range conns {
		var identity signalr.Identity
		if user != "" {
			identity.UserID = fmt.Sprintf("%s %07d", user, i)
		}
		do := func(method, url, body string) []byte {
			r := httptest.NewRequest(method, url, io.Reader(strings.NewReader(body)))
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r.WithContext(signalr.WithIdentity(t.Context(), identity)))
			if w.Code != http.StatusOK {
				t.Fatalf("%s %s: %d %s", method, url, w.Code, w.Body)
			}
			return w.Body.Bytes()
		}
		var negotiated struct{ ConnectionToken string }
		if err := json.Unmarshal(do("POST", "/hub/negotiate?negotiateVersion=1", ""), &negotiated); err != nil {
			t.Fatal(err)
		}
		url := "/hub?id=" + negotiated.ConnectionToken
		do("GET", url, "")
		do("POST", url, "{\"protocol\":\"json\",\"version\":1}\x1e")
		conns[i] = <-c.caught
	}
	return conns
}
