package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// TestPlayFrame plays every vector against a server that does what the vector says, and against one that does not.
func TestPlayFrame(t *testing.T) {
	t.Parallel()
	for _, v := range readRecordings(t, "live-frames.txt", ParseFrameVectors) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			for name, change := range map[string]func(*FrameVector){
				"":       func(*FrameVector) {},
				"answer": func(v *FrameVector) { v.Answer = append(slices.Clone(v.Answer), 1, 0x90) },
				"after":  func(v *FrameVector) { v.After = otherEnd(v.After) },
			} {
				server := v
				change(&server)
				synctest.Test(t, func(t *testing.T) {
					checkJudgement(t, name, scripted(t, playBackFrame(server)).PlayFrame(t.Context(), v, false))
				})
			}
		})
	}
}

// TestPlayConversation plays every conversation against a server that holds its side of it, and against servers that
// change one of their messages, or the end.
func TestPlayConversation(t *testing.T) {
	t.Parallel()
	for _, c := range readRecordings(t, "live.txt", ParseConversations) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			for i := -1; i < len(c.Events); i++ {
				server, what := c, ""
				if i >= 0 {
					server.Events = slices.Clone(c.Events)
					switch e := &server.Events[i]; e.Sign {
					case "<":
						e.Data = slices.Clone(e.Data)
						e.Data[len(e.Data)-1]++
					case "x":
						e.End = otherEnd(e.End)
					default:
						continue
					}
					what = "event " + strconv.Itoa(i)
				}
				synctest.Test(t, func(t *testing.T) {
					checkJudgement(t, what, scripted(t, playBackConversation(t, server)).PlayConversation(t.Context(), c))
				})
			}
		})
	}
}

func readRecordings[T any](t *testing.T, file string, parse func(string) ([]T, error)) []T {
	t.Helper()
	text, err := os.ReadFile("testdata/msgpack/" + file)
	if err != nil {
		t.Fatal(err)
	}
	recordings, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return recordings
}

// checkJudgement checks that there is a mismatch if something was changed, and no error otherwise.
func checkJudgement(t *testing.T, changed string, err error) {
	t.Helper()
	var mismatch *MismatchError
	switch {
	case changed == "" && err != nil:
		t.Error(err)
	case changed != "" && !errors.As(err, &mismatch):
		t.Errorf("changed %s: error %v instead of a mismatch", changed, err)
	}
}

// otherEnd returns another end than the given one.
func otherEnd(end string) string {
	switch {
	case end == "alive":
		return "stalled"
	case end == "stalled":
		return "alive"
	case strings.HasPrefix(end, "close"):
		return strings.Replace(end, "100", "101", 1)
	default: // still open
		return `close 1000 ""`
	}
}

// accept upgrades a connection and, if asked to, answers its handshake.
func accept(conn net.Conn, in *bufio.Reader, req *http.Request, handshake bool) bool {
	if !write(conn, req, []any{upgrade{}}) {
		return false
	}
	if !handshake {
		return true
	}
	f, err := fromClient(in)
	return err == nil && bytes.HasSuffix(f.payload, []byte{recordSeparator}) && write(conn, req, []any{fromServer(finBinary, "{}\x1e")})
}

// playBackFrame is the server's side of a vector.
func playBackFrame(v FrameVector) script {
	return func(conn net.Conn, in *bufio.Reader, req *http.Request) {
		if !accept(conn, in, req, true) {
			return
		}
		defer io.Copy(io.Discard, in) // until the client goes
		if f, err := fromClient(in); err != nil || !bytes.Equal(f.payload, v.Sent) {
			return
		}
		if len(v.Answer) > 0 && !write(conn, req, []any{fromServer(finBinary, string(v.Answer))}) {
			return
		}
		switch v.After {
		case "alive":
			if f, err := fromClient(in); err == nil && bytes.Equal(f.payload, probe) {
				write(conn, req, []any{fromServer(finPing, ""), fromServer(finBinary, string(pingFrame)), fromServer(finBinary, string(alive))})
			}
		case "stalled":
		default:
			write(conn, req, []any{closeFromServer(v.After)})
		}
	}
}

// closeFromServer writes the close frame that a recording tells of.
func closeFromServer(end string) string {
	code := map[string]uint16{"1000": 1000, "1007": 1007, "1010": 1010, "1017": 1017}[strings.Fields(end)[1]]
	return fromServer(finClose, string(closeFrame(code, nil).payload))
}

// playBackConversation is the server's side of a conversation. It gives other ids to client results than those that
// were recorded, and sends one more item of a stream that the client cancels.
func playBackConversation(t *testing.T, c Conversation) script {
	const otherID = "an id of more than thirty-one bytes"
	return func(conn net.Conn, in *bufio.Reader, req *http.Request) {
		if !accept(conn, in, req, !strings.HasPrefix(c.Name, "handshake-")) {
			return
		}
		defer io.Copy(io.Discard, in) // until the client goes
		renamed := map[string]bool{}
		for _, e := range c.Events {
			m, hasID := parseFrame(e.Data)
			switch e.Sign {
			case "<":
				data := e.Data
				if hasID && m.kind == typeInvocation {
					renamed[m.id] = true
					data = m.withID(otherID)
				}
				if !write(conn, req, []any{fromServer(finBinary, string(data))}) {
					return
				}
			case "x":
				if e.End != "still open" {
					write(conn, req, []any{closeFromServer(e.End)})
				}
			default:
				want := e.Data
				if hasID && m.kind == typeCompletion && renamed[m.id] {
					want = m.withID(otherID)
				}
				f, err := fromClient(in)
				if err != nil {
					return // the client has seen a difference
				}
				if !bytes.Equal(f.payload, want) || f.opcode != map[string]byte{">": opBinary, ">t": opText}[e.Sign] {
					t.Errorf("sent %x in a message of type %d instead of %x", f.payload, f.opcode, want)
					return
				}
				if hasID && m.kind == typeCancel {
					item := hubMessage{before: []byte{0x94, typeStreamItem, 0x80}, behind: []byte{9}}
					if !write(conn, req, []any{fromServer(finBinary, string(item.withID(m.id)))}) {
						return
					}
				}
			}
		}
	}
}
