package deploy_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/e2e/farm"
	"signalbox/e2e/hosttest"
	"signalbox/e2e/rawclient"
	"signalbox/signalr/redisbackplane/redistest"
	"signalbox/signalr/transport"
)

// patience bounds waits for what must come.
const patience = 30 * time.Second

// TestNginx and TestHAProxy run the balancers as they are configured here, but for addresses, in front of three
// servers.
func TestNginx(t *testing.T) {
	program := find(t, "nginx")
	f := startFarm(t)
	dir, listen := t.TempDir(), freeAddress(t)
	config := adapt(t, "nginx.conf", f, "listen 8080;", "listen "+listen+";",
		"access_log off;", "access_log off;\n"+temporary(dir))
	path := write(t, dir, "nginx.conf", config)
	args := []string{"-p", dir, "-c", path, "-e", "stderr", "-g", "daemon off; pid " + filepath.Join(dir, "pid") + ";"}
	lint(t, program, append([]string{"-t"}, args...)...)
	start(t, program, args...)
	tryBalancer(t, f, "http://"+listen)
}

// temporary are nginx's folders for what it cannot keep in memory, which are in its own place otherwise.
func temporary(dir string) string {
	var b strings.Builder
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "    %s_temp_path %s;\n", name, filepath.Join(dir, name))
	}
	return b.String()
}

func TestHAProxy(t *testing.T) {
	program := find(t, "haproxy")
	f := startFarm(t)
	listen := freeAddress(t)
	// The servers here have no /readyz; that they answer is enough.
	config := adapt(t, "haproxy.cfg", f, "bind :8080", "bind "+listen,
		"http-check expect status 200", "http-check expect status 404",
		"maxconn 20000", "maxconn 1000")
	path := write(t, t.TempDir(), "haproxy.cfg", config)
	lint(t, program, "-c", "-f", path)
	start(t, program, "-db", "-f", path)
	tryBalancer(t, f, "http://"+listen)
}

func find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("there is no %s here; apt-get install %s", program, program)
	}
	return path
}

func startFarm(t *testing.T) *farm.Farm {
	t.Helper()
	if _, err := redistest.Find(); err != nil {
		t.Skip(err)
	}
	host, err := hosttest.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, err := farm.Start(t.Context(), farm.Options{Program: []string{host}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("ending the servers: %v", err)
		}
	})
	return f
}

// adapt returns a configuration with the addresses of the farm's servers, and other texts, each of which it must have,
// in place of those that are there.
func adapt(t *testing.T, name string, f *farm.Farm, oldNew ...string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	config := string(b)
	for i, n := range f.Nodes() {
		oldNew = append(oldNew, fmt.Sprintf(" node%d:8080", i+1), " "+n.Host)
	}
	for i := 0; i < len(oldNew); i += 2 {
		if n := strings.Count(config, oldNew[i]); n != 1 {
			t.Fatalf("%s has %q %d times, want it once", name, oldNew[i], n)
		}
		config = strings.Replace(config, oldNew[i], oldNew[i+1], 1)
	}
	return config
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func lint(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts a balancer that ends with the test.
func start(t *testing.T, program string, args ...string) {
	t.Helper()
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // nginx ends its workers, too
	cmd.WaitDelay = 5 * time.Second
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // says that it was interrupted
		if t.Failed() {
			t.Logf("%s:\n%s", program, &log)
		}
	})
}

// tryBalancer has clients of all transports talk with each other through a balancer, and takes one server away.
func tryBalancer(t *testing.T, f *farm.Farm, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	h := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 20}}
	defer h.CloseIdleConnections()
	await(t, "the balancer answers", func() bool {
		resp, err := h.Get(url + "/connections")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	kinds := []transport.Type{transport.WebSockets, transport.ServerSentEvents, transport.LongPolling}
	talk := func(text string) {
		t.Helper()
		var all []*rawclient.Client
		heard := make(chan string, 100)
		defer func() {
			for _, c := range all {
				c.Close()
			}
		}()
		for i := range 4 * len(kinds) {
			kind := kinds[i%len(kinds)]
			o := rawclient.Options{HTTP: h, OnReceive: func(text string) { heard <- text }}
			c, err := rawclient.Dial(ctx, url+"/hub", kind, o)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
			if _, err := c.Call(ctx, "JoinGroup", "g"); err != nil {
				t.Fatalf("%v: %v", kind, err)
			}
		}
		for i, c := range all {
			began := time.Now()
			if _, err := c.Call(ctx, "SendToGroup", "g", fmt.Sprint(text, i)); err != nil {
				t.Fatalf("%v: %v", kinds[i%len(kinds)], err)
			}
			for range all {
				select {
				case got := <-heard:
					if got != fmt.Sprint(text, i) {
						t.Errorf("heard %q, want %s%d", got, text, i)
					}
				case <-ctx.Done():
					t.Fatalf("%s%d was not heard by all after %v", text, i, time.Since(began))
				}
			}
		}
	}
	talk("all servers ")
	f.Nodes()[0].Kill()
	// The first request may find out what has happened, and pay for it.
	await(t, "the balancer leaves the server out", func() bool {
		good := 0
		for range 6 {
			resp, err := h.Get(url + "/connections?id=x") // for nginx as a poll: it is not repeated
			if err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					good++
				}
			}
		}
		return good == 6
	})
	talk("two servers ")
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("it never happened: %s", what)
		}
	}
}
