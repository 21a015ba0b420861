package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// patience is how long something that must happen is waited for before the test gives up.
const patience = 30 * time.Second

// wait waits for what must happen.
func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// stdio gives the program standard input, and returns its standard output. It lasts until the test ends or restore is
// called.
func stdio(t *testing.T, input string) (output *os.File, restore func()) {
	t.Helper()
	stdin, stdout := os.Stdin, os.Stdout
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := feed.WriteString(input); err != nil { // fits into the pipe
		t.Fatal(err)
	}
	output, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stdin, os.Stdout = in, out
	restored := false
	restore = func() {
		if restored {
			return
		}
		restored = true
		os.Stdin, os.Stdout = stdin, stdout
		_ = out.Close()
		_ = in.Close()
	}
	_ = feed.Close()
	t.Cleanup(func() {
		restore()
		_ = output.Close()
	})
	return output, restore
}

// command runs a command that ends by itself, and returns what it printed.
func command(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	output, restore := stdio(t, input)
	err := run(t.Context(), args)
	restore()
	printed, readErr := io.ReadAll(output)
	if readErr != nil {
		t.Fatal(readErr)
	}
	return string(printed), err
}

// must is command for one that must succeed.
func must(t *testing.T, input string, args ...string) string {
	t.Helper()
	printed, err := command(t, input, args...)
	if err != nil {
		t.Fatalf("signalbox %s: %v", strings.Join(args, " "), err)
	}
	return printed
}

// server is the command serve while it runs.
type server struct {
	t       *testing.T
	dir     string
	printed []string // the lines that it printed at its start
	base    string   // the URL, without a slash at its end
	cancel  context.CancelFunc
	ended   chan error
	stopped bool
}

// serve runs the command serve on a free port until the test ends, if it has not been stopped before.
func serve(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &server{t: t, dir: dir, cancel: cancel, ended: make(chan error, 1)}
	output, restore := stdio(t, "")
	defer restore()
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--log-level", "error"}, args...)
	out := os.Stdout
	go func() {
		err := run(ctx, args)
		_ = out.Close() // so that nobody waits for what was not printed
		s.ended <- err
	}()
	t.Cleanup(func() {
		if !s.stopped {
			s.stop()
		}
	})
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		s.printed = append(s.printed, lines.Text())
		if _, base, ok := strings.Cut(lines.Text(), "Signalbox listens on "); ok {
			s.base = base
		}
		if strings.Contains(lines.Text(), "API key") || s.base != "" && !strings.Contains(strings.Join(args, " "), "--demo") {
			return s
		}
	}
	s.stopped = true
	t.Fatalf("the server did not start: %v", wait(t, "the server to end", s.ended))
	return nil
}

// end does what SIGTERM does, waits for the end and returns how it went.
func (s *server) end() error {
	s.t.Helper()
	s.cancel()
	s.stopped = true
	return wait(s.t, "the server to end", s.ended)
}

// stop ends the server, which must go well.
func (s *server) stop() {
	s.t.Helper()
	if err := s.end(); err != nil {
		s.t.Errorf("the server ended with: %v", err)
	}
}

// visitor is a browser with its cookies, or a program without any.
type visitor struct {
	s    *server
	http *http.Client
}

func (s *server) visitor() *visitor {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	transport := &http.Transport{}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &visitor{s, &http.Client{
		Transport: transport, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// signIn signs in and returns the status of the answer.
func (v *visitor) signIn(name, password string) int {
	v.s.t.Helper()
	form := url.Values{"name": {name}, "password": {password}}.Encode()
	res, _ := v.do(http.MethodPost, "/signin", form, "Content-Type", "application/x-www-form-urlencoded")
	return res.StatusCode
}

// signedIn is a visitor who has signed in.
func (s *server) signedIn(name, password string) *visitor {
	s.t.Helper()
	v := s.visitor()
	if status := v.signIn(name, password); status != http.StatusSeeOther {
		s.t.Fatalf("signing in as %s was answered %d", name, status)
	}
	return v
}

// do sends a request, with headers as name, value, …, and returns the answer and its body.
func (v *visitor) do(method, target, body string, header ...string) (*http.Response, string) {
	v.s.t.Helper()
	ctx, cancel := context.WithTimeout(v.s.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, v.s.base+target, strings.NewReader(body))
	if err != nil {
		v.s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := v.http.Do(req)
	if err != nil {
		v.s.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		v.s.t.Fatalf("%s %s: %v", method, target, err)
	}
	return res, string(answer)
}

// backEnd calls the REST API with a key. The body is what is encoded, nil for none. It returns what was answered,
// decoded.
func (s *server) backEnd(key, method, target string, body any, status int) map[string]any {
	s.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			s.t.Fatal(err)
		}
	}
	res, answer := s.visitor().do(method, "/api/v1"+target, string(text), "Authorization", "Bearer "+key, "Content-Type", "application/json")
	if res.StatusCode != status {
		s.t.Fatalf("%s %s was answered %s %s, want status %d", method, target, res.Status, answer, status)
	}
	var decoded map[string]any
	if err := json.Unmarshal([]byte(answer), &decoded); err != nil {
		s.t.Fatalf("%s %s was answered %s", method, target, answer)
	}
	return decoded
}

// object is a JSON object.
type object = map[string]any

const jsonHandshake = `{"protocol":"json","version":1}` + "\x1e"

// client is a client of a hub on a WebSocket, in JSON.
type client struct {
	t    *testing.T
	ws   *websocket.Conn
	rest []string
}

// dial opens a WebSocket, with headers as name, value, ….
func (v *visitor) dial(path string, header ...string) (*client, *http.Response, error) {
	v.s.t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	ctx, cancel := context.WithTimeout(v.s.t.Context(), patience)
	defer cancel()
	ws, res, err := websocket.Dial(ctx, v.s.base+path, &websocket.DialOptions{HTTPClient: v.http, HTTPHeader: h})
	if err != nil {
		return nil, res, err
	}
	v.s.t.Cleanup(func() { _ = ws.CloseNow() })
	return &client{t: v.s.t, ws: ws}, res, nil
}

// connect connects to a hub, up to the end of the handshake.
func (v *visitor) connect(path string) *client {
	v.s.t.Helper()
	c, _, err := v.dial(path)
	if err != nil {
		v.s.t.Fatalf("connecting to %s: %v", path, err)
	}
	c.write(jsonHandshake)
	c.want(`{}`)
	return c
}

func (c *client) write(msgs string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, []byte(msgs)); err != nil {
		c.t.Fatalf("sending %s: %v", msgs, err)
	}
}

// next returns the next message but pings, without its record separator, or "close CODE" or "lost" at the end.
func (c *client) next() string {
	c.t.Helper()
	for {
		for len(c.rest) == 0 {
			ctx, cancel := context.WithTimeout(c.t.Context(), patience)
			_, p, err := c.ws.Read(ctx)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				c.t.Fatal("waited in vain for a message")
			}
			if code := websocket.CloseStatus(err); code != -1 {
				return fmt.Sprintf("close %d", code)
			}
			if err != nil {
				return "lost"
			}
			c.rest = records(p)
		}
		m := c.rest[0]
		c.rest = c.rest[1:]
		if m != ping {
			return m
		}
	}
}

const ping = `{"type":6}`

// records are the messages in p, without their separators.
func records(p []byte) []string {
	var msgs []string
	for m := range bytes.SplitSeq(p, []byte{0x1e}) {
		if len(m) > 0 {
			msgs = append(msgs, string(m))
		}
	}
	return msgs
}

// want reads the messages that must come next.
func (c *client) want(msgs ...string) {
	c.t.Helper()
	for _, want := range msgs {
		if got := c.next(); got != want {
			c.t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

// wantNothing fails the test if a message has come since the last one that was read. What somebody was sent before is
// in the queue before the answer to what is asked now.
func (c *client) wantNothing() {
	c.t.Helper()
	if got := c.call("Fence"); !strings.Contains(got, "Method does not exist") {
		c.t.Fatalf("got %s, want nothing", got)
	}
}

// call calls a method and returns the next message.
func (c *client) call(target string, args ...any) string {
	c.t.Helper()
	c.invoke(target, args...)
	return c.next()
}

// invoke calls a method and does not wait for the answer.
func (c *client) invoke(target string, args ...any) {
	c.t.Helper()
	if args == nil {
		args = []any{}
	}
	b, err := json.Marshal(object{"type": 1, "invocationId": "c", "target": target, "arguments": args})
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(string(b) + "\x1e")
}

// event is a method that the server invokes on a client.
func event(target string, args ...any) string {
	b, err := json.Marshal(args)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"type":1,"target":%q,"arguments":%s}`, target, b)
}

const (
	// done is the answer to a call of a method that has no result.
	done = `{"type":3,"invocationId":"c","result":null}`
	// goodbye is the Close message of a server that shuts down.
	goodbye = `{"type":7,"allowReconnect":true}`
)

// refused is the answer to a call that failed with words for the client.
func refused(method, text string) string {
	return fmt.Sprintf(`{"type":3,"invocationId":"c","error":"An unexpected error occurred invoking '%s' on the server. HubException: %s"}`, method, text)
}
