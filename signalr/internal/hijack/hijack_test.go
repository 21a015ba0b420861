package hijack

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// taken is a ResponseWriter whose connection can be taken over.
type taken struct {
	http.ResponseWriter
	conn net.Conn
	in   *bufio.Reader
}

func (t taken) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return t.conn, bufio.NewReadWriter(t.in, bufio.NewWriter(io.Discard)), nil
}

func TestAnswer(t *testing.T) {
	server, client := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	in := bufio.NewReader(strings.NewReader("early"))
	if _, err := in.Peek(1); err != nil {
		t.Fatal(err)
	}
	w := taken{httptest.NewRecorder(), server, in}
	w.Header().Set("Vary", "Origin")
	w.Header().Set("Connection", "keep-alive")
	type answer struct {
		conn  net.Conn
		early []byte
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		conn, early, err := Answer(w, "200 OK", http.Header{"Connection": {"close"}, "X-Bad": {"a\r\nb"}}, "body")
		got <- answer{conn, early, err}
	}()
	const want = "HTTP/1.1 200 OK\r\nConnection: close\r\nVary: Origin\r\nX-Bad: a  b\r\n\r\nbody"
	p := make([]byte, len(want))
	if _, err := io.ReadFull(client, p); err != nil || string(p) != want {
		t.Errorf("answered %q, %v, want %q", p, err, want)
	}
	a := <-got
	if a.err != nil || string(a.early) != "early" {
		t.Fatalf("early = %q, error = %v", a.early, a.err)
	}
	_ = a.conn.Close()
	if w.Header().Get("Connection") != "keep-alive" {
		t.Error("the headers of the ResponseWriter have changed")
	}
}

func TestAnswerRefused(t *testing.T) {
	w := httptest.NewRecorder()
	if _, _, err := Answer(w, "200 OK", nil, ""); !errors.Is(err, ErrRefused) || !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("error = %v, want that it is refused and why", err)
	}
	if w.Body.Len() > 0 || w.Code != http.StatusOK {
		t.Error("something was written")
	}
}
