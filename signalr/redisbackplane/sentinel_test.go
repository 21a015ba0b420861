package redisbackplane_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/rueidis"

	"signalbox/signalr"
	"signalbox/signalr/redisbackplane"
	"signalbox/signalr/signalrtest"
)

// watched is a master and a replica that a sentinel watches.
type watched struct {
	master, replica, sentinel *redisServer
}

// option is how to reach whichever is the master.
func (w *watched) option() rueidis.ClientOption {
	return rueidis.ClientOption{
		InitAddress: []string{w.sentinel.Addr}, Sentinel: rueidis.SentinelOption{MasterSet: "main"},
	}
}

// startSentinel starts all three, and returns when a failover would succeed.
func startSentinel(t *testing.T) *watched {
	t.Helper()
	w := &watched{master: startRedis(t, "--repl-diskless-sync-delay", "0")}
	_, port, err := net.SplitHostPort(w.master.Addr)
	if err != nil {
		t.Fatal(err)
	}
	w.replica = startRedis(t, "--replicaof", "127.0.0.1", port)
	config := filepath.Join(t.TempDir(), "sentinel.conf") // which it writes to
	text := strings.ReplaceAll(`sentinel monitor main 127.0.0.1 PORT 1
sentinel down-after-milliseconds main 400
sentinel failover-timeout main 2000
`, "PORT", port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.sentinel = startRedis(t, config, "--sentinel")
	c := w.sentinel.client()
	eventually(t, "the sentinel knows the replica, which has what the master has", func() bool {
		replicas, err := c.Do(t.Context(), c.B().SentinelReplicas().Master("main").Build()).ToArray()
		if err != nil || len(replicas) != 1 {
			return false
		}
		fields, err := replicas[0].AsStrMap()
		return err == nil && fields["master-link-status"] == "ok"
	})
	return w
}

func (w *watched) newNode(t *testing.T, change func(*redisbackplane.Options)) *node {
	t.Helper()
	return newNodeWith(t, newBackplaneOn(t, w.option(), change), both())
}

func TestScaleoutSentinel(t *testing.T) {
	t.Parallel()
	w := startSentinel(t)
	signalrtest.TestScaleout(t, func(t *testing.T) signalrtest.Farm {
		return func() signalr.HubLifetimeManager {
			return newBackplaneOn(t, w.option(), func(o *redisbackplane.Options) { o.HubName = "Hub " + t.Name() })
		}
	})
}

// TestFailover: the master dies, or hangs; the replica takes its place with all subscriptions, and nobody reconnects. What
// was sent meanwhile and taken is not lost.
func TestFailover(t *testing.T) {
	for name, fail := range map[string]func(master *redisServer){
		"killed": func(master *redisServer) { master.Stop() },
		"hangs":  func(master *redisServer) { master.signal(syscall.SIGSTOP) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startSentinel(t)
			var seen changes
			// The time-out is long, so that it is the sentinel who finds out.
			one := w.newNode(t, func(o *redisbackplane.Options) { o.OnStateChange, o.Timeout = seen.add, patience })
			two := w.newNode(t, nil)
			connected(one, two)
			a, b := one.connect("a", "ann", "json"), two.connect("b", "ann", "json")
			two.join(a, "g")
			one.join(b, "g")
			one.send(one.hub.Clients().Group("g"), "before")
			a.gets("before")
			b.gets("before")

			fail(w.master)
			eventually(t, "the farm is on the replica", func() bool {
				names := channelsOf(t, w.replica.client(), hubName+":internal:return:*")
				return len(names) == 2 && one.b.Healthy() && two.b.Healthy()
			})
			for _, row := range []struct {
				text string
				to   signalr.ClientProxy
			}{
				{"all", one.hub.Clients().All()}, {"group", two.hub.Clients().Group("g")}, {"user", one.hub.Clients().User("ann")},
			} {
				if err := row.to.Send(one.ctx(), "Receive", row.text); err != nil {
					t.Fatalf("sending to %s: %v", row.text, err)
				}
				a.gets(row.text)
				b.gets(row.text)
			}
			one.join(b, "late")
			two.send(two.hub.Clients().Group("late"), "late")
			b.gets("late")
			done := make(chan error, 1)
			go func() {
				n, err := signalr.Invoke[int](one.ctx(), one.hub.Clients().Client(b.id), "Ask")
				if err == nil && n != 7 {
					err = fmt.Errorf("got %d", n)
				}
				done <- err
			}()
			b.write(fmt.Sprintf(`{"type":3,"invocationId":%q,"result":7}`, b.question()))
			if err := <-done; err != nil {
				t.Error(err)
			}
			want := []redisbackplane.State{redisbackplane.Connected, redisbackplane.Disconnected, redisbackplane.Connected}
			if diff := cmp.Diff(want, seen.states()[:3]); diff != "" {
				t.Errorf("the states were otherwise:\n%s", diff)
			}
		})
	}
}
