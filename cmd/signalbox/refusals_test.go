package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestServeRefuses(t *testing.T) {
	withoutVariables(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, want string // part of the error
		args       []string
	}{
		{"a demo for everybody", "listens on a loopback address only", []string{"--demo", "--listen", "0.0.0.0:0"}},
		{"a demo for everybody, in IPv6", "listens on a loopback address only", []string{"--demo", "--listen", "[::]:0"}},
		{"a demo for everybody, unsaid", "listens on a loopback address only", []string{"--demo", "--listen", ":0"}},
		{"a demo on a network", "listens on a loopback address only", []string{"--demo", "--listen", "192.0.2.1:0"}},
		{"a demo under a name", "listens on a loopback address only", []string{"--demo", "--listen", "127.0.0.1.example:0"}},
		{"a demo without a port", `--listen "127.0.0.1"`, []string{"--demo", "--listen", "127.0.0.1"}},
		{"a topic without a rule", `topic "news" has no rule`, []string{"--topic", "news"}},
		{"one of two topics without a rule", `topic "news" has no rule`, []string{"--topic", "ops=everyone", "--topic", "news"}},
		{"an origin without a scheme", `--origin "shop.example"`, []string{"--origin", "shop.example"}},
		{"an origin with a path", `--origin "https://shop.example/"`, []string{"--origin", "https://shop.example/"}},
		{"every origin", `--origin "*"`, []string{"--origin", "*"}},
		{"no Redis", "--redis-url", []string{"--redis-url", "http://cache.example"}},
		{"a Redis at no port", "--redis-url: invalid port", []string{"--redis-url", "redis://user:secret@cache.example:port"}},
		{"a negative rate", "--drain-rate", []string{"--drain-rate=-1"}},
		{"no time to drain", "--drain-timeout", []string{"--drain-delay", "10s", "--drain-timeout", "10s"}},
		{"a file for the process id that cannot be", "--pid-file", []string{"--pid-file", filepath.Join(file, "pid")}},
		{"a negative interval", "--poll-interval", []string{"--poll-interval=-1s", "--data", t.TempDir()}},
		{"a file as folder", file, []string{"--data", file}},
		{"an impossible address", "listen", []string{"--listen", "127.0.0.1:port", "--data", t.TempDir()}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			printed, err := command(t, "", append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir}, test.args...)...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if printed != "" {
				t.Errorf("printed %q", printed)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("there is a database")
			}
		})
	}
	t.Run("a topic without a rule in the environment", func(t *testing.T) {
		t.Setenv("SIGNALBOX_TOPIC", "ops=everyone;news")
		if _, err := command(t, "", "serve", "--data", t.TempDir()); err == nil || !strings.Contains(err.Error(), `topic "news" has no rule`) {
			t.Errorf("error %v", err)
		}
	})
}

func TestRequireLoopback(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:8080", "127.9.9.9:0", "[::1]:0", "localhost:8080", "[::ffff:127.0.0.1]:0"} {
		if err := requireLoopback(listen); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
	for _, listen := range []string{"", "localhost", ":8080", "0.0.0.0:0", "[::]:0", "10.0.0.1:0", "localhost.example:0", "[fe80::1]:0"} {
		if err := requireLoopback(listen); err == nil {
			t.Errorf("%q was let pass", listen)
		}
	}
}

func TestPortInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	printed, err := command(t, "", "serve", "--demo", "--listen", address, "--data", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("error %v, want one that says that %s is in use", err, address)
	}
	if printed != "" {
		t.Errorf("printed %q", printed)
	}
}
