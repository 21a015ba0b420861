package signalr

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const farewell = `{"type":7,"allowReconnect":true}`

// TestDrain: WebSockets go one by one, each with a Close message that lets it come back, and nobody negotiates meanwhile.
func TestDrain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, nil)
		const n, rate = 20, 10
		ended := make(chan time.Time, n)
		for range n {
			c := s.connect()
			go func() {
				if last, code := c.next(), c.next(); last != farewell || code != "close 1000" {
					t.Errorf("a client got %s, then %s", last, code)
				}
				ended <- time.Now()
			}()
		}
		began := time.Now()
		down := make(chan error, 1)
		go func() { down <- s.Drain(context.Background(), &DrainOptions{Rate: rate}) }()
		synctest.Wait()
		res, err := s.http.Post("http://signalr.test/hub/negotiate?negotiateVersion=1", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("negotiating was answered %s, Retry-After %q", res.Status, res.Header.Get("Retry-After"))
		}
		if err := <-down; err != nil || s.Connections() != 0 {
			t.Errorf("Drain: %v; %d connections are left", err, s.Connections())
		}
		for i := range n {
			if at := (<-ended).Sub(began); at < time.Duration(i-2)*time.Second/rate {
				t.Errorf("connection %d of %d a second ended after %v", i+1, rate, at)
			}
		}
	})
}

// TestDrainAtOnce: without a pace Drain is Shutdown.
func TestDrainAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, nil)
		c := s.connect()
		go closing(c)
		began := time.Now()
		if err := s.Drain(context.Background(), nil); err != nil || time.Since(began) != 0 {
			t.Errorf("Drain: %v, after %v", err, time.Since(began))
		}
	})
}

// TestFarewellBetweenPolls: a client of long polling that is not there when the server goes down gets the Close message
// with its next poll, and what was sent before it.
func TestFarewellBetweenPolls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := hubServer(t, nil, nil)
		p := s.polling()
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(context.Background()) }()
		synctest.Wait()
		time.Sleep(3 * time.Second) // away, as far as a client may be
		if got := p.do(http.MethodPost, invocation("", "Echo", "late")+"\x1e"); got != "200 OK " {
			t.Errorf("what it still sends was answered %q", got)
		}
		if got, want := p.do(http.MethodGet, ""), "200 OK "+farewell+"\x1e"; got != want {
			t.Errorf("the poll was answered %q, want %q", got, want)
		}
		if err := <-down; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if got := p.do(http.MethodGet, ""); !strings.HasPrefix(got, "404") {
			t.Errorf("the poll after it was answered %q", got)
		}
	})
}

// TestClientThatPollsNoMore: it is not waited for longer than a moment, which is no fault of the shutdown.
func TestClientThatPollsNoMore(t *testing.T) {
	for name, limit := range map[string]time.Duration{"in its own time": time.Minute, "in less time": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := hubServer(t, nil, nil)
				s.polling()
				ctx, cancel := context.WithTimeout(context.Background(), limit)
				defer cancel()
				began := time.Now()
				err := s.Shutdown(ctx)
				if took := time.Since(began); err != nil || took > min(limit, 7*time.Second) || took < min(limit, 5*time.Second) {
					t.Errorf("Shutdown: %v, after %v", err, took)
				}
			})
		})
	}
}

// poller is a client of a hub on long polling.
type poller struct {
	s      *testServer
	target string
}

// polling connects by long polling, up to the end of the handshake. No poll waits.
func (s *testServer) polling() *poller {
	s.t.Helper()
	res, err := s.http.Post("http://signalr.test/hub/negotiate?negotiateVersion=1", "", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct{ ConnectionToken string }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		s.t.Fatal(err)
	}
	p := &poller{s, "http://signalr.test/hub?id=" + url.QueryEscape(answer.ConnectionToken)}
	for _, step := range []struct{ method, body, want string }{
		{http.MethodGet, "", "200 OK "}, {http.MethodPost, jsonHandshake + "\x1e", "200 OK "}, {http.MethodGet, "", "200 OK {}\x1e"},
	} {
		if got := p.do(step.method, step.body); got != step.want {
			s.t.Fatalf("%s was answered %q, want %q", step.method, got, step.want)
		}
	}
	return p
}

// do sends a request and returns the answer: status, blank, body.
func (p *poller) do(method, body string) string {
	p.s.t.Helper()
	req, err := http.NewRequestWithContext(p.s.t.Context(), method, p.target, strings.NewReader(body))
	if err != nil {
		p.s.t.Fatal(err)
	}
	res, err := p.s.http.Do(req)
	if err != nil {
		p.s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.s.t.Fatal(err)
	}
	return res.Status + " " + string(text)
}

// TestDrainPassedOnStreams: streams that a node passes on to others end at its pace, as its own connections do, and the
// clients behind them connect anew; polls that it passes on are answered, and their connections stay.
func TestDrainPassedOnStreams(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n, rate = 20, 10
		f := newFarm(t, 2)
		ended := make(chan time.Time, n)
		for range n {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet,
				"http://signalr.test/hub?id="+f.nodes[0].negotiate("/hub"), nil)
			req.Header.Set("Accept", "text/event-stream")
			res, err := f.nodes[1].http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				defer res.Body.Close()
				_, _ = io.Copy(io.Discard, res.Body) // until it is cut
				ended <- time.Now()
			}()
		}
		target := "/hub?id=" + f.nodes[0].negotiate("/hub")
		if status, _ := f.nodes[1].do(http.MethodGet, target, ""); status != http.StatusOK {
			t.Fatal("the first poll failed")
		}
		if status, _ := f.nodes[1].post(target, jsonHandshake+"\x1e"); status != http.StatusOK {
			t.Fatal("the handshake failed")
		}
		if status, body := f.nodes[1].do(http.MethodGet, target, ""); body != "{}\x1e" {
			t.Fatalf("poll: %d %q", status, body)
		}
		polled := make(chan string, 1)
		go func() {
			status, body := f.nodes[1].do(http.MethodGet, target, "")
			polled <- fmt.Sprint(status, body)
		}()
		wantCounts(t, f, fmt.Sprintf("[%d 0]", n+1))
		began := time.Now()
		if err := f.nodes[1].Drain(context.Background(), &DrainOptions{Rate: rate}); err != nil {
			t.Errorf("Drain: %v", err)
		}
		for i := range n {
			at := (<-ended).Sub(began)
			if at < time.Duration(i-2)*time.Second/rate || at > time.Duration(i+rate)*time.Second/rate {
				t.Errorf("stream %d of %d a second ended after %v", i+1, rate, at)
			}
		}
		if got := <-polled; got != "200" {
			t.Errorf("the poll was answered %q, want an empty 200: poll again", got)
		}
		wantCounts(t, f, "[1 0]")
	})
}
