package redisbackplane_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"signalbox/signalr/redisbackplane"
)

// number is the number that a client was sent; ok is false when it is none.
func number(text string) (n int, ok bool) {
	var m struct{ Arguments []int }
	err := json.Unmarshal([]byte(strings.TrimSuffix(text, "\x1e")), &m)
	if err != nil || len(m.Arguments) != 1 {
		return 0, false
	}
	return m.Arguments[0], true
}

// TestOrderOfManySenders: senders on two nodes send at the same time; what each has sent arrives in its order, everywhere.
func TestOrderOfManySenders(t *testing.T) {
	r := startRedis(t)
	one, two := newNode(t, r, nil), newNode(t, r, nil)
	connected(one, two)
	a, b := one.connectJSON("a"), two.connectJSON("b")
	one.join(a, "g")
	two.join(b, "g")
	const senders, messages = 6, 200
	var wg sync.WaitGroup
	for s := range senders {
		n := []*node{one, two}[s%2]
		wg.Go(func() {
			for i := range messages {
				if err := n.hub.Clients().Group("g").Send(n.ctx(), "Receive", s*messages+i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for name, c := range map[string]*client{"a": a, "b": b} {
		var next [senders]int
		for range senders * messages {
			n, ok := number(c.next())
			s, i := n/messages, n%messages
			if !ok || next[s] != i {
				t.Fatalf("%s: sender %d's message %d comes when %d is due", name, s, i, next[s])
			}
			next[s]++
		}
	}
}

// TestNothingTwice: Redis is lost again and again while a node sends. Nothing comes twice or in another order, and what was
// said to be delivered on the node alone was.
func TestNothingTwice(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	a := n.connectJSON("a")
	admin := r.client()
	const rounds, each = 9, 150
	must := map[int]bool{}
	lost := 0
	last := rounds*each - 1
	for i := range rounds * each {
		if i%each == each/2 {
			switch round := i / each; round % 3 {
			case 0, 1:
				kind := []string{"pubsub", "normal"}[round%3]
				_ = admin.Do(t.Context(), admin.B().Arbitrary("CLIENT", "KILL", "TYPE", kind).Build()).Error() // may be its own end
			case 2:
				r.Stop()
				away(n)
				r.start()
			}
		}
		if i%each == 0 || i == last {
			connected(n)
		}
		switch err := n.hub.Clients().All().Send(n.ctx(), "Receive", i); {
		case err == nil: // at most once
		case errors.Is(err, redisbackplane.ErrBackplaneUnavailable):
			must[i] = true
		case !errors.Is(err, redisbackplane.ErrOutcomeUnknown):
			t.Fatal(err)
		}
	}
	for before := -1; before < last; {
		i, ok := number(a.next())
		if !ok || i <= before {
			t.Fatalf("%d comes behind %d", i, before)
		}
		for missing := before + 1; missing < i; missing++ {
			lost++
			if must[missing] {
				t.Errorf("%d was said to be delivered on the node", missing)
			}
		}
		before = i
	}
	t.Logf("%d messages of %d were delivered by the node itself, %d are lost", len(must), last+1, lost)
}

// TestGroupReachesOnlyItsServers: a message to a group goes to the servers that have a member, and to no other.
func TestGroupReachesOnlyItsServers(t *testing.T) {
	r := startRedis(t)
	redis := r.client()
	var members []*client
	var nodes []*node
	for i := range 4 {
		n := newNode(t, r, nil)
		connected(n)
		nodes = append(nodes, n)
		members = append(members, n.connect(fmt.Sprint(i), "ann", "json"))
	}
	hear := func(channel string) int64 {
		reply, err := redis.Do(t.Context(), redis.B().PubsubNumsub().Channel(hubName+channel).Build()).ToArray()
		if err != nil {
			t.Fatal(err)
		}
		count, err := reply[1].AsInt64()
		if err != nil {
			t.Fatal(err)
		}
		return count
	}
	for i, n := range nodes {
		if got := hear(":group:g"); got != int64(i) {
			t.Errorf("%d servers hear a group that has members on %d", got, i)
		}
		n.join(members[i], "g")
		n.join(members[i], "g")
	}
	if err := nodes[0].hub.Groups().Remove(nodes[0].ctx(), members[0].id, "g"); err != nil {
		t.Fatal(err)
	}
	if got := hear(":group:g"); got != 3 {
		t.Errorf("%d servers hear a group that was left on one of four", got)
	}
	if got := hear(":user:ann"); got != 4 {
		t.Errorf("%d servers hear a user who is on four", got)
	}
	if err := nodes[0].hub.Clients().User("ann").Close(nodes[0].ctx(), false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nobody hears the group or the user any more", func() bool { return hear(":group:g")+hear(":user:ann") == 0 })
}
