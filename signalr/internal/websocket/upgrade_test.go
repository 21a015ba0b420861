package websocket

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// handshake is the request of RFC 6455, section 1.2.
func handshake(change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/chat", nil)
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	r.Header.Set("Sec-WebSocket-Version", "13")
	for _, c := range change {
		c(r)
	}
	return r
}

func TestIsUpgrade(t *testing.T) {
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	const key = "Sec-Websocket-Key"
	for _, row := range []struct {
		name   string
		change func(*http.Request)
		want   bool
	}{
		{"as in the RFC", func(*http.Request) {}, true},
		{"Firefox's Connection", set("Connection", "keep-alive, Upgrade"), true},
		{"Connection in two lines", set("Connection", "keep-alive", "upgrade"), true},
		{"case and space", set("Upgrade", " WebSocket "), true},
		{"one upgrade of several", set("Upgrade", "h2c, websocket"), true},
		{"no Upgrade", set("Upgrade"), false},
		{"another Upgrade", set("Upgrade", "h2c"), false},
		{"part of a word", set("Upgrade", "websockets"), false},
		{"no Connection", set("Connection"), false},
		{"another Connection", set("Connection", "keep-alive"), false},
		{"no version", set("Sec-Websocket-Version"), false},
		{"old version", set("Sec-Websocket-Version", "8"), false},
		{"no key", set(key), false},
		{"short key", set(key, "AAAAAAAAAAAAAAAAAAAA"), false},
		{"long key", set(key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"), false},
		{"key that is not base64", set(key, "dGhlIHNhbXBsZSBub25jZQ=!"), false},
		{"POST", func(r *http.Request) { r.Method = http.MethodPost }, false},
		{"a body", func(r *http.Request) { r.ContentLength = 3 }, false},
		{"a body in chunks", func(r *http.Request) { r.ContentLength = -1 }, false},
		{"HTTP/1.0", func(r *http.Request) { r.ProtoMinor = 0 }, false},
		{"HTTP/2", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 2, 0 }, false},
	} {
		if got := IsUpgrade(handshake(row.change)); got != row.want {
			t.Errorf("%s: IsUpgrade = %t, want %t", row.name, got, row.want)
		}
	}
}

func TestSubprotocols(t *testing.T) {
	r := handshake(func(r *http.Request) { r.Header["Sec-Websocket-Protocol"] = []string{"a, b ,,", "c"} })
	if diff := cmp.Diff([]string{"a", "b", "c"}, Subprotocols(r)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := Subprotocols(handshake()); len(got) != 0 {
		t.Errorf("sub-protocols of a request without = %q", got)
	}
}

// hijacked is a ResponseWriter whose connection can be taken over.
type hijacked struct {
	http.ResponseWriter
	conn net.Conn
	buf  *bufio.ReadWriter
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if h.conn == nil {
		return nil, nil, errors.New("no connection")
	}
	return h.conn, h.buf, nil
}

func TestUpgrade(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	// What the client sends behind its request is in the HTTP server's buffer already.
	buf := bufio.NewReadWriter(bufio.NewReader(strings.NewReader("early bytes")), bufio.NewWriter(server))
	if _, err := buf.Reader.Peek(5); err != nil {
		t.Fatal(err)
	}
	w := hijacked{httptest.NewRecorder(), server, buf}
	w.Header().Set("Set-Cookie", "a=b")
	answer := make(chan *http.Response, 1)
	go func() {
		res, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Error(err)
		}
		answer <- res
	}()
	conn, early, err := Upgrade(w, handshake(), "chat")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if string(early) != "early bytes" {
		t.Errorf("early = %q, want what was buffered", early)
	}
	res := <-answer
	if res == nil {
		t.FailNow()
	}
	got := map[string]string{"status": res.Status}
	for name := range res.Header {
		got[name] = res.Header.Get(name)
	}
	want := map[string]string{
		"status": "101 Switching Protocols", "Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-Websocket-Accept":   "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", // RFC 6455, section 1.3
		"Sec-Websocket-Protocol": "chat", "Set-Cookie": "a=b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	go func() { _, _ = client.Write([]byte("x")) }()
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Errorf("the deadline of the answer holds on: %v", err)
	}
}

// failing is a connection that breaks while the answer is written.
type failing struct {
	net.Conn
	setDeadline, write error
	closed             bool
}

func (f *failing) SetDeadline(time.Time) error { return f.setDeadline }
func (f *failing) Write(p []byte) (int, error) { return len(p), f.write }
func (f *failing) Close() error                { f.closed = true; return nil }

func TestUpgradeFails(t *testing.T) {
	broken := errors.New("broken")
	for _, row := range []struct {
		name string
		conn *failing
	}{
		{"write", &failing{write: broken}},
		{"deadline", &failing{setDeadline: broken}},
	} {
		t.Run(row.name, func(t *testing.T) {
			buf := bufio.NewReadWriter(bufio.NewReader(strings.NewReader("")), bufio.NewWriter(io.Discard))
			conn, _, err := Upgrade(hijacked{httptest.NewRecorder(), row.conn, buf}, handshake(), "")
			if conn != nil || !errors.Is(err, broken) {
				t.Errorf("Upgrade = %v, %v, want the error", conn, err)
			}
			if !row.conn.closed {
				t.Error("the connection is left open")
			}
		})
	}
	t.Run("no hijacking", func(t *testing.T) {
		if _, _, err := Upgrade(hijacked{ResponseWriter: httptest.NewRecorder()}, handshake(), ""); err == nil {
			t.Error("Upgrade succeeds without a connection")
		}
	})
}
