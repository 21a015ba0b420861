package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNegotiation(t *testing.T) {
	h := startHost(t)
	all := []string{"WebSockets", "ServerSentEvents", "LongPolling"}
	for _, tt := range []struct {
		path       string
		transports []string
	}{
		{"/testhub", all},
		{"/testHub", all},
		{"/TESTHUB", all},
		{"/testhub-nowebsockets", all[1:]},
		{"/uncreatable", all},
		{"/echo", all},
		{"/test", all},
	} {
		t.Run(tt.path, func(t *testing.T) {
			n := h.negotiate(t, tt.path)
			var transports []string
			for _, a := range n.AvailableTransports {
				transports = append(transports, a.Transport)
			}
			if diff := cmp.Diff(tt.transports, transports); diff != "" {
				t.Errorf("transports (-want +got):\n%s", diff)
			}
			if n.ConnectionID == "" || n.ConnectionToken == "" {
				t.Errorf("negotiation without id or token: %+v", n)
			}
		})
	}
}

func TestUpgrade(t *testing.T) {
	h := startHost(t)
	for _, tt := range []struct {
		path   string
		status int
	}{
		{"/testhub", http.StatusSwitchingProtocols},
		{"/test", http.StatusSwitchingProtocols},
		{"/echo", http.StatusSwitchingProtocols},
		{"/Echo", http.StatusSwitchingProtocols},
		{"/testhub-nowebsockets", http.StatusNotFound},
		{"/authorizedhub", http.StatusUnauthorized},
		{"/echoredirect", http.StatusTemporaryRedirect},
	} {
		t.Run(tt.path, func(t *testing.T) {
			h.want(t, tt.status, "GET", tt.path, "", append(upgrade, "Origin", "http://elsewhere.example")...)
		})
	}
}

func TestHubs(t *testing.T) {
	h := startHost(t)
	for _, path := range []string{"/testhub", "/testhub-nowebsockets", "/TestHub/"} {
		t.Run(path, func(t *testing.T) {
			c := h.pollHub(t, strings.TrimSuffix(path, "/"))
			c.send(t, `{"type":1,"invocationId":"1","target":"echo","arguments":["x"]}`)
			c.send(t, `{"type":1,"invocationId":"2","target":"SendCustomObject","arguments":[{"Name":"n","Value":1}]}`)
			c.send(t, `{"type":1,"invocationId":"3","target":"GetActiveTransportName","arguments":[]}`)
			c.expect(t,
				`{"type":3,"invocationId":"1","result":"x"}`,
				`{"type":1,"target":"CustomObject","arguments":[{"Name":"n","Value":1}]}`,
				`{"type":3,"invocationId":"2","result":null}`,
				`{"type":3,"invocationId":"3","result":"LongPolling"}`)
		})
	}
}

func TestUncreatableHub(t *testing.T) {
	c := startHost(t).pollHub(t, "/uncreatable")
	c.expect(t, `{"type":7,"error":"Connection closed with an error. InvalidOperationException: The hub cannot be created."}`)
}

func TestComplexObject(t *testing.T) {
	c := startHost(t).pollHub(t, "/testhub")
	c.send(t, `{"type":1,"invocationId":"1","target":"SendComplexObject","arguments":[]}`)
	c.expect(t, `{"type":3,"invocationId":"1","result":{"String":"hello world","IntArray":[1,2,3],"ByteArray":"AQID",`+
		`"Guid":"00010203-0405-0607-0706-050403020100","DateTime":"2000-01-01T00:00:00Z"}}`)
	c.send(t, `{"type":1,"invocationId":"2","target":"EchoComplexObject","arguments":[{"Guid":"no guid"}]}`)
	if got := c.next(t); !strings.Contains(got, "Failed to invoke 'EchoComplexObject' due to an error on the server.") {
		t.Errorf("a bad guid was answered with %s", got)
	}
}

func TestEcho(t *testing.T) {
	h := startHost(t)
	c := h.poll(t, "/echo")
	for _, body := range []string{"Hello World!", "\x1e\x00\xff"} {
		h.want(t, http.StatusOK, "POST", c.url, body)
		if got := h.want(t, http.StatusOK, "GET", c.url, "").text; got != body {
			t.Errorf("echo of %q: %q", body, got)
		}
	}
	h.want(t, http.StatusAccepted, "DELETE", c.url, "")
}

// TestEchoWebSocket looks at the frames: the echo is one frame, and an empty close frame is answered with 1000.
func TestEchoWebSocket(t *testing.T) {
	h := startHost(t)
	conn, err := net.Dial("tcp", h.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(conn, "GET /echo HTTP/1.1\r\nHost: %s\r\n", h.Listener.Addr())
	for i := 0; i < len(upgrade); i += 2 {
		fmt.Fprintf(conn, "%s: %s\r\n", upgrade[i], upgrade[i+1])
	}
	fmt.Fprint(conn, "\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res.Status)
	}
	for _, tt := range []struct{ name, send, want string }{ // the mask is zero, so what is sent can be read
		{"text", "\x81\x8c\x00\x00\x00\x00Hello World!", "\x81\x0cHello World!"},
		{"close", "\x88\x80\x00\x00\x00\x00", "\x88\x02\x03\xe8"},
	} {
		if _, err := io.WriteString(conn, tt.send); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(tt.want))
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, []byte(tt.want)) {
			t.Errorf("%s: got frame %q (%v), want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestEchoRedirect(t *testing.T) {
	h := startHost(t)
	for _, tt := range []struct{ method, path, location string }{
		{"POST", "/echoredirect/negotiate?negotiateVersion=1", "/echo/negotiate?negotiateVersion=1"},
		{"GET", "/echoredirect?id=a%2Bb&_=1", "/echo?id=a%2Bb&_=1"},
		{"POST", "/EchoRedirect?id=a", "/echo?id=a"},
		{"DELETE", "/echoredirect?id=a", "/echo?id=a"},
		{"GET", "/echoredirect", "/echo"},
		{"GET", "/echoredirect/", "/echo/"},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			a := h.want(t, http.StatusTemporaryRedirect, tt.method, tt.path, "")
			if got := a.Header.Get("Location"); got != tt.location || a.text != "" {
				t.Errorf("redirected to %q with body %q, want %q and none", got, a.text, tt.location)
			}
		})
	}
	h.want(t, http.StatusNotFound, "GET", "/echoredirected", "")
	t.Run("conversation", func(t *testing.T) {
		followed := 0
		h.client.CheckRedirect = func(*http.Request, []*http.Request) error { followed++; return nil }
		c := h.poll(t, "/echoredirect")
		h.want(t, http.StatusOK, "POST", c.url, "Hello World!")
		if got := h.want(t, http.StatusOK, "GET", c.url, "").text; got != "Hello World!" {
			t.Errorf("echo: %q", got)
		}
		h.want(t, http.StatusAccepted, "DELETE", c.url, "")
		if followed != 5 {
			t.Errorf("%d of 5 requests were redirected", followed)
		}
	})
}

func TestRedirect(t *testing.T) {
	h := startHost(t)
	for i, path := range []string{"/redirect/negotiate", "/redirect", "/Redirect/negotiate"} {
		a := h.want(t, http.StatusOK, "POST", path+"?numRedirects=0&baseUrl=http://127.0.0.1:1&negotiateVersion=1", "")
		if want := fmt.Sprintf(`{ "url": "http://127.0.0.1:1/testHub?numRedirects=%d" }`, i+1); a.text != want {
			t.Errorf("%s: got %s, want %s", path, a.text, want)
		}
	}
	c := h.pollHub(t, "/testhub")
	c.send(t, `{"type":1,"invocationId":"1","target":"GetNumRedirects","arguments":[]}`)
	if got := c.next(t); !strings.Contains(got, `"error":"An unexpected error occurred invoking 'GetNumRedirects' on the server.`) {
		t.Errorf("a connection that was not redirected: %s", got)
	}
}

func TestBadNegotiate(t *testing.T) {
	h := startHost(t)
	for _, path := range []string{"/bad-negotiate/negotiate?negotiateVersion=1", "/bad-negotiate", "/Bad-Negotiate/x"} {
		if a := h.want(t, http.StatusBadRequest, "POST", path, ""); a.text != "Some response from server" {
			t.Errorf("%s: %q", path, a.text)
		}
	}
}

// askResult asks for the result of a client, which is to answer meanwhile.
func (h *host) askResult(t *testing.T, id string) <-chan string {
	text := make(chan string, 1)
	go func() {
		defer close(text)
		res, err := h.client.Get(h.URL + "/clientResult/" + id)
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("client result: %s, %v", res.Status, err)
		}
		text <- string(body)
	}()
	return text
}

func TestClientResult(t *testing.T) {
	h := startHost(t)
	for _, path := range []string{"/testhub", "/testhub-nowebsockets"} {
		c := h.pollHub(t, path)
		for _, tt := range []struct{ name, completion, want string }{
			{"number", `"result":-7`, "-7"},
			{"error", `"error":"Error: from callback"`, "Error: from callback"},
			{"no handler", `"error":"Client didn't provide a result."`, "Client didn't provide a result."},
		} {
			t.Run(path+" "+tt.name, func(t *testing.T) {
				text := h.askResult(t, c.id)
				var question struct {
					InvocationID, Target string
					Arguments            []any
				}
				if err := json.Unmarshal([]byte(c.next(t)), &question); err != nil {
					t.Fatal(err)
				}
				if question.Target != "Result" || len(question.Arguments) != 0 {
					t.Errorf("the client was asked %+v", question)
				}
				c.send(t, fmt.Sprintf(`{"type":3,"invocationId":%q,%s}`, question.InvocationID, tt.completion))
				if got := <-text; got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
	}
	t.Run("client leaves", func(t *testing.T) {
		c := h.pollHub(t, "/testhub")
		text := h.askResult(t, c.id)
		c.next(t)
		h.want(t, http.StatusAccepted, "DELETE", c.url, "")
		if got, want := <-text, "Connection '"+c.id+"' disconnected."; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	if a := h.want(t, http.StatusOK, "GET", "/clientresult/nobody", ""); a.text != "Connection 'nobody' does not exist." {
		t.Errorf("nobody: %q", a.text)
	}
}

func TestDeployment(t *testing.T) {
	var data map[string]string
	a := startHost(t).want(t, http.StatusOK, "GET", "/deployment", "")
	if err := json.Unmarshal([]byte(a.text), &data); err != nil || data["GoVersion"] == "" {
		t.Errorf("got %q (%v)", a.text, err)
	}
}

func TestUnknownPaths(t *testing.T) {
	h := startHost(t)
	for _, path := range []string{"/", "/nothing", "/lib/", "/lib/signalr-webworker/", "/lib/signalr-webworker/nothing.js", "/testhub/nothing"} {
		if a := h.want(t, http.StatusNotFound, "GET", path, ""); a.text != "" {
			t.Errorf("%s: body %q", path, a.text)
		}
	}
}
