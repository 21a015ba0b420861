package httpconn

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEvents has the vectors of F-045.
func TestEvents(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{"", "\r\n"},
		{"Hello, World", "data: Hello, World\r\n\r\n"},
		{"Hello\r\nWorld", "data: Hello\r\ndata: World\r\n\r\n"},
		{"Hello\nWorld", "data: Hello\r\ndata: World\r\n\r\n"},
		{"Hello\n", "data: Hello\r\ndata: \r\n\r\n"},
		{"Hello\r\n", "data: Hello\r\ndata: \r\n\r\n"},
		{"\n", "data: \r\ndata: \r\n\r\n"},
		{"a\n\nb", "data: a\r\ndata: \r\ndata: b\r\n\r\n"},
		{`{"type":6}` + "\x1e", "data: {\"type\":6}\x1e\r\n\r\n"},
	} {
		if got := string(appendEvent(nil, []byte(row.in))); got != row.want {
			t.Errorf("%q became %q, want %q", row.in, got, row.want)
		}
	}
}

// hiding is what middleware makes of a ResponseWriter: the connection behind it cannot be taken over.
type hiding struct{ w http.ResponseWriter }

func (h hiding) Header() http.Header         { return h.w.Header() }
func (h hiding) WriteHeader(status int)      { h.w.WriteHeader(status) }
func (h hiding) Write(p []byte) (int, error) { return h.w.Write(p) }
func (h hiding) FlushError() error           { return http.NewResponseController(h.w).Flush() }
func (h hiding) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(h.w).SetReadDeadline(t)
}
func (h hiding) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(h.w).SetWriteDeadline(t)
}

// eachStream runs f with streams that are taken over from the HTTP server, and with such whose handler stays.
func eachStream(t *testing.T, f func(t *testing.T, change ...func(*http.Server))) {
	t.Helper()
	t.Run("socket", func(t *testing.T) { f(t) })
	t.Run("handler", func(t *testing.T) {
		f(t, func(s *http.Server) {
			next := s.Handler
			s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(hiding{w}, r) })
		})
	})
}

// stream opens a connection on an event stream.
func (n *network) stream() (target string, res *http.Response, a *testApp) {
	n.b.t.Helper()
	target = at(n.b.negotiate().ConnectionToken)
	res = n.get(target, "Accept", "text/event-stream")
	return target, res, <-n.b.apps
}

func TestEventStream(t *testing.T) { eachStream(t, testEventStream) }

func testEventStream(t *testing.T, change ...func(*http.Server)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		n := b.serve(change...)
		target, res, a := n.stream()
		got := map[string]string{"status": res.Status}
		for _, h := range []string{"Content-Type", "Cache-Control", "Pragma", "Content-Encoding", "Expires"} {
			got[h] = strings.Join(res.Header[h], ";")
		}
		want := map[string]string{
			"status": "200 OK", "Content-Type": "text/event-stream", "Cache-Control": "no-cache,no-store", "Pragma": "no-cache",
			"Content-Encoding": "identity", "Expires": "",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("headers: -want +got\n%s", diff)
		}
		lines := bufio.NewReader(res.Body)
		read := func(want string) {
			t.Helper()
			p := make([]byte, len(want))
			if _, err := io.ReadFull(lines, p); err != nil || string(p) != want {
				t.Fatalf("read %q, %v, want %q", p, err, want)
			}
		}
		read(":\r\n") // before anything is sent (F-044)
		if err := a.c.Send(text("one")); err != nil {
			t.Fatal(err)
		}
		read("data: one\r\n\r\n")
		wantAnswer(t, "POST", b.do(http.MethodPost, target, "up"), http.StatusOK, "text/plain", "")
		if up := <-a.got; up != "up" {
			t.Errorf("received %q", up)
		}
		wantAnswer(t, "second stream", b.do(http.MethodGet, target, "", "Accept", "text/event-stream"), http.StatusConflict, "text/plain", "")
		wantAnswer(t, "poll", b.do(http.MethodGet, target, ""), http.StatusBadRequest, "text/plain", "Cannot change transports mid-connection")
		wantAnswer(t, "DELETE", b.do(http.MethodDelete, target, ""), http.StatusBadRequest, "text/plain", "Cannot terminate this connection using the DELETE endpoint.")
		for _, s := range []string{"two", "three"} {
			if err := a.c.Send(text(s)); err != nil {
				t.Fatal(err)
			}
		}
		a.c.Finish(nil)
		read("data: two\r\n\r\ndata: three\r\n\r\n") // what is queued comes before the end (F-047)
		if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
			t.Errorf("after the end: %q, %v", rest, err)
		}
		synctest.Wait()
		if !a.over() || a.err != nil || b.mgr.Count() != 0 {
			t.Errorf("ended %t with %v, %d connections left", a.over(), a.err, b.mgr.Count())
		}
	})
}

func TestEventStreamDropped(t *testing.T) { eachStream(t, testEventStreamDropped) }

func testEventStreamDropped(t *testing.T, change ...func(*http.Server)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		n := b.serve(change...)
		target, res, a := n.stream()
		<-a.started
		_ = res.Body.Close()
		<-a.ended
		if a.err != nil {
			t.Errorf("ended with %v", a.err)
		}
		wantAnswer(t, "POST", b.do(http.MethodPost, target, "x"), http.StatusNotFound, "text/plain", "No Connection with that ID")
	})
}

// TestEventStreamNeverRead: the client takes nothing, and the connection is cut after the send time-out (F-052).
func TestEventStreamNeverRead(t *testing.T) { eachStream(t, testEventStreamNeverRead) }

func testEventStreamNeverRead(t *testing.T, change ...func(*http.Server)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		n := b.serve(change...)
		_, _, a := n.stream()
		start := time.Now()
		if err := a.c.Send(text(strings.Repeat("x", 200_000))); err != nil {
			t.Fatal(err)
		}
		<-a.ended
		if d := time.Since(start); d < 10*time.Second || d > 12*time.Second {
			t.Errorf("cut after %v, want 10 s", d)
		}
	})
}

// TestEventStreamOldHTTP: HTTP/1.0 knows no chunks.
func TestEventStreamOldHTTP(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		n := b.serve()
		conn, err := n.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		target := at(b.negotiate().ConnectionToken)
		if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		a := <-b.apps
		if err := a.c.Send(text("one")); err != nil {
			t.Fatal(err)
		}
		a.c.Finish(nil)
		all, err := io.ReadAll(conn)
		_, body, _ := strings.Cut(string(all), "\r\n\r\n")
		if want := ":\r\ndata: one\r\n\r\n"; err != nil || body != want {
			t.Errorf("body %q, %v, want %q", body, err, want)
		}
	})
}

// TestEventStreamIgnoresWhatFollows: the answer said that the socket takes no more requests.
func TestEventStreamIgnoresWhatFollows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		n := b.serve()
		conn, err := n.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		target := at(b.negotiate().ConnectionToken)
		if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !res.Close || res.Header.Get("Date") == "" {
			t.Errorf("Connection: close %t, Date %q", res.Close, res.Header.Get("Date"))
		}
		a := <-b.apps
		if _, err := io.WriteString(conn, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 100)); err != nil {
			t.Fatal(err)
		}
		big := strings.Repeat("0123456789", 20_000) // more than one write, and than the buffers of the pool
		if err := a.c.Send(text(big)); err != nil {
			t.Fatal(err)
		}
		a.c.Finish(nil)
		body, err := io.ReadAll(res.Body)
		if want := ":\r\ndata: " + big + "\r\n\r\n"; err != nil || string(body) != want {
			t.Errorf("%d bytes, %v, want %d", len(body), err, len(want))
		}
		if _, err := in.ReadByte(); err != io.EOF {
			t.Errorf("after the stream: %v, want its end", err)
		}
	})
}

// TestEventStreamWithoutFlush: where nothing would arrive before the end the client must take another transport.
func TestEventStreamWithoutFlush(t *testing.T) {
	b := newBench(t)
	w := httptest.NewRecorder()
	b.ep.ServeHTTP(struct{ http.ResponseWriter }{w}, request(t.Context(), http.MethodGet, at(b.negotiate().ConnectionToken), "", "Accept", "text/event-stream"))
	wantAnswer(t, "stream", w, http.StatusInternalServerError, "text/plain", "")
	if n := b.mgr.Count(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestEventStreamNeedsNegotiation(t *testing.T) {
	b := newBench(t)
	wantAnswer(t, "without id", b.do(http.MethodGet, "/c", "", "Accept", "text/event-stream"), http.StatusBadRequest, "text/plain", "Connection ID required")
	wantAnswer(t, "unknown id", b.do(http.MethodGet, "/c?id=x", "", "Accept", "text/event-stream"), http.StatusNotFound, "text/plain", "No Connection with that ID")
}

// TestAccept says which GETs ask for an event stream (F-003).
func TestAccept(t *testing.T) {
	for _, row := range []struct {
		accept []string
		want   bool
	}{
		{nil, false},
		{[]string{"text/event-stream"}, true},
		{[]string{"TEXT/Event-Stream"}, true},
		{[]string{"text/html, text/event-stream ,*/*"}, true},
		{[]string{"text/html", "text/event-stream"}, true},
		{[]string{"text/event-stream;charset=utf-8"}, false},
		{[]string{"text/*"}, false},
		{[]string{"*/*"}, false},
	} {
		r := request(t.Context(), http.MethodGet, "/c", "")
		r.Header["Accept"] = row.accept
		if got := acceptsEventStream(r); got != row.want {
			t.Errorf("Accept %q: %t, want %t", row.accept, got, row.want)
		}
	}
}
