package wire

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// First bytes of the frames of a server.
const (
	finText   = 0x80 | opText
	finBinary = 0x80 | opBinary
	finCont   = 0x80 | opContinuation
	finClose  = 0x80 | opClose
	finPing   = 0x80 | opPing
	finPong   = 0x80 | opPong
)

const (
	ping   = "{\"type\":6}\x1e"
	openWS = "> ws.open a /hub\n< ws.open a 101\n"
	ok     = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
	events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)

// TestPlay plays small transcripts against scripts: what is right must pass, and everything else must be noticed.
func TestPlay(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		head, steps string
		serve       script
		want, got   string // of the mismatch; none when both are empty
	}{
		"http": {
			steps: "> http p GET /x\n< http p 200\n  content-type: text/plain\n  !allow\n  body: h{i}\n",
			serve: sends(ok),
		},
		"http: status": {
			steps: "> http p GET /x\n< http p 404\n", serve: sends(ok), want: "status 404", got: "status 200 hi",
		},
		"http: header": {
			steps: "> http p GET /x\n< http p 200\n  content-length: 3\n", serve: sends(ok), want: "content-length: 3", got: "content-length: 2",
		},
		"http: header missing": {
			steps: "> http p GET /x\n< http p 200\n  allow: GET\n", serve: sends(ok), want: "allow: GET", got: "allow: (absent)",
		},
		"http: header too many": {
			steps: "> http p GET /x\n< http p 200\n  !content-type\n", serve: sends(ok), want: "no header content-type", got: "content-type: text/plain",
		},
		"http: body": {
			steps: "> http p GET /x\n< http p 200\n  body: hey\n", serve: sends(ok), want: "body hey", got: "hi",
		},
		"http: cut off": {
			steps: "> http p GET /x\n< http p 200\n", serve: hangsUp(ok[:len(ok)-1]), want: "status 200", got: "eof",
		},
		"http: no answer": {
			steps: "> http p GET /x\n< http p 200\n", serve: sends(), want: "status 200", got: "nothing",
		},
		"http: answer too early": {
			steps: "> http p GET /x\n~ quiet p 200\n", serve: sends(100*time.Millisecond, ok), want: "nothing", got: "status 200 hi",
		},
		"ws: records of one message": {
			steps: openWS + "< text a {\"id\":\"{id}\"}␞\n< text a {id}␞\n< close a 1000\n< eof a\n",
			serve: hangsUp(upgrade{}, fromServer(finText, "{\"id\":\"7\"}\x1e7\x1e"), fromServer(finClose, "\x03\xe8")),
		},
		"ws: accept": {
			steps: openWS, serve: sends("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n"), want: "Sec-WebSocket-Accept", got: "x",
		},
		"ws: part of a record": {
			steps: openWS + "< text a ab␞\n", serve: sends(upgrade{}, fromServer(finText, "a"), fromServer(finText, "b\x1e")),
			want: "text ab␞", got: "part of a message a",
		},
		"ws: kind of message": {
			steps: openWS + "< text a ab␞\n", serve: sends(upgrade{}, fromServer(finBinary, "ab\x1e")), want: "text ab␞", got: "bin ab␞",
		},
		"ws: fragments": {
			steps: openWS + "< text a abcd␞\n< pong a x\n",
			serve: sends(upgrade{}, fromServer(opText, "ab"), fromServer(opContinuation, "c"), fromServer(finCont, "d\x1e"), fromServer(finPong, "x")),
		},
		"ws: long message": {
			steps: openWS + "< text a {rep a 70000}␞\n", serve: sends(upgrade{}, fromServer(finText, strings.Repeat("a", 70000)+"\x1e")),
		},
		"ws: message in a message": {
			steps: openWS + "< text a ab␞\n", serve: sends(upgrade{}, fromServer(opText, "a"), fromServer(finText, "b\x1e")),
			want: "text ab␞", got: "broken a message begins inside another",
		},
		"ws: continuation of nothing": {
			steps: openWS + "< text a ab␞\n", serve: sends(upgrade{}, fromServer(finCont, "ab\x1e")), want: "text ab␞", got: "broken",
		},
		"ws: masked": {
			steps: openWS + "< text a ab␞\n", serve: sends(upgrade{}, "\x81\x83\x00\x00\x00\x00ab\x1e"), want: "text ab␞", got: "broken forbidden frame: masked",
		},
		"ws: reserved bits": {
			steps: openWS + "< text a ab␞\n", serve: sends(upgrade{}, fromServer(0x40|finText, "ab\x1e")), want: "text ab␞", got: "broken forbidden frame: reserved bits",
		},
		"ws: opcode": {
			steps: openWS + "< text a ab␞\n", serve: sends(upgrade{}, fromServer(0x83, "ab\x1e")), want: "text ab␞", got: "broken forbidden frame: opcode",
		},
		"ws: long ping": {
			steps: openWS + "< text a ab␞\n", serve: sends(upgrade{}, fromServer(finPing, strings.Repeat("x", 126))), want: "text ab␞", got: "broken forbidden frame: control frame",
		},
		"ws: length not minimal": {
			steps: openWS + "< text a ab␞\n", serve: sends(upgrade{}, "\x81\x7e\x00\x03ab\x1e"), want: "text ab␞", got: "broken forbidden frame: length",
		},
		"ws: unasked ping frame": {
			steps: openWS + "~ quiet a 100\n", serve: sends(upgrade{}, fromServer(finPing, "")), want: "nothing", got: "ping",
		},
		"ws: pong": {
			steps: openWS + "< pong a x\n", serve: sends(upgrade{}, fromServer(finPong, "y")), want: "pong x", got: "pong y",
		},
		"ws: close code": {
			steps: openWS + "< close a 1000\n", serve: sends(upgrade{}, fromServer(finClose, "\x03\xe9")), want: "close 1000", got: "close 1001",
		},
		"ws: close reason": {
			steps: openWS + "< close a 1000\n", serve: sends(upgrade{}, fromServer(finClose, "\x03\xe8bye")), want: "close 1000", got: "close 1000 bye",
		},
		"ws: close of one byte": {
			steps: openWS + "< close a -\n", serve: sends(upgrade{}, fromServer(finClose, "\x03")), want: "close -", got: "close with one byte",
		},
		"ws: close without code": {
			steps: openWS + "< close a -\n", serve: sends(upgrade{}, fromServer(finClose, "")),
		},
		"ws: gone by close":       {steps: openWS + "< gone a 1002\n", serve: sends(upgrade{}, fromServer(finClose, "\x03\xea"))},
		"ws: gone by eof":         {steps: openWS + "< gone a 1002\n", serve: hangsUp(upgrade{})},
		"ws: gone by other close": {steps: openWS + "< gone a 1002\n", serve: sends(upgrade{}, fromServer(finClose, "\x03\xe8")), want: "close 1002", got: "close 1000"},
		"ws: no eof":              {steps: openWS + "< eof a\n", serve: sends(upgrade{}), want: "eof", got: "nothing"},
		"ws: raw": {
			steps: openWS + "< raw a ab\n< raw a c\n~ quiet a 10\n", serve: sends(upgrade{}, fromServer(finText, "a"), fromServer(finText, "bc")),
		},
		"ws: raw and more": {
			steps: openWS + "< raw a ab\n~ quiet a 10\n", serve: sends(upgrade{}, fromServer(finText, "abc")), want: "nothing", got: "part of a message c",
		},
		"ws: raw differs": {
			steps: openWS + "< raw a ab\n", serve: sends(upgrade{}, fromServer(finText, "ax")), want: "ab", got: "ax",
		},
		"ignored ping": {steps: openWS + "< text a x␞\n", serve: sends(upgrade{}, fromServer(finText, ping+"x\x1e"))},
		"expected ping": {
			head: "ignore: none\n", steps: openWS + "< text a {\"type\":6}␞\n", serve: sends(upgrade{}, fromServer(finText, ping)),
		},
		"unexpected ping": {
			head: "ignore: none\n", steps: openWS + "< text a x␞\n", serve: sends(upgrade{}, fromServer(finText, ping+"x\x1e")), want: "x␞", got: `{"type":6}␞`,
		},
		"unexpected ack": {
			steps: openWS + "< text a x␞\n", serve: sends(upgrade{}, fromServer(finText, "{\"type\":8,\"sequenceId\":1}\x1ex\x1e")), want: "x␞", got: `{"type":8,"sequenceId":1}␞`,
		},
		"skipped": {
			steps: openWS + "~ skip a y{any}␞\n< text a x␞\n", serve: sends(upgrade{}, fromServer(finText, "y1\x1ex\x1ey2\x1e")),
		},
		"not skipped": {
			steps: openWS + "~ skip a y{any}␞\n< text a x␞\n", serve: sends(upgrade{}, fromServer(finText, "z1\x1ex\x1e")), want: "x␞", got: "z1␞",
		},
		"json by value": {
			head: "match: json\n", steps: openWS + "< text a {\"a\":1,\"b\":2}␞\n", serve: sends(upgrade{}, fromServer(finText, "{\"b\":2,\"a\":1}\x1e")),
		},
		"json by byte": {
			steps: openWS + "< text a {\"a\":1}␞\n", serve: sends(upgrade{}, fromServer(finText, "{\"a\": 1}\x1e")), want: `{"a":1}␞`, got: `{"a": 1}␞`,
		},
		"any order": {
			steps: openWS + "~ anyorder 2\n< text a x␞\n< text a y␞\n< text a z␞\n", serve: sends(upgrade{}, fromServer(finText, "y\x1ex\x1ez\x1e")),
		},
		"any order, one twice": {
			steps: openWS + "~ anyorder 2\n< text a x␞\n< text a y␞\n", serve: sends(upgrade{}, fromServer(finText, "x\x1ex\x1e")), want: "y␞", got: "text x␞",
		},
		"in time": {
			steps: openWS + "~ within 100 300\n< text a x␞\n", serve: sends(upgrade{}, 200*time.Millisecond, fromServer(finText, "x\x1e")),
		},
		"too early": {
			steps: openWS + "~ within 100 300\n< text a x␞\n", serve: sends(upgrade{}, 40*time.Millisecond, fromServer(finText, "x\x1e")), want: "not before 100ms", got: "after 40ms",
		},
		"too late": {
			steps: openWS + "~ within 100 300\n< text a x␞\n", serve: sends(upgrade{}, 400*time.Millisecond, fromServer(finText, "x\x1e")), want: "text x␞", got: "nothing",
		},
		"within counts from the step before": {
			steps: openWS + "~ wait 500\n~ within 600 800\n< text a x␞\n", serve: sends(upgrade{}, 700*time.Millisecond, fromServer(finText, "x\x1e")),
		},
		"the timeout is 5 s": {
			steps: openWS + "< text a x␞\n", serve: sends(upgrade{}, 5100*time.Millisecond, fromServer(finText, "x\x1e")), want: "text x␞", got: "nothing",
		},
		"sse": {
			steps: "> sse.open s /hub\n< sse.open s 200\n< text s a␊b␞\n< text s c␞\n< end s\n",
			serve: sends(events, "3\r\n:\r\n\r\n", "9\r\ndata: a\r\n\r\n", "c\r\ndata: b\x1e\r\n\r\n\r\n", "c\r\ndata: c\x1e\r\n\r\n\r\n", "0\r\n\r\n"),
		},
		"sse: raw": {
			steps: "> sse.open s /hub\n< sse.open s 200\n< raw s :␍␊\n< raw s data: a␞␍␊␍␊\n",
			serve: sends(events, "f\r\n:\r\ndata: a\x1e\r\n\r\n\r\n"),
		},
		"sse: other field": {
			steps: "> sse.open s /hub\n< sse.open s 200\n< text s a␞\n", serve: sends(events, "a\r\nevent: x\r\n\r\n", "2\r\n\r\n\r\n"), want: "text a␞", got: "broken",
		},
		"sse: record in two events": {
			steps: "> sse.open s /hub\n< sse.open s 200\n< text s ab␞\n", serve: sends(events, "b\r\ndata: a\r\n\r\n\r\n", "c\r\ndata: b\x1e\r\n\r\n\r\n"),
			want: "text ab␞", got: "part of a message a",
		},
		"sse: part of an event": {
			steps: "> sse.open s /hub\n< sse.open s 200\n~ quiet s 100\n", serve: sends(events, "7\r\ndata: a\r\n"), want: "nothing", got: "part of a message data: a",
		},
		"sse: ends in an event": {
			steps: "> sse.open s /hub\n< sse.open s 200\n< end s\n", serve: sends(events, "7\r\ndata: a\r\n0\r\n\r\n"), want: "end", got: "part of a message data: a",
		},
		"sse: breaks off": {
			steps: "> sse.open s /hub\n< sse.open s 200\n< end s\n", serve: hangsUp(events), want: "end", got: "eof",
		},
		"unknown connection": {steps: "< text a x␞\n", serve: sends(), want: "no connection"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transcript, err := ParseTranscript("name: x\n" + row.head + "\n" + row.steps)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				checkMismatch(t, scripted(t, row.serve).Play(t.Context(), transcript), row.want, row.got)
			})
		})
	}
}

func checkMismatch(t *testing.T, err error, want, got string) {
	t.Helper()
	var mismatch *MismatchError
	switch {
	case want == "":
		if err != nil {
			t.Error(err)
		}
	case got == "":
		if err == nil || errors.As(err, &mismatch) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v instead of %q", err, want)
		}
	case !errors.As(err, &mismatch):
		t.Errorf("error %v instead of a mismatch", err)
	case !strings.HasPrefix(mismatch.Want, want) || !strings.HasPrefix(mismatch.Got, got):
		t.Errorf("want %q, got %q instead of %q and %q", mismatch.Want, mismatch.Got, want, got)
	}
}

// TestPlayPosts plays long polling: GETs that hang until a POST brings something.
func TestPlayPosts(t *testing.T) {
	t.Parallel()
	const steps = "> lp.open a /hub?id=1\n> post a x␞\n< text a x␞\n~ quiet a 1000\n> post a end␞\n< end a 204\n"
	for name, row := range map[string]struct{ status, last, want, got string }{
		"answered": {status: "200 OK", last: "204 No Content"},
		"refused":  {status: "404 Not Found", last: "204 No Content", want: "a POST answered with 200", got: "404"},
		"end":      {status: "200 OK", last: "500 Oops", want: "end 204", got: "end 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transcript, err := ParseTranscript("name: x\n\n" + steps)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				posted := make(chan string, 2)
				replayer := scripted(t, func(conn net.Conn, in *bufio.Reader, req *http.Request) {
					if req.Method == http.MethodPost {
						body, _ := io.ReadAll(req.Body)
						posted <- string(body)
						write(conn, req, []any{"HTTP/1.1 " + row.status + "\r\nContent-Length: 0\r\n\r\n"})
						return
					}
					gone := make(chan struct{})
					go func() {
						defer close(gone)
						io.Copy(io.Discard, in) // until the client goes
					}()
					select {
					case body := <-posted:
						if body == "end\x1e" {
							write(conn, req, []any{"HTTP/1.1 " + row.last + "\r\nContent-Length: 0\r\n\r\n"})
						} else {
							write(conn, req, []any{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body})
						}
						<-gone
					case <-gone:
					}
				})
				checkMismatch(t, replayer.Play(t.Context(), transcript), row.want, row.got)
			})
		})
	}
}

// TestPlaySends checks the bytes that the client sends.
func TestPlaySends(t *testing.T) {
	t.Parallel()
	transcript, err := ParseTranscript(`name: x

> http p POST /p
< http p 200
  body: {id}
> ws.open a /hub?id={id}
  Authorization: Bearer {id}
  Sec-WebSocket-Version: 8
< ws.open a 101
> text a {"id":"{id}"}␞
> bin a hex: 00 ff
> frame a more text+rsv4 x
> frame a fin 11 {rep y 126}
> close a
> close a 3000 bye
> drop a
`)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		got := make(chan []string, 1)
		replayer := scripted(t, func(conn net.Conn, in *bufio.Reader, req *http.Request) {
			if req.Method == http.MethodPost {
				write(conn, req, []any{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na+b"})
				return
			}
			lines := []string{req.RequestURI, req.Host, req.Header.Get("Authorization"), req.Header.Get("Sec-WebSocket-Version")}
			write(conn, req, []any{upgrade{}})
			for {
				f, err := fromClient(in)
				if err != nil {
					got <- lines
					return
				}
				first := f.rsv<<4 | f.opcode
				if f.fin {
					first |= 0x80
				}
				lines = append(lines, fromServer(first, string(f.payload)))
			}
		})
		if err := replayer.Play(t.Context(), transcript); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"/hub?id=a%2Bb", "server", "Bearer a+b", "8",
			fromServer(finText, "{\"id\":\"a+b\"}\x1e"),
			fromServer(finBinary, "\x00\xff"),
			fromServer(0x40|opText, "x"),
			fromServer(0x80|11, strings.Repeat("y", 126)),
			fromServer(finClose, ""),
			fromServer(finClose, "\x0b\xb8bye"),
		}
		lines := <-got
		for i := range max(len(want), len(lines)) {
			if i >= len(want) || i >= len(lines) || want[i] != lines[i] {
				t.Fatalf("sent %q instead of %q", lines, want)
			}
		}
	})
}
