// Package presencetest is the suite that every [signalbox.ConnectionTracker] passes.
package presencetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

// Factory makes a tracker without connections, alone in its farm and ready to answer for it, which lasts until the test
// ends. onChange is told who comes online and who goes.
type Factory func(t *testing.T, onChange func(userID string, online bool)) signalbox.ConnectionTracker

// Run tests the trackers that a factory makes.
func Run(t *testing.T, factory Factory) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"nobody":             testNobody,
		"adding":             testAdding,
		"removing":           testRemoving,
		"doing it again":     testAgain,
		"other users":        testOtherUsers,
		"impossible ids":     testImpossibleIDs,
		"strange ids":        testStrangeIDs,
		"the list by pages":  testPages,
		"first in, last out": testChanges,
		"an ended context":   testEndedContext,
		"all at once":        testAllAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{t: t, told: &Recorder{}}
			f.ConnectionTracker = factory(t, f.told.OnChange)
			test(t, f)
		})
	}
}

// Recorder keeps what a tracker tells of users. Its zero value is ready, and it is safe for concurrent use.
type Recorder struct {
	mu   sync.Mutex
	list []string
}

// OnChange notes "+USER" or "-USER".
func (r *Recorder) OnChange(userID string, online bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sign := "-"
	if online {
		sign = "+"
	}
	r.list = append(r.list, sign+userID)
}

// List returns what was noted so far.
func (r *Recorder) List() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// Patience is how long the suite waits for what must happen.
const Patience = 30 * time.Second

// Eventually waits until got returns want, and fails the test when it does not.
func Eventually[T any](t *testing.T, what string, want T, got func() T) {
	t.Helper()
	var diff string
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if diff = cmp.Diff(want, got()); diff == "" {
			return
		}
	}
	t.Fatalf("waited in vain for %s (-want +got):\n%s", what, diff)
}

type fixture struct {
	signalbox.ConnectionTracker
	t    *testing.T
	told *Recorder
}

func (f *fixture) add(userID string, connectionIDs ...string) {
	f.t.Helper()
	for _, id := range connectionIDs {
		if err := f.Add(f.t.Context(), userID, id); err != nil {
			f.t.Fatalf("Add(%s, %s): %v", userID, id, err)
		}
	}
}

func (f *fixture) remove(userID string, connectionIDs ...string) {
	f.t.Helper()
	for _, id := range connectionIDs {
		if err := f.Remove(f.t.Context(), userID, id); err != nil {
			f.t.Fatalf("Remove(%s, %s): %v", userID, id, err)
		}
	}
}

// wantUser checks a user's connections, in every way that there is to ask for them.
func (f *fixture) wantUser(userID string, connectionIDs ...string) {
	f.t.Helper()
	list, err := f.UserConnections(f.t.Context(), userID)
	if err != nil || !slices.Equal(list, connectionIDs) {
		f.t.Errorf("UserConnections(%s): %q, %v; want %q", userID, list, err, connectionIDs)
	}
	online, err := f.IsUserOnline(f.t.Context(), userID)
	if err != nil || online != (len(connectionIDs) > 0) {
		f.t.Errorf("IsUserOnline(%s): %t, %v; want %d connections", userID, online, err, len(connectionIDs))
	}
}

func (f *fixture) wantCounts(users, connections int) {
	f.t.Helper()
	counts, err := f.Counts(f.t.Context())
	if want := (signalbox.PresenceCounts{Users: users, Connections: connections}); err != nil || counts != want {
		f.t.Errorf("Counts: %+v, %v; want %+v", counts, err, want)
	}
}

func (f *fixture) wantOnline(after string, limit int, want ...signalbox.OnlineUser) {
	f.t.Helper()
	list, err := f.OnlineUsers(f.t.Context(), after, limit)
	if err != nil || !slices.Equal(list, want) {
		f.t.Errorf("OnlineUsers(%q, %d): %v, %v; want %v", after, limit, list, err, want)
	}
}

func (f *fixture) wantTold(want ...string) {
	f.t.Helper()
	Eventually(f.t, "the changes", want, f.told.List)
}

func testNobody(_ *testing.T, f *fixture) {
	f.wantUser("ada")
	f.wantCounts(0, 0)
	f.wantOnline("", 10)
	f.wantTold()
}

func testAdding(_ *testing.T, f *fixture) {
	f.add("ada", "c2", "c1")
	f.add("bob", "c3")
	f.wantUser("ada", "c1", "c2")
	f.wantUser("bob", "c3")
	f.wantUser("eve")
	f.wantCounts(2, 3)
	f.wantOnline("", 10, signalbox.OnlineUser{UserID: "ada", Connections: 2}, signalbox.OnlineUser{UserID: "bob", Connections: 1})
}

func testRemoving(_ *testing.T, f *fixture) {
	f.add("ada", "c1", "c2")
	f.remove("ada", "c1")
	f.wantUser("ada", "c2")
	f.wantCounts(1, 1)
	f.remove("ada", "c2")
	f.wantUser("ada")
	f.wantCounts(0, 0)
	f.wantOnline("", 10)
}

func testAgain(_ *testing.T, f *fixture) {
	f.add("ada", "c1", "c1", "c1")
	f.wantCounts(1, 1)
	f.remove("ada", "c1", "c1", "unknown")
	f.wantCounts(0, 0)
	f.remove("ada", "c1")
	f.wantUser("ada")
	f.add("ada", "c1")
	f.wantUser("ada", "c1")
	f.wantCounts(1, 1)
	f.wantTold("+ada", "-ada", "+ada")
}

func testOtherUsers(_ *testing.T, f *fixture) {
	f.add("ada", "c1")
	if err := f.Add(f.t.Context(), "bob", "c1"); err == nil {
		f.t.Error("a connection may be of two users")
	}
	f.remove("bob", "c1")
	f.wantUser("ada", "c1")
	f.wantUser("bob")
	f.wantCounts(1, 1)
}

func testImpossibleIDs(_ *testing.T, f *fixture) {
	for _, ids := range [][2]string{{"", "c1"}, {"ada", ""}, {"", ""}} {
		if err := f.Add(f.t.Context(), ids[0], ids[1]); err == nil {
			f.t.Errorf("Add(%q, %q) is allowed", ids[0], ids[1])
		}
		if err := f.Remove(f.t.Context(), ids[0], ids[1]); err == nil {
			f.t.Errorf("Remove(%q, %q) is allowed", ids[0], ids[1])
		}
	}
	f.wantCounts(0, 0)
}

func testStrangeIDs(_ *testing.T, f *fixture) {
	for i, id := range []string{"{x}", "a:b", "nodes", "ä€𝄞", "\x00\xff", "*", "(", "-", "+", " "} {
		connection := fmt.Sprintf("%s-%d", id, i)
		f.add(id, connection)
		f.wantUser(id, connection)
		f.wantOnline("", 10, signalbox.OnlineUser{UserID: id, Connections: 1})
		f.remove(id, connection)
		f.wantUser(id)
		f.wantCounts(0, 0)
	}
}

func testPages(_ *testing.T, f *fixture) {
	var all []signalbox.OnlineUser
	for i := range 7 {
		user := fmt.Sprintf("user-%d", i)
		f.add(user, user)
		all = append(all, signalbox.OnlineUser{UserID: user, Connections: 1})
	}
	f.wantOnline("", 3, all[:3]...)
	f.wantOnline("user-2", 3, all[3:6]...)
	f.wantOnline("user-5", 3, all[6])
	f.wantOnline("user-6", 3)
	f.wantOnline("user-25", 1, all[3])
	f.wantOnline("a", 100, all...)
	f.wantOnline("", 0)
	f.wantOnline("", -1)
}

func testChanges(_ *testing.T, f *fixture) {
	f.add("ada", "c1", "c2")
	f.add("bob", "c3")
	f.remove("ada", "c2", "c1")
	f.add("ada", "c4")
	f.remove("bob", "c3")
	f.wantTold("+ada", "+bob", "-ada", "+ada", "-bob")
}

// testEndedContext: a connection ends, and with it perhaps the context; it must not count for ever.
func testEndedContext(t *testing.T, f *fixture) {
	f.add("ada", "c1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Remove(ctx, "ada", "c1"); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Remove: %v", err)
	}
	Eventually(t, "the connection to go", 0, func() int { return f.counts().Connections })
	f.wantUser("ada")
}

func (f *fixture) counts() signalbox.PresenceCounts {
	f.t.Helper()
	counts, err := f.Counts(f.t.Context())
	if err != nil {
		f.t.Fatalf("Counts: %v", err)
	}
	return counts
}

func testAllAtOnce(t *testing.T, f *fixture) {
	Storm(t, f.ConnectionTracker)
	f.wantAlternating(t)
}

// wantAlternating checks that each user has come, gone, come, … and gone.
func (f *fixture) wantAlternating(t *testing.T) {
	t.Helper()
	online := map[string]bool{}
	Eventually(t, "everybody's leaving to be told", 0, func() int {
		clear(online)
		for _, change := range f.told.List() {
			in := change[0] == '+'
			if online[change[1:]] == in {
				t.Fatalf("%s is told twice in a row", change)
			}
			online[change[1:]] = in
		}
		left := 0
		for _, in := range online {
			if in {
				left++
			}
		}
		return left
	})
	if len(online) == 0 {
		t.Error("nobody was told to have come")
	}
}

// Storm lets 1,000 connections of 50 users come and go at once, by turns to each of the trackers, which are the nodes of
// one farm, and looks at them meanwhile: no count is below zero or higher than possible, and in the end all are zero.
func Storm(t *testing.T, nodes ...signalbox.ConnectionTracker) {
	t.Helper()
	const connections, users, rounds = 1000, 50, 3
	stop, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			counts, err := nodes[i%len(nodes)].Counts(t.Context())
			if err != nil {
				t.Errorf("Counts: %v", err)
			}
			if counts.Connections < 0 || counts.Connections > connections || counts.Users < 0 || counts.Users > users {
				t.Errorf("Counts: %+v, of %d users with %d connections", counts, users, connections)
			}
			list, err := nodes[i%len(nodes)].OnlineUsers(t.Context(), "", users)
			if err != nil {
				t.Errorf("OnlineUsers: %v", err)
			}
			for _, u := range list {
				if u.Connections < 1 || u.Connections > connections/users {
					t.Errorf("OnlineUsers: %+v", u)
				}
			}
		}
	}()
	var all sync.WaitGroup
	for i := range connections {
		node := nodes[i%len(nodes)]
		user, connection := fmt.Sprintf("user-%02d", i%users), fmt.Sprintf("connection-%d", i)
		all.Go(func() {
			for range rounds {
				if err := node.Add(t.Context(), user, connection); err != nil {
					t.Errorf("Add: %v", err)
				}
				if list, err := node.UserConnections(t.Context(), user); err != nil || !slices.Contains(list, connection) {
					t.Errorf("UserConnections does not know of what was added: %q, %v", list, err)
				}
				if err := node.Remove(t.Context(), user, connection); err != nil {
					t.Errorf("Remove: %v", err)
				}
			}
		})
	}
	all.Wait()
	close(stop)
	<-watched
	for _, node := range nodes {
		if counts, err := node.Counts(t.Context()); err != nil || counts != (signalbox.PresenceCounts{}) {
			t.Errorf("Counts in the end: %+v, %v", counts, err)
		}
		if list, err := node.OnlineUsers(t.Context(), "", users); err != nil || len(list) > 0 {
			t.Errorf("OnlineUsers in the end: %v, %v", list, err)
		}
	}
}
