package load

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestResponses(t *testing.T) {
	rows := []struct {
		name, text string
		status     int
		body       string
	}{
		{"with a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
		{"with any case", "HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello", 200, "hello"},
		{"without body", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, ""},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
		{"one chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, "hello"},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\nA\r\nllo world!\r\n0\r\n\r\n", 200, "hello world!"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for cut := range len(row.text) {
				if _, _, n, err := nextResponse([]byte(row.text[:cut])); n != 0 || err != nil {
					t.Fatalf("%q is read as a response of %d bytes, %v", row.text[:cut], n, err)
				}
			}
			status, body, n, err := nextResponse([]byte(row.text + "HTTP/1.1 next"))
			if status != row.status || string(body) != row.body || n != len(row.text) || err != nil {
				t.Errorf("got %d %q, length %d, %v", status, body, n, err)
			}
		})
	}
}

func TestOddResponses(t *testing.T) {
	for _, text := range []string{
		"nonsense\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		if _, _, n, err := nextResponse([]byte(text)); err == nil {
			t.Errorf("%q is read as a response of %d bytes", text, n)
		}
	}
}

func TestEvents(t *testing.T) {
	stream := ":\r\ndata: one\x1e\r\n\r\n: comment\r\n\r\ndata: two\x1e\r\ndata: three\x1e\r\n\r\ndata: fo"
	var got []string
	rest, err := eachEvent([]byte(stream), func(m []byte) error {
		got = append(got, string(m))
		return nil
	})
	if want := []string{"one\x1e", "two\x1e", "three\x1e"}; !slices.Equal(got, want) || string(rest) != "data: fo" || err != nil {
		t.Errorf("got %q, the rest %q, %v", got, rest, err)
	}
	stop := errors.New("stop")
	if _, err := eachEvent([]byte(stream), func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the error of the callback", err)
	}
}

func TestEventsInPieces(t *testing.T) {
	var got []string
	s := &Swarm{dialect: jsonHub{}, onDelivered: func(_ *client, m []byte) { got = append(got, string(m)) }}
	c := &client{swarm: s}
	for _, chunk := range []string{`data: {"type":1,"a":`, "1}\x1e\r\n", "\r\n:\r\ndata: {\"type\":1}\x1e\r\n\r\n"} {
		b := []byte(strings.ToUpper(strings.TrimLeft(hex(len(chunk)), "0")) + "\r\n" + chunk + "\r\n")
		if n, err := c.parseEvents(b); n != len(b) || err != nil {
			t.Fatalf("%q: took %d, %v", b, n, err)
		}
	}
	if want := []string{`{"type":1,"a":1}`, `{"type":1}`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func hex(n int) string { return string([]byte{"0123456789abcdef"[n>>4], "0123456789abcdef"[n&15]}) }
