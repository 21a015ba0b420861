package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/contract/notificationhub"
)

// eventually polls until what must become true does.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// probe asks a probe and returns the status and the text.
func (v *visitor) probe(path string) string {
	v.s.t.Helper()
	res, body := v.do(http.MethodGet, path, "")
	return fmt.Sprint(res.StatusCode, " ", strings.TrimSpace(body))
}

func TestProbes(t *testing.T) {
	dir, _ := shop(t)
	s := serve(t, dir, quiet...)
	v := s.visitor()
	for _, path := range []string{"/livez", "/readyz"} {
		if got := v.probe(path); got != "200 ok" {
			t.Errorf("%s was answered %s", path, got)
		}
		if res, body := v.do(http.MethodHead, path, ""); res.StatusCode != http.StatusOK || body != "" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("HEAD %s was answered %s %q %v", path, res.Status, body, res.Header)
		}
		if res, _ := v.do(http.MethodPost, path, ""); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s was answered %s %v", path, res.Status, res.Header)
		}
	}
}

// TestDrain asks a server's process to drain, by the command: readiness fails while all goes on, then connections end at
// the rate, each with a Close message that lets it come back, also that of a client that is between two polls.
func TestDrain(t *testing.T) {
	dir, _ := shop(t)
	pid := filepath.Join(t.TempDir(), "signalbox.pid")
	const rate, sockets = 10, 12
	s, _ := serveProcess(t, dir, append(quiet, "--pid-file", pid, "--drain-delay", "1s", "--drain-rate", fmt.Sprint(rate), "--drain-timeout", "25s")...)
	anna := s.signedIn("anna", "anna")
	clients := make([]*client, sockets)
	for i := range clients {
		clients[i] = anna.connect(notificationhub.Path)
		clients[i].want(event("UnreadCountUpdated", 0))
	}
	away := s.signedIn("otto", "otto").negotiated()

	if other := program(t, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--pid-file", pid); other.Run() == nil {
		t.Error("two servers have one file")
	}
	drained := make(chan error, 1)
	drain := program(t, "drain", "--pid-file", pid)
	if err := drain.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { drained <- drain.Wait() }()

	eventually(t, "readiness to fail", func() bool { return anna.probe("/readyz") == "503 draining" })
	if got := anna.probe("/livez"); got != "200 ok" {
		t.Errorf("/livez was answered %s while draining", got)
	}
	late := anna.connect(notificationhub.Path) // who does not know yet is still served
	late.want(event("UnreadCountUpdated", 0))
	clients = append(clients, late)

	refused := 0
	eventually(t, "negotiating to be refused", func() bool {
		res, _ := anna.do(http.MethodPost, notificationhub.Path+"/negotiate?negotiateVersion=1", "")
		if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "" {
			refused++
		}
		return refused > 0
	})
	ended := make(chan time.Time, len(clients))
	for _, c := range clients {
		go func() {
			last := ""
			for {
				m := c.read()
				if m == "close 1000" {
					break
				}
				if last = m; m == "lost" {
					break
				}
			}
			if last != goodbye {
				t.Errorf("the last message was %s, want %s", last, goodbye)
			}
			ended <- time.Now()
		}()
	}
	first := wait(t, "the first connection to end", ended)
	last := first
	for range len(clients) - 1 {
		last = wait(t, "a connection to end", ended)
	}
	if took := last.Sub(first); took < time.Duration(len(clients)-4)*time.Second/rate {
		t.Errorf("%d connections ended in %v, at %d a second", len(clients), took, rate)
	}
	if got, want := away.poll(), "200 OK "+goodbye+"\x1e"; got != want {
		t.Errorf("the client that was away was answered %q, want %q", got, want)
	}
	if err := wait(t, "the command to end", drained); err != nil {
		t.Errorf("the command ended with: %v", err)
	}
	if err := wait(t, "the server to end", s.ended); err != nil {
		t.Errorf("the server ended with: %v", err)
	}
	s.stopped = true
	if out, err := program(t, "drain", "--pid-file", pid).Output(); err == nil || len(out) > 0 {
		t.Errorf("draining a server that is over: %q, %v", out, err)
	}
}

// read is next for a goroutine that is not the test's.
func (c *client) read() string {
	for len(c.rest) == 0 {
		ctx, cancel := context.WithTimeout(c.t.Context(), patience)
		_, p, err := c.ws.Read(ctx)
		cancel()
		if err != nil {
			if strings.Contains(err.Error(), "StatusNormalClosure") {
				return "close 1000"
			}
			return "lost"
		}
		for _, m := range records(p) {
			if m != ping {
				c.rest = append(c.rest, m)
			}
		}
	}
	m := c.rest[0]
	c.rest = c.rest[1:]
	return m
}

// poller is a client on long polling that is between two polls.
type poller struct {
	v      *visitor
	target string
}

// negotiated connects by long polling and reads what every client gets.
func (v *visitor) negotiated() *poller {
	v.s.t.Helper()
	p := &poller{v, v.negotiate()}
	if got, want := p.poll(), "200 OK "; got != want {
		v.s.t.Fatalf("the first poll was answered %q", got)
	}
	v.shakeHands(p.target)
	for got, want := "", "{}\x1e"+event("UnreadCountUpdated", 0)+"\x1e"; got != want; {
		body, ok := strings.CutPrefix(p.poll(), "200 OK ")
		if got += body; !ok || !strings.HasPrefix(want, got) {
			v.s.t.Fatalf("polls were answered %q, want %q", got, want)
		}
	}
	return p
}

func (p *poller) poll() string {
	p.v.s.t.Helper()
	res, body := p.v.do(http.MethodGet, p.target, "")
	return res.Status + " " + body
}

// TestPIDFile: a file that nobody has is no reason to send a signal to whoever has the number now.
func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"drain", "--pid-file", path}); err == nil || !strings.Contains(err.Error(), "no server is running") {
		t.Errorf("draining by a file that nobody has: %v", err)
	}
	if err := run(t.Context(), []string{"drain", "--pid-file", path + "x"}); err == nil {
		t.Error("draining by a file that does not exist succeeds")
	}
	mine, err := takePIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != fmt.Sprintln(os.Getpid()) {
		t.Errorf("it holds %q, %v", text, err)
	}
	if _, err := takePIDFile(path); err == nil || !strings.Contains(err.Error(), "is running") {
		t.Errorf("taking it twice: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := awaitEnd(ctx, path); err == nil {
		t.Error("the end is there before it came")
	}
	if err := mine.Close(); err != nil {
		t.Error(err)
	}
	if err := awaitEnd(t.Context(), path); err != nil {
		t.Error(err)
	}
}
