package httpconn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"signalbox/signalr/transport"
)

// bubble runs f in a synctest bubble. Servers tick, so that time never stands still there: a test that waits for what
// never comes would wait for ever.
func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		watchdog := time.AfterFunc(24*time.Hour, func() { panic(t.Name() + " hangs") })
		defer watchdog.Stop()
		f(t)
	})
}

// bench is a Manager with one endpoint whose connections run testApps.
type bench struct {
	t    *testing.T
	mgr  *Manager
	ep   *Endpoint
	apps chan *testApp // each as it is made
	// onReceive, if set, is what Apps do with bytes.
	onReceive func(a *testApp, data []byte) (Task, error)
	// onEnded, if set, runs in Ended.
	onEnded func(a *testApp, err error)
}

func defaults() EndpointOptions {
	return EndpointOptions{
		Transports: transport.All, ApplicationMaxBufferSize: 64 << 10, SendQueueLimit: 1 << 20,
		CloseTimeout: 5 * time.Second, PollTimeout: 90 * time.Second, TransportSendTimeout: 10 * time.Second,
		CheckOrigin: func(*http.Request) bool { return true },
	}
}

func newManager(t *testing.T, keys ...TokenKey) *Manager {
	t.Helper()
	m, err := NewManager(ManagerOptions{TokenKeys: keys, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // whatever is still there is cut
		_ = m.Shutdown(ctx)
	})
	return m
}

func newBench(t *testing.T, change ...func(*EndpointOptions)) *bench {
	t.Helper()
	b := &bench{t: t, mgr: newManager(t), apps: make(chan *testApp, 100)}
	o := defaults()
	for _, c := range change {
		c(&o)
	}
	b.ep = b.mgr.NewEndpoint("/c", o, b.newApp, captureTest, userOfTest)
	return b
}

// newRawBench is a bench whose connections run h.
func newRawBench(t *testing.T, h RawHandler, change ...func(*EndpointOptions)) *bench {
	t.Helper()
	b := newBench(t, change...)
	b.ep = b.mgr.NewEndpoint("/c", b.ep.opts, NewRaw(h, b.ep.opts.ApplicationMaxBufferSize), captureTest, userOfTest)
	return b
}

// The user of a request is in a header, how long that is good in another.
func userOfTest(r *http.Request) string { return r.Header.Get("X-User") }

func captureTest(r *http.Request) Snapshot {
	s := Snapshot{User: userOfTest(r)}
	if d, err := time.ParseDuration(r.Header.Get("X-Expires")); err == nil {
		s.Expires = time.Now().Add(d)
	}
	return s
}

func (b *bench) newApp(c *Conn, snap Snapshot) App {
	a := &testApp{b: b, c: c, snap: snap, started: make(chan struct{}), ended: make(chan struct{}), got: make(chan string, 1000)}
	b.apps <- a
	return a
}

// testApp keeps what it is told.
type testApp struct {
	b       *bench
	c       *Conn
	snap    Snapshot
	started chan struct{}
	ended   chan struct{}
	err     error // of Ended, once ended is closed
	got     chan string
	ticks   int
}

func (a *testApp) Start() { close(a.started) }

func (a *testApp) Receive(_ context.Context, data []byte) (Task, error) {
	if a.b.onReceive != nil {
		return a.b.onReceive(a, data)
	}
	a.got <- string(data)
	return nil, nil
}

func (a *testApp) Ended(err error) {
	if a.b.onEnded != nil {
		a.b.onEnded(a, err)
	}
	a.err = err
	close(a.ended)
}

func (a *testApp) Tick(Instant) { a.ticks++ }

func (a *testApp) Canceled() {}

// over says whether Ended was called.
func (a *testApp) over() bool {
	select {
	case <-a.ended:
		return true
	default:
		return false
	}
}

// text is a frame with text.
func text(s string) Frame { return NewFrame(transport.Text, []byte(s)) }

// request makes a request; header is name, value, ...
func request(ctx context.Context, method, target, body string, header ...string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// do serves a request and returns the answer.
func (b *bench) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.ep.ServeHTTP(w, request(b.t.Context(), method, target, body, header...))
	return w
}

// negotiated is the answer to a negotiation.
type negotiated struct {
	ConnectionID    string
	ConnectionToken string
	Error           string
}

// negotiate returns a new connection token.
func (b *bench) negotiate(header ...string) negotiated {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.ep.ServeNegotiate(w, request(b.t.Context(), http.MethodPost, "/c/negotiate?negotiateVersion=1", "", header...))
	var n negotiated
	if err := json.Unmarshal(w.Body.Bytes(), &n); err != nil || n.Error != "" {
		b.t.Fatalf("negotiation: %d %s %v", w.Code, w.Body, err)
	}
	return n
}

// at is the path of the connection with a token.
func at(token string) string { return "/c?id=" + url.QueryEscape(token) }

// poll opens a connection on long polling and returns its App.
func (b *bench) poll() (target string, a *testApp) {
	b.t.Helper()
	target = at(b.negotiate().ConnectionToken)
	if w := b.do(http.MethodGet, target, ""); w.Code != http.StatusOK || w.Body.Len() > 0 {
		b.t.Fatalf("first poll: %d %q", w.Code, w.Body)
	}
	return target, <-b.apps
}

// pending is a request that is being served.
type pending struct {
	*httptest.ResponseRecorder
	done   chan struct{}
	cancel context.CancelFunc
}

// start serves a request in the background.
func (b *bench) start(method, target, body string, header ...string) *pending {
	ctx, cancel := context.WithCancel(context.Background())
	b.t.Cleanup(cancel)
	p := &pending{httptest.NewRecorder(), make(chan struct{}), cancel}
	go func() {
		defer close(p.done)
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler { // as net/http does
				panic(v)
			}
		}()
		b.ep.ServeHTTP(p, request(ctx, method, target, body, header...))
	}()
	return p
}

func (p *pending) isDone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wantAnswer compares a plain answer.
func wantAnswer(t *testing.T, what string, w *httptest.ResponseRecorder, status int, contentType, body string) {
	t.Helper()
	if w.Code != status || w.Header().Get("Content-Type") != contentType || w.Body.String() != body {
		t.Errorf("%s: %d %q %q, want %d %q %q", what, w.Code, w.Header().Get("Content-Type"), w.Body, status, contentType, body)
	}
}

// network serves the endpoint over HTTP on connections in memory, which have no buffers and heed synctest's time.
type network struct {
	b     *bench
	conns chan net.Conn
	down  chan struct{}
	once  sync.Once
	http  *http.Client
	ws    *websocket.Dialer
}

func (b *bench) serve(change ...func(*http.Server)) *network {
	b.t.Helper()
	n := &network{b: b, conns: make(chan net.Conn), down: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("/c", b.ep)
	mux.HandleFunc("/c/negotiate", b.ep.ServeNegotiate)
	hs := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)}
	for _, c := range change {
		c(hs)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := hs.Serve(n); !errors.Is(err, http.ErrServerClosed) {
			b.t.Errorf("http server: %v", err)
		}
	}()
	tr := &http.Transport{DialContext: n.dial}
	n.http, n.ws = &http.Client{Transport: tr}, &websocket.Dialer{NetDialContext: n.dial}
	b.t.Cleanup(func() {
		tr.CloseIdleConnections()
		_ = hs.Close()
		<-served
	})
	return n
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.down:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	n.once.Do(func() { close(n.down) })
	return nil
}

func (n *network) Addr() net.Addr  { return n }
func (n *network) Network() string { return "pipe" }
func (n *network) String() string  { return "httpconn.test" }

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	server, client := net.Pipe()
	select {
	case n.conns <- server:
		return client, nil
	case <-n.down:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// get sends a GET and returns the answer with its body open.
func (n *network) get(target string, header ...string) *http.Response {
	n.b.t.Helper()
	r, err := http.NewRequestWithContext(n.b.t.Context(), http.MethodGet, "http://httpconn.test"+target, nil)
	if err != nil {
		n.b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	res, err := n.http.Do(r)
	if err != nil {
		n.b.t.Fatalf("GET %s: %v", target, err)
	}
	n.b.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// socket opens a WebSocket.
func (n *network) socket(target string, header ...string) *websocket.Conn {
	n.b.t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	ws, res, err := n.ws.Dial("ws://httpconn.test"+target, h)
	if err != nil {
		n.b.t.Fatalf("WebSocket %s: %v %v", target, err, res)
	}
	n.b.t.Cleanup(func() { _ = ws.Close() })
	return ws
}

// closing is the code of the close frame that a WebSocket ends with; 0 when there was none. Messages before it are
// given to each.
func closing(ws *websocket.Conn, each func(string)) int {
	for {
		_, p, err := ws.ReadMessage()
		if ce, ok := errors.AsType[*websocket.CloseError](err); ok && ce.Code != websocket.CloseAbnormalClosure {
			return ce.Code
		}
		if err != nil {
			return 0
		}
		if each != nil {
			each(string(p))
		}
	}
}

// echo is a raw handler that sends back what it reads, until there is nothing more.
func echo(ctx context.Context, _ Snapshot, conn transport.Conn) error {
	var buf [1000]byte
	for {
		n, err := conn.Read(buf[:])
		if n > 0 {
			if err := conn.Write(ctx, bytes.Clone(buf[:n])); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
