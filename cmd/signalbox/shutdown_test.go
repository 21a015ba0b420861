package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/contract/notificationhub"
	"signalbox/contract/orderhub"
)

// TestShutdown ends a server as SIGTERM does, with clients on all transports: each gets a Close message that lets it
// come back.
func TestShutdown(t *testing.T) {
	dir, _ := shop(t)
	s := serve(t, dir, quiet...)
	anna := s.signedIn("anna", "anna")
	notifications, orders := anna.connect(notificationhub.Path), anna.connect(orderhub.Path)
	notifications.want(event("UnreadCountUpdated", 0))
	events := s.signedIn("anna", "anna").events()
	for _, want := range []string{`{}`, event("UnreadCountUpdated", 0)} {
		if got := wait(t, "an event", events); got != want {
			t.Fatalf("by server-sent events: got  %s\nwant %s", got, want)
		}
	}
	poll := s.signedIn("otto", "otto").polling()

	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- s.end() }()
	notifications.want(goodbye, "close 1000")
	orders.want(goodbye, "close 1000")
	if got := wait(t, "the last event", events); got != goodbye {
		t.Errorf("by server-sent events: got  %s\nwant %s", got, goodbye)
	}
	if more, ok := <-events; ok {
		t.Errorf("there came %s after the Close message", more)
	}
	if got := wait(t, "the poll to be answered", poll); got != "200 OK "+goodbye+"\x1e" {
		t.Errorf("by long polling: got  %s\nwant %s", got, goodbye)
	}
	if err := wait(t, "the server to end", ended); err != nil {
		t.Errorf("the server ended with: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v, more than the bound", took)
	}
	if conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://")); err == nil {
		_ = conn.Close()
		t.Error("it still listens")
	}
}

// negotiate begins a connection to the notification hub and returns its URL, with the token.
func (v *visitor) negotiate() string {
	v.s.t.Helper()
	_, body := v.do(http.MethodPost, notificationhub.Path+"/negotiate?negotiateVersion=1", "")
	var answer struct{ ConnectionToken string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.ConnectionToken == "" {
		v.s.t.Fatalf("negotiating was answered %s", body)
	}
	return notificationhub.Path + "?id=" + url.QueryEscape(answer.ConnectionToken)
}

// shakeHands posts the handshake to a connection.
func (v *visitor) shakeHands(target string) {
	v.s.t.Helper()
	if res, body := v.do(http.MethodPost, target, jsonHandshake); res.StatusCode != http.StatusOK {
		v.s.t.Fatalf("the handshake was answered %s %s", res.Status, body)
	}
}

// get sends a GET request to a connection; the answer goes on until the test ends.
func (v *visitor) get(target, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(v.s.t.Context(), http.MethodGet, v.s.base+target, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	return v.http.Do(req)
}

// events connects by server-sent events and returns the messages that come, but pings. The channel is closed at the end.
func (v *visitor) events() <-chan string {
	v.s.t.Helper()
	target := v.negotiate()
	res, err := v.get(target, "text/event-stream")
	if err != nil || res.StatusCode != http.StatusOK {
		v.s.t.Fatalf("opening an event stream: %v, %v", res, err)
	}
	msgs := make(chan string, 100)
	go func() {
		defer close(msgs)
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				for _, m := range records([]byte(data)) {
					if m != ping {
						msgs <- m
					}
				}
			}
		}
	}()
	v.shakeHands(target)
	return msgs
}

// polling connects by long polling, reads what every client gets, and begins a poll; the answer, or why there is none,
// comes from the channel.
func (v *visitor) polling() <-chan string {
	v.s.t.Helper()
	target := v.negotiate()
	poll := func() string {
		res, err := v.get(target, "*/*")
		if err != nil {
			return err.Error()
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return err.Error()
		}
		return res.Status + " " + string(body)
	}
	if got, want := poll(), "200 OK "; got != want {
		v.s.t.Fatalf("the first poll was answered %q", got)
	}
	v.shakeHands(target)
	got, want := "", "{}\x1e"+event("UnreadCountUpdated", 0)+"\x1e"
	for got != want {
		body, ok := strings.CutPrefix(poll(), "200 OK ")
		if got += body; !ok || !strings.HasPrefix(want, got) {
			v.s.t.Fatalf("polls were answered %q, want %q", got, want)
		}
	}
	// Of two polls at once the server answers the one and keeps the other: that is how one knows that it has it.
	answers := make(chan string, 2)
	for range 2 {
		go func() { answers <- poll() }()
	}
	if got, want := wait(v.s.t, "a poll to give way to another", answers), "204 No Content "; got != want {
		v.s.t.Fatalf("a poll was answered %q, want %q", got, want)
	}
	return answers
}

// TestShutdownIsBounded ends a server on which a client does not read what it is told, and another does not finish what
// it began to send.
func TestShutdownIsBounded(t *testing.T) {
	dir, _ := shop(t)
	for name, open := range map[string]func(*testing.T, *server, net.Conn){
		"a WebSocket that does not answer": func(t *testing.T, s *server, conn net.Conn) {
			anna := s.signedIn("anna", "anna")
			base, err := url.Parse(s.base)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
				notificationhub.Path, base.Host, anna.http.Jar.Cookies(base)[0])
			const mask = "\x00\x00\x00\x00" // leaves the text as it is
			fmt.Fprintf(conn, "\x81%s%s%s", []byte{0x80 | byte(len(jsonHandshake))}, mask, jsonHandshake)
			if line, err := bufio.NewReader(conn).ReadString(']'); !strings.HasSuffix(line, `"UnreadCountUpdated","arguments":[0]`) {
				t.Fatalf("the client was answered %q, %v", line, err)
			}
		},
		"a request without its end": func(t *testing.T, s *server, conn net.Conn) {
			fmt.Fprintf(conn, "POST /signin HTTP/1.1\r\nHost: signalbox\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
				"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n")
			if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, " 100 ") {
				t.Fatalf("the request was answered %q, %v", line, err) // it says so when it begins to read the form
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, dir, append(quiet, "--drain-timeout", "200ms")...)
			var dialer net.Dialer
			conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			open(t, s, conn)
			began := time.Now()
			err = s.end()
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			if err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
				t.Errorf("it ended with %v, want that not all was done in time", err)
			}
			// Nobody is served any more.
			if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("the connection is still open: %v", err)
			}
		})
	}
}
