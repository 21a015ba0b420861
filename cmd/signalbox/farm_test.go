package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/contract/notificationhub"
	"signalbox/presence/presencetest"
)

// freeAddress returns an address that nobody listens at, for now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// keyFile writes a file for --farm-key-file.
func keyFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var goodKey = "1 " + strings.Repeat("k", 32) + "\n"

// TestFarm runs two servers on one database and one Redis: what is published at one is seen at the other, and the requests
// of one connection may go to both.
func TestFarm(t *testing.T) {
	dir, key := shop(t)
	redis := presencetest.StartRedis(t)
	keys := keyFile(t, "# of this farm\n\n"+goodKey)
	var nodes []*server
	for range 2 {
		nodes = append(nodes, serve(t, dir, append([]string{
			"--redis-url", redis.URL, "--farm-key-file", keys, "--internal-listen", freeAddress(t),
		}, quiet...)...))
	}
	a, b := nodes[0], nodes[1]
	for _, s := range nodes {
		eventually(t, "Redis to be reached", func() bool { return s.visitor().probe("/readyz") == "200 ok" })
	}
	anna := a.signedIn("anna", "anna")
	onB := &visitor{b, anna.http} // the cookie is good everywhere: they have one database

	socket := anna.connect(notificationhub.Path)
	socket.want(event("UnreadCountUpdated", 0))
	b.backEnd(key, http.MethodPost, "/notifications", object{"users": []string{"anna"}, "title": "From the other"}, http.StatusCreated)
	if got := socket.next(); !strings.Contains(got, `"target":"ReceiveNotification"`) || !strings.Contains(got, "From the other") {
		t.Errorf("got %s", got)
	}
	socket.want(event("UnreadCountUpdated", 1))

	target := anna.negotiate()
	for _, v := range []*visitor{onB, anna} {
		res, err := v.get(target, "*/*")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("a poll at either server: %s", res.Status)
		}
		if v == onB {
			v.shakeHands(target)
		}
	}

	redis.Stop()
	for _, s := range nodes {
		eventually(t, "Redis to be missed", func() bool { return strings.HasPrefix(s.visitor().probe("/readyz"), "200 ok, degraded: ") })
	}
	b.backEnd(key, http.MethodPost, "/notifications", object{"users": []string{"anna"}, "title": "Without Redis"}, http.StatusCreated)
	redis.Start()
	got := socket.next()
	for strings.Contains(got, "From the other") || strings.Contains(got, "UnreadCountUpdated") {
		got = socket.next() // it was sent within the minute before Redis went, and may not have arrived
	}
	if !strings.Contains(got, "Without Redis") {
		t.Errorf("after Redis is back: %s", got)
	}
}

// TestUnreadyWithoutRedis: that is what --redis-loss=unready asks for.
func TestUnreadyWithoutRedis(t *testing.T) {
	dir, _ := shop(t)
	s := serve(t, dir, append([]string{"--redis-url", "redis://" + freeAddress(t), "--redis-loss", "unready"}, quiet...)...)
	eventually(t, "the server to be unready", func() bool { return strings.HasPrefix(s.visitor().probe("/readyz"), "503 degraded: ") })
	if got := s.visitor().probe("/livez"); got != "200 ok" {
		t.Errorf("/livez: %s", got)
	}
}

func TestFarmFlagsAreChecked(t *testing.T) {
	good := keyFile(t, goodKey)
	for name, args := range map[string][]string{
		"no keys":            {"--internal-listen", "127.0.0.1:0"},
		"an address alone":   {"--internal-address", "127.0.0.1:1"},
		"every address":      {"--internal-listen", "0.0.0.0:8081", "--farm-key-file", good},
		"an empty file":      {"--farm-key-file", keyFile(t, "\n# nothing\n")},
		"a short secret":     {"--farm-key-file", keyFile(t, "1 short\n")},
		"no number":          {"--farm-key-file", keyFile(t, strings.Repeat("k", 40)+"\n")},
		"a number too large": {"--farm-key-file", keyFile(t, "256 "+strings.Repeat("k", 32)+"\n")},
		"a number twice":     {"--farm-key-file", keyFile(t, goodKey+goodKey)},
		"no such file":       {"--farm-key-file", filepath.Join(t.TempDir(), "keys")},
		"no Redis URL":       {"--redis-url", "localhost"},
		"unknown policy":     {"--redis-loss", "panic"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if out, err := command(t, "", append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0"}, args...)...); err == nil {
				t.Errorf("it served, and said %q", fmt.Sprint(out))
			}
		})
	}
}
