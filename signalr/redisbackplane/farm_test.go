package redisbackplane_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr"
	"signalbox/signalr/redisbackplane"
)

// TestCloseOnTheFarm: connections of any node are closed from any node, by a channel that .NET servers do not hear.
func TestCloseOnTheFarm(t *testing.T) {
	r := startRedis(t)
	one, two := newNode(t, r, nil), newNode(t, r, nil)
	connected(one, two)
	// What a .NET server hears: everything but ours.
	dotnet := r.listen(hubName+":all", hubName+":internal:groups", hubName+":user:ann", hubName+":group:g")
	a1, a2, bob := one.connect("a1", "ann", "json"), two.connect("a2", "ann", "messagepack"), two.connect("bob", "bob", "json")
	two.join(bob, "g")
	if err := one.hub.Clients().User("ann").Close(one.ctx(), true); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		c    *client
		want string
	}{{a1, "{\"type\":7,\"allowReconnect\":true}\x1e"}, {a2, "\x04\x93\x07\xc0\xc3"}} {
		if got := row.c.next(); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
		if got := row.c.next(); got != "" {
			t.Errorf("behind the end came %q", got)
		}
	}
	one.send(one.hub.Clients().All(), "end")
	bob.gets("end")
	if m := dotnet.next(); m.Channel != hubName+":all" || !strings.Contains(m.Message, "end") {
		t.Errorf("a .NET server hears %q on %s", m.Message, m.Channel)
	}
	if err := one.hub.Clients().GroupExcept("g", "nobody").Close(one.ctx(), false); err != nil {
		t.Fatal(err)
	}
	if got := bob.next(); got != "{\"type\":7}\x1e" {
		t.Errorf("got %q", got)
	}
	r.Stop()
	away(one)
	c := one.connectJSON("c")
	if err := one.hub.Clients().All().Close(one.ctx(), false); !errors.Is(err, redisbackplane.ErrBackplaneUnavailable) {
		t.Errorf("closing without Redis: %v", err)
	}
	if got := c.next(); got != "{\"type\":7}\x1e" {
		t.Errorf("got %q", got)
	}
}

// TestCount counts the connections of three nodes, and of two when one has left.
func TestCount(t *testing.T) {
	r := startRedis(t)
	var nodes []*node
	want := redisbackplane.Counts{Servers: map[string]int{}}
	for i := range 3 {
		n := newNode(t, r, nil)
		connected(n)
		nodes = append(nodes, n)
		want.Servers[n.b.ServerName()] = i
		want.Total += i
		for j := range i {
			n.connectJSON(fmt.Sprint(i, "-", j))
		}
		if got := n.b.Connections(); got != i {
			t.Errorf("node %d has %d connections", i, got)
		}
	}
	for _, n := range nodes {
		got, err := n.b.Count(n.ctx())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	if err := nodes[2].b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two nodes are counted", func() bool {
		got, err := nodes[0].b.Count(nodes[0].ctx())
		return err == nil && got.Total == 1 && len(got.Servers) == 2
	})
	// Somebody who hears the question and does not answer.
	short := newNode(t, r, func(o *redisbackplane.Options) { o.Timeout = 200 * time.Millisecond })
	connected(short)
	r.listen(hubName + ":internal:farm")
	got, err := short.b.Count(short.ctx())
	if !errors.Is(err, context.DeadlineExceeded) || got.Total != 1 || len(got.Servers) != 3 {
		t.Errorf("with a server that is silent: %v, %v", got, err)
	}
}

// TestFarmGarbage: what is broken or of a later version on our own channels is passed over.
func TestFarmGarbage(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	a := n.connectJSON("a")
	redis := r.client()
	for _, text := range []string{
		"", "c1", "90", "91a0", "9163", "9101", "960109909090c2", "96010090", "9601009090a0", "92022a", "93022ac0", "95016363636363",
		"96010990 90a0c2", // a kind of target that is not known
	} {
		payload, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		publish(t, redis, hubName+":internal:farm", payload)
		publish(t, redis, hubName+":internal:farm:"+n.b.ServerName(), payload)
	}
	n.send(n.hub.Clients().All(), "end")
	a.gets("end")
	if got, err := n.b.Count(n.ctx()); err != nil || got.Total != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestAskedTwiceUnderOneID: the second is refused at once, and the client gets both (F-175).
func TestAskedTwiceUnderOneID(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	a := n.connectJSON("a")
	l := r.listen(hubName + ":internal:return:peer")
	redis := r.client()
	blob := "{\"type\":1,\"invocationId\":\"q\",\"target\":\"Ask\",\"arguments\":[]}\x1e"
	payload := "\x94\x90\x81\xa4json\xc4" + string(rune(len(blob))) + blob + "\xa1q\xd9\x26" + hubName + ":internal:return:peer"
	for range 2 {
		publish(t, redis, hubName+":connection:"+a.id, []byte(payload))
		if got := a.next(); got != blob {
			t.Fatalf("the client got %q", got)
		}
	}
	refusal := `"invocationId":"q","error":"ID collision occurred when using client results. This is likely a bug in SignalR."`
	if m := l.next(); !strings.Contains(m.Message, refusal) {
		t.Errorf("the second asker got %q", m.Message)
	}
	a.write(`{"type":3,"invocationId":"q","result": [ 1, {"a":2} ]}`)
	want := "\x92\xa4json\xc4\x36" + `{"type":3,"invocationId":"q","result":[ 1, {"a":2} ]}` + "\x1e"
	if m := l.next(); m.Message != want {
		t.Errorf("the first asker got %q, want %q", m.Message, want)
	}
}

// TestAnswersThatMeanNothing: an answer in an unknown protocol or without sense is no answer (F-176).
func TestAnswersThatMeanNothing(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	l := r.listen(hubName + ":connection:peer")
	done := make(chan error, 1)
	go func() {
		v, err := signalr.Invoke[int](n.ctx(), n.hub.Clients().Client("peer"), "Ask")
		if err == nil && v != 7 {
			err = fmt.Errorf("got %d", v)
		}
		done <- err
	}()
	question := l.next().Message
	_, id, _ := strings.Cut(question, `"invocationId":"`)
	id, _, _ = strings.Cut(id, `"`)
	if len(id) != 22 {
		t.Fatalf("the id is %q", id)
	}
	redis, channel := r.client(), hubName+":internal:return:"+n.b.ServerName()
	for _, payload := range []string{"", "\x90", "\x91\xa4json", "\x92\xa4cbor\xc4\x01\x01", "\x92\xa4json\xc4\x02{}"} {
		publish(t, redis, channel, []byte(payload))
	}
	blob := `{"type":3,"invocationId":"` + id + `","result":7}` + "\x1e"
	publish(t, redis, channel, []byte("\x92\xa4json\xc4"+string(rune(len(blob)))+blob))
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := n.b.Stats().Refused; got == 0 {
		t.Error("nothing was refused")
	}
}
