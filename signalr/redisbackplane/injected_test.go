package redisbackplane_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/redisbackplane"
)

// The ids in injected.txt: those of its clients, and its server.
const (
	goldenA1     = "4TwtX7255b8o9pBivZVgGA"
	goldenA2     = "ef0jJf62lTHjGyYD2J6-nQ"
	goldenA3     = "HXGKlKqLrvM4PNJZa2Kpjw"
	goldenServer = "vm_7cd23c1ab96642de989ab818529bd718"
)

var goldenGets = regexp.MustCompile(`(a[123])\((?:json|messagepack)\) gets ([0-9a-f]+)`)

// TestInjected publishes what was published to a .NET server, and checks that the same clients get the same bytes.
func TestInjected(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	clients := map[string]*client{
		"a1": n.connect("a1", "", "messagepack"), "a2": n.connect("a2", "bob", "json"), "a3": n.connect("a3", "", "json"),
	}
	n.join(clients["a1"], "g1")
	n.join(clients["a2"], "g1")
	ours := strings.NewReplacer(goldenA1, clients["a1"].id, goldenA2, clients["a2"].id, goldenA3, clients["a3"].id,
		goldenServer, n.b.ServerName())
	redis := r.client()
	for i, line := range redisbackplane.GoldenLines(t, "injected.txt") {
		name, channel, payload := line[0], line[1], redisbackplane.Unhex(t, line[2])
		want := map[string][]string{}
		if len(line) > 4 {
			for _, m := range goldenGets.FindAllStringSubmatch(line[4], -1) {
				want[m[1]] = append(want[m[1]], m[2])
			}
			if len(want) == 0 && strings.HasPrefix(name, "inject-") {
				t.Fatalf("%s: nobody gets anything: %q", name, line[4])
			}
		}
		if hears := publish(t, redis, ours.Replace(channel), []byte(ours.Replace(string(payload)))); hears != 1 {
			t.Fatalf("%s: %d servers hear %s", name, hears, channel)
		}
		end := fmt.Sprint("end ", i)
		n.send(n.hub.Clients().All(), end)
		got := map[string][]string{}
		for name, c := range clients {
			for {
				m := c.next()
				if m == "" {
					t.Fatalf("%s: the connection of %s has ended", line[0], name)
				}
				if strings.Contains(m, end) {
					break
				}
				got[name] = append(got[name], hex.EncodeToString([]byte(m)))
			}
		}
		// A ping in a blob is seen as any other ping and left out by the client.
		if name == "inject-ping-blob" || name == "inject-blob-as-fixstr" {
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	for _, c := range clients {
		if c.pending() != "" {
			t.Error("something came behind the end")
		}
	}
}

// pending is a message that has come already, or empty.
func (c *client) pending() string {
	select {
	case m := <-c.messages:
		return m
	default:
		return ""
	}
}

// TestMissingProtocol: a connection whose protocol is not in the payload is closed with an error, the others hear it
// (F-167).
func TestMissingProtocol(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	packed, text := n.connect("packed", "", "messagepack"), n.connectJSON("text")
	blob := "{\"type\":1,\"target\":\"Receive\",\"arguments\":[\"x\"]}\x1e"
	payload := append([]byte("\x92\x90\x81\xa4json\xc4"), byte(len(blob)))
	publish(t, r.client(), hubName+":all", append(payload, blob...))
	text.gets("x")
	if got, want := packed.next(), "\x25\x93\x07\xd9\x20Connection closed with an error.\xc3"; got != want {
		t.Errorf("the other got %q, want %q", got, want)
	}
	if got := packed.next(); got != "" {
		t.Errorf("behind the end came %q", got)
	}
	n.send(n.hub.Clients().All(), "end")
	text.gets("end")
}

// TestPublished checks every byte that a server publishes, against what .NET servers have published for the same calls.
func TestPublished(t *testing.T) {
	r := startRedis(t)
	n := newNode(t, r, nil)
	connected(n)
	me := n.connectJSON("me")
	all := hubName + ":"
	l := r.listen(all+"all", all+"group:g1", all+"group:nogroup", all+"group:grüppe 日本", all+"user:zoe",
		all+"connection:nobody")
	clients := n.hub.Clients()
	golden := map[string][]byte{}
	channels := map[string]string{}
	for _, line := range redisbackplane.GoldenLines(t, "payloads.txt") {
		golden[line[0]], channels[line[0]] = redisbackplane.Unhex(t, line[3]), line[2]
	}
	for name, send := range map[string]func() error{
		"all":                 func() error { return clients.All().Send(n.ctx(), "Receive", "hello") },
		"all-noargs":          func() error { return clients.All().Send(n.ctx(), "Ping") },
		"all-unicode":         func() error { return clients.All().Send(n.ctx(), "Receive", "äöü 日本 😀 <&>") },
		"all-long":            func() error { return clients.All().Send(n.ctx(), "Receive", strings.Repeat("x", 300)) },
		"allexcept-one":       func() error { return clients.AllExcept("CXYJvJEi5JwucFggz3OO8A").Send(n.ctx(), "Receive", "x") },
		"client-unknown":      func() error { return clients.Client("nobody").Send(n.ctx(), "Receive", "x") },
		"group":               func() error { return clients.Group("g1").Send(n.ctx(), "Receive", "x") },
		"group-empty":         func() error { return clients.Groups("", "nogroup").Send(n.ctx(), "Receive", "x") },
		"group-add-unicode-3": func() error { return clients.Group("grüppe 日本").Send(n.ctx(), "Receive", "x") },
		"user-unknown":        func() error { return clients.Users("", "zoe", "").Send(n.ctx(), "Receive", "x") },
	} {
		if golden[name] == nil {
			t.Fatalf("no golden payload %q", name)
		}
		if err := send(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		m := l.next()
		if m.Channel != channels[name] || !bytes.Equal([]byte(m.Message), golden[name]) {
			t.Errorf("%s: on %s\ngot  %x\nwant %x", name, m.Channel, m.Message, golden[name])
		}
	}
	n.send(clients.Client(me.id).ClientProxy, "direct") // F-169
	n.send(clients.All(), "end")
	if m := l.next(); !strings.Contains(m.Message, "end") {
		t.Errorf("a message to a connection of the server itself was published: %q", m.Message)
	}
}
