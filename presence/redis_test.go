package presence_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"signalbox"
	"signalbox/presence"
	"signalbox/presence/presencetest"
)

// quick is options whose bounds a test can wait for.
func quick() *presence.RedisOptions {
	return &presence.RedisOptions{Heartbeat: 100 * time.Millisecond, Lease: 3 * time.Second, Timeout: 5 * time.Second}
}

// farm is nodes on one Redis.
type farm struct {
	*presencetest.Redis
	t *testing.T
}

// startRedis starts a Redis that ends with the test.
func startRedis(t *testing.T) *farm {
	t.Helper()
	return &farm{presencetest.StartRedis(t), t}
}

// option is how to reach the server.
func (s *farm) option() rueidis.ClientOption {
	s.t.Helper()
	o, err := rueidis.ParseURL(s.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// client is a connection for looking at what is stored.
func (s *farm) client() rueidis.Client {
	s.t.Helper()
	o := s.option()
	o.DisableCache = true
	c, err := rueidis.NewClient(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// names are the keys that there are.
func (s *farm) names(c rueidis.Client) []string {
	s.t.Helper()
	list, err := c.Do(s.t.Context(), c.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// node makes a node that ends with the test, and waits until it knows Redis.
func (s *farm) node(o *presence.RedisOptions) *presence.Redis {
	s.t.Helper()
	n := s.newNode(o)
	presencetest.Eventually(s.t, "the node to reach Redis", true, func() bool {
		_, err := n.Counts(s.t.Context())
		return err == nil
	})
	return n
}

func (s *farm) newNode(o *presence.RedisOptions) *presence.Redis {
	s.t.Helper()
	n, err := presence.NewRedis(s.option(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), presencetest.Patience)
		defer cancel()
		_ = n.Close(ctx) // fails where Redis is away by then
	})
	return n
}

func TestRedis(t *testing.T) {
	s := startRedis(t)
	farms := 0
	presencetest.Run(t, func(t *testing.T, onChange func(string, bool)) signalbox.ConnectionTracker {
		farms++
		o := quick()
		o.Prefix = fmt.Sprintf("farm-%d", farms)
		o.OnChange = func(c presence.Change) { onChange(c.UserID, c.Online) }
		return s.node(o)
	})
}

func TestRedisOptions(t *testing.T) {
	for name, o := range map[string]presence.RedisOptions{
		"a negative heartbeat": {Heartbeat: -1}, "a negative time-out": {Timeout: -1},
		"a lease shorter than two heartbeats": {Heartbeat: time.Second, Lease: time.Second},
	} {
		if _, err := presence.NewRedis(rueidis.ClientOption{}, &o); err == nil {
			t.Errorf("%s is allowed", name)
		}
	}
}

func connections(t *testing.T, n signalbox.ConnectionTracker, user string) []string {
	t.Helper()
	list, err := n.UserConnections(t.Context(), user)
	if err != nil {
		t.Fatalf("UserConnections(%s): %v", user, err)
	}
	return list
}

func add(t *testing.T, n signalbox.ConnectionTracker, user string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := n.Add(t.Context(), user, id); err != nil {
			t.Fatalf("Add(%s, %s): %v", user, id, err)
		}
	}
}

func wantCounts(t *testing.T, n signalbox.ConnectionTracker, users, connections int) {
	t.Helper()
	want := signalbox.PresenceCounts{Users: users, Connections: connections}
	if got, err := n.Counts(t.Context()); err != nil || got != want {
		t.Errorf("Counts: %+v, %v; want %+v", got, err, want)
	}
}

// TestFarm: what one node has added the others know when Add returns, and who was told what.
func TestFarm(t *testing.T) {
	s := startRedis(t)
	told := &presencetest.Recorder{}
	o := quick()
	o.OnChange = func(c presence.Change) { told.OnChange(c.UserID, c.Online) }
	a, b := s.node(o), s.node(o)
	add(t, a, "ada", "a1")
	add(t, b, "ada", "b1")
	add(t, b, "bob", "b2")
	for _, n := range []*presence.Redis{a, b} {
		if got := connections(t, n, "ada"); !slices.Equal(got, []string{"a1", "b1"}) {
			t.Errorf("ada has %q", got)
		}
		if online, err := n.IsUserOnline(t.Context(), "bob"); !online || err != nil {
			t.Errorf("bob is online: %t, %v", online, err)
		}
		wantCounts(t, n, 2, 3)
		list, err := n.OnlineUsers(t.Context(), "", 10)
		if want := []signalbox.OnlineUser{{UserID: "ada", Connections: 2}, {UserID: "bob", Connections: 1}}; err != nil || !slices.Equal(list, want) {
			t.Errorf("online are %v, %v", list, err)
		}
	}
	// A node takes back its own connections only.
	if err := a.Remove(t.Context(), "ada", "b1"); err != nil {
		t.Fatal(err)
	}
	if got := connections(t, a, "ada"); !slices.Equal(got, []string{"a1", "b1"}) {
		t.Errorf("ada has %q", got)
	}
	if err := a.Close(t.Context()); err != nil { // takes a1 along
		t.Fatal(err)
	}
	if got := connections(t, b, "ada"); !slices.Equal(got, []string{"b1"}) {
		t.Errorf("ada has %q", got)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := told.List()
	slices.Sort(got[2:])
	if want := []string{"+ada", "+bob", "-ada", "-bob"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if left := s.names(s.client()); len(left) > 0 {
		t.Errorf("Redis still has %q", left)
	}
	if err := a.Add(t.Context(), "ada", "late"); err == nil {
		t.Error("a closed tracker takes connections")
	}
}

// TestStormOnThreeNodes: see presencetest.Storm.
func TestStormOnThreeNodes(t *testing.T) {
	s := startRedis(t)
	presencetest.Storm(t, s.node(quick()), s.node(quick()), s.node(quick()))
}

// TestDeadNode: the connections of a node that is no more vanish together, and what it left is cleared away, whether
// anybody asks or not. A user who is elsewhere too stays.
func TestDeadNode(t *testing.T) {
	s := startRedis(t)
	told := &presencetest.Recorder{}
	o := quick()
	o.OnChange = func(c presence.Change) { told.OnChange(c.UserID, c.Online) }
	dying, living := s.node(quick()), s.node(o)
	add(t, living, "ada", "here")
	add(t, dying, "ada", "there")
	const many = 1200 // takes more than two batches
	for i := range many {
		if err := dying.Add(t.Context(), fmt.Sprintf("user-%d", i%40), fmt.Sprintf("c%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	wantCounts(t, living, 41, many+2)
	dying.Abandon()
	wantCounts(t, living, 41, many+2) // its lease lives
	seen := map[int]bool{}
	presencetest.Eventually(t, "the dead node's connections to vanish", 1, func() int {
		counts, err := living.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen[counts.Connections] = true
		return counts.Connections
	})
	if len(seen) > 2 {
		t.Errorf("connections were counted as %v: they did not vanish together", seen)
	}
	if got := connections(t, living, "ada"); !slices.Equal(got, []string{"here"}) {
		t.Errorf("ada has %q", got)
	}
	if online, err := living.IsUserOnline(t.Context(), "user-7"); online || err != nil {
		t.Errorf("user-7 is online: %t, %v", online, err)
	}
	wantCounts(t, living, 1, 1)
	presencetest.Eventually(t, "everybody's leaving to be told", 41, func() int { return len(told.List()) })
	if list := told.List(); slices.Contains(list, "-ada") || !slices.Contains(list, "-user-39") {
		t.Errorf("told %q", list)
	}
	client := s.client()
	presencetest.Eventually(t, "the leftovers to be cleared away", 4, func() int { return len(s.names(client)) })
}

// TestLeftoversNeedNobodyToAsk: see the name. The lease must have run out first.
func TestLeftoversNeedNobodyToAsk(t *testing.T) {
	s := startRedis(t)
	dying := s.node(quick())
	_ = s.node(quick())
	add(t, dying, "ada", "there")
	dying.Abandon()
	client := s.client()
	presencetest.Eventually(t, "nothing but the living node to be left", []string{"{signalbox:presence}:nodes"}, func() []string {
		return s.names(client)
	})
}

// TestReturnOfTheDead: a node that was taken for dead, because it was paused or cut off, puts its connections back.
func TestReturnOfTheDead(t *testing.T) {
	s := startRedis(t)
	a, b := s.node(quick()), s.node(quick())
	add(t, a, "ada", "a1", "a2")
	client := s.client()
	keys := s.names(client)
	if err := client.Do(t.Context(), client.B().Del().Key(keys...).Build()).Error(); err != nil { // as reapers would
		t.Fatal(err)
	}
	presencetest.Eventually(t, "ada to be back", []string{"a1", "a2"}, func() []string { return connections(t, b, "ada") })
	wantCounts(t, b, 1, 2)
}

// TestLostWrites: Redis has failed over to a replica that had not heard of all.
func TestLostWrites(t *testing.T) {
	s := startRedis(t)
	a, b := s.node(quick()), s.node(quick())
	add(t, a, "ada", "a1", "a2")
	client := s.client()
	var keys []string
	for _, key := range s.names(client) {
		if strings.Contains(key, ":connections:") || strings.Contains(key, ":user:") {
			keys = append(keys, key)
		}
	}
	forget := client.B().Eval().Script("return redis.call('HDEL', KEYS[1], 'a1') + redis.call('HDEL', KEYS[2], 'a1')").
		Numkeys(2).Key(keys...).Build()
	if n, err := client.Do(t.Context(), forget).AsInt64(); n != 2 || err != nil { // in one step, as it was written
		t.Fatalf("%d writes were lost, %v", n, err)
	}
	presencetest.Eventually(t, "a1 to be back", []string{"a1", "a2"}, func() []string { return connections(t, b, "ada") })
}

// within fails the test if f takes much longer than Redis may be waited for.
func within(t *testing.T, what string, limit time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > limit+2*time.Second {
		t.Errorf("%s took %v, the bound is %v", what, took, limit)
	}
}

// TestRedisAway: Redis is not there, or hangs, at the start or later. Each node answers for itself and says so, and the
// farm is whole again when Redis is back with nothing.
func TestRedisAway(t *testing.T) {
	for name, way := range map[string]struct{ lose, find func(*farm) }{
		"stopped": {func(s *farm) { s.Stop() }, func(s *farm) { s.Start() }},
		"hanging": {
			func(s *farm) { s.Signal(syscall.SIGSTOP) },
			func(s *farm) { s.Signal(syscall.SIGCONT) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startRedis(t)
			o := quick()
			o.Timeout = 500 * time.Millisecond
			a, b := s.node(o), s.node(o)
			add(t, a, "ada", "a1")
			add(t, b, "ada", "b1")
			add(t, b, "bob", "b2")
			way.lose(s)

			within(t, "Add", o.Timeout, func() {
				if err := a.Add(t.Context(), "eve", "a2"); !errors.Is(err, signalbox.ErrPresencePartial) {
					t.Errorf("Add: %v, want that the others do not know", err)
				}
			})
			presencetest.Eventually(t, "the loss to be known", true, func() bool { return a.Err() != nil && b.Err() != nil })
			within(t, "a hundred changes", 0, func() {
				for i := range 100 {
					if err := a.Add(t.Context(), "eve", fmt.Sprint(i)); !errors.Is(err, signalbox.ErrPresencePartial) {
						t.Errorf("Add: %v, want that the others do not know", err)
					}
					if i > 0 {
						_ = a.Remove(t.Context(), "eve", fmt.Sprint(i))
					}
				}
			})
			if err := b.Remove(t.Context(), "bob", "b2"); !errors.Is(err, signalbox.ErrPresencePartial) {
				t.Errorf("Remove: %v, want that the others do not know", err)
			}
			wantHere := func(user string, want ...string) {
				t.Helper()
				list, err := a.UserConnections(t.Context(), user)
				if !errors.Is(err, signalbox.ErrPresencePartial) || !slices.Equal(list, want) {
					t.Errorf("%s has %q, %v; want %q of this node", user, list, err, want)
				}
			}
			wantHere("ada", "a1")
			wantHere("eve", "0", "a2")
			wantHere("bob")
			counts, err := a.Counts(t.Context())
			if want := (signalbox.PresenceCounts{Users: 2, Connections: 3}); !errors.Is(err, signalbox.ErrPresencePartial) || counts != want {
				t.Errorf("Counts: %+v, %v; want %+v of this node", counts, err, want)
			}
			list, err := a.OnlineUsers(t.Context(), "ada", 5)
			if want := []signalbox.OnlineUser{{UserID: "eve", Connections: 2}}; !errors.Is(err, signalbox.ErrPresencePartial) || !slices.Equal(list, want) {
				t.Errorf("OnlineUsers: %v, %v; want %v of this node", list, err, want)
			}
			if online, err := a.IsUserOnline(t.Context(), "bob"); online || !errors.Is(err, signalbox.ErrPresencePartial) {
				t.Errorf("bob is online: %t, %v", online, err)
			}

			way.find(s)
			presencetest.Eventually(t, "Redis to be found", true, func() bool { return a.Err() == nil && b.Err() == nil })
			presencetest.Eventually(t, "the farm to be whole", signalbox.PresenceCounts{Users: 2, Connections: 4}, func() signalbox.PresenceCounts {
				counts, _ := b.Counts(t.Context())
				return counts
			})
			if got := connections(t, b, "ada"); !slices.Equal(got, []string{"a1", "b1"}) {
				t.Errorf("ada has %q", got)
			}
			if got := connections(t, b, "eve"); !slices.Equal(got, []string{"0", "a2"}) {
				t.Errorf("eve has %q", got)
			}
			if got := connections(t, a, "bob"); len(got) > 0 {
				t.Errorf("bob has %q", got)
			}
			add(t, a, "bob", "a3")
			if got := connections(t, b, "bob"); !slices.Equal(got, []string{"a3"}) {
				t.Errorf("bob has %q", got)
			}
		})
	}
}

// TestRedisComesLater: a node starts before its Redis does.
func TestRedisComesLater(t *testing.T) {
	s := &farm{presencetest.NewRedis(t), t}
	a := s.newNode(quick())
	within(t, "Add", 5*time.Second, func() {
		if err := a.Add(t.Context(), "ada", "a1"); !errors.Is(err, signalbox.ErrPresencePartial) {
			t.Errorf("Add: %v, want that the others do not know", err)
		}
	})
	if list, err := a.UserConnections(t.Context(), "ada"); !errors.Is(err, signalbox.ErrPresencePartial) || len(list) != 1 {
		t.Errorf("ada has %q, %v", list, err)
	}
	s.Start()
	b := s.node(quick())
	presencetest.Eventually(t, "ada to be known", []string{"a1"}, func() []string { return connections(t, b, "ada") })
}

// TestCloseWithoutRedis ends at once and says what is left.
func TestCloseWithoutRedis(t *testing.T) {
	s := startRedis(t)
	a := s.node(quick())
	add(t, a, "ada", "a1")
	s.Stop()
	within(t, "Close", quick().Timeout, func() {
		if err := a.Close(t.Context()); err == nil {
			t.Error("Close says that all is done")
		}
	})
}

// nodeVariable is the environment variable that makes the test's program a node on the Redis that it names.
const nodeVariable = "PRESENCE_TEST_NODE"

// beNode is a node with a connection of each of ada and bob, until it is killed.
func beNode(url string) error {
	option, err := rueidis.ParseURL(url)
	if err != nil {
		return err
	}
	n, err := presence.NewRedis(option, quick())
	if err != nil {
		return err
	}
	for _, user := range []string{"ada", "bob"} {
		if err := n.Add(context.Background(), user, "child-"+user); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	select {}
}

// TestKilledProcess kills a node's process: what it had is gone within its lease.
func TestKilledProcess(t *testing.T) {
	s := startRedis(t)
	a := s.node(quick())
	add(t, a, "ada", "here")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), nodeVariable+"="+s.URL)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill := func() {
		if !killed {
			killed = true
			_ = child.Process.Kill()
			_ = child.Wait() // says that it was killed
		}
	}
	defer kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	both := []string{"child-ada", "here"}
	if got := connections(t, a, "ada"); !slices.Equal(got, both) {
		t.Fatalf("ada has %q", got)
	}
	// It stays while the process lives, far beyond the lease.
	for until := time.Now().Add(2 * quick().Lease); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if got := connections(t, a, "ada"); !slices.Equal(got, both) {
			t.Fatalf("ada has %q", got)
		}
	}
	kill()
	within(t, "vanishing", quick().Lease, func() {
		presencetest.Eventually(t, "the process's connections to vanish", false, func() bool {
			online, err := a.IsUserOnline(t.Context(), "bob")
			if err != nil {
				t.Fatal(err)
			}
			return online
		})
	})
	if got := connections(t, a, "ada"); !slices.Equal(got, []string{"here"}) {
		t.Errorf("ada has %q", got)
	}
	wantCounts(t, a, 1, 1)
}
