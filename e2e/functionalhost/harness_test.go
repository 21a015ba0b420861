package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/signalr"
)

// host is a running host, and a client that does not follow redirections by itself.
type host struct {
	*httptest.Server
	client *http.Client
}

// startHost starts a host that ends with the test.
func startHost(t *testing.T) *host {
	t.Helper()
	return startHostWith(t, (*httptest.Server).Start)
}

func startHostWith(t *testing.T, start func(*httptest.Server)) *host {
	t.Helper()
	srv, err := signalr.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{Server: httptest.NewUnstartedServer(newHandler(srv))}
	start(h.Server)
	h.client = h.Client()
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		h.Close()
	})
	return h
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	text string
}

// do sends a request with headers, given as name and value by turns.
func (h *host) do(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return answer{res, ""} // what follows is no body
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res, string(text)}
}

// want does a request and fails unless it is answered with that status.
func (h *host) want(t *testing.T, status int, method, path, body string, headers ...string) answer {
	t.Helper()
	a := h.do(t, method, path, body, headers...)
	if a.StatusCode != status {
		t.Fatalf("%s %s: %s with body %q, want status %d", method, path, a.Status, a.text, status)
	}
	return a
}

// upgrade are the headers that ask for a WebSocket.
var upgrade = []string{
	"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg==",
}

// negotiation is what matters of an answer to a negotiation.
type negotiation struct {
	ConnectionID        string
	ConnectionToken     string
	AvailableTransports []struct{ Transport string }
}

func (h *host) negotiate(t *testing.T, path string, headers ...string) negotiation {
	t.Helper()
	a := h.want(t, http.StatusOK, "POST", path+"/negotiate?negotiateVersion=1", "", headers...)
	var n negotiation
	if err := json.Unmarshal([]byte(a.text), &n); err != nil {
		t.Fatalf("negotiation %q: %v", a.text, err)
	}
	return n
}

// connection is a connection by long polling.
type connection struct {
	*host
	id      string
	url     string
	headers []string
	records []string // that have come and were not yet taken
}

// poll negotiates and opens a connection. The headers go with all of its requests.
func (h *host) poll(t *testing.T, path string, headers ...string) *connection {
	t.Helper()
	n := h.negotiate(t, path, headers...)
	c := &connection{host: h, id: n.ConnectionID, url: path + "?id=" + url.QueryEscape(n.ConnectionToken), headers: headers}
	if a := h.want(t, http.StatusOK, "GET", c.url, "", headers...); a.text != "" {
		t.Fatalf("the first poll was answered with %q", a.text)
	}
	return c
}

// pollHub opens a connection and does the handshake for JSON.
func (h *host) pollHub(t *testing.T, path string, headers ...string) *connection {
	t.Helper()
	c := h.poll(t, path, headers...)
	c.send(t, `{"protocol":"json","version":1}`)
	if got := c.next(t); got != `{}` {
		t.Fatalf("handshake: %q", got)
	}
	return c
}

// send sends a record.
func (c *connection) send(t *testing.T, record string) {
	t.Helper()
	c.want(t, http.StatusOK, "POST", c.url, record+"\x1e", c.headers...)
}

// next returns the next record that the server sends.
func (c *connection) next(t *testing.T) string {
	t.Helper()
	for len(c.records) == 0 {
		text := c.want(t, http.StatusOK, "GET", c.url, "", c.headers...).text
		records := strings.Split(text, "\x1e")
		if last := records[len(records)-1]; last != "" {
			t.Fatalf("the answer to a poll ends with a part of a record: %q", last)
		}
		c.records = records[:len(records)-1]
	}
	record := c.records[0]
	c.records = c.records[1:]
	return record
}

// expect fails unless these are the next records.
func (c *connection) expect(t *testing.T, records ...string) {
	t.Helper()
	for _, want := range records {
		if got := c.next(t); got != want {
			t.Fatalf("got record  %s\nwant record %s", got, want)
		}
	}
}
