package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var testMask = [4]byte{0x37, 0xFA, 0x21, 0x3D}

// clientFrame is a frame as a client sends it: masked, with the length in its shortest form. fin and reserved bits are
// in first, the opcode is not.
func clientFrame(first byte, op Opcode, payload string) []byte {
	f := []byte{first | byte(op)}
	switch n := len(payload); {
	case n < 126:
		f = append(f, 0x80|byte(n))
	case n <= 0xFFFF:
		f = binary.BigEndian.AppendUint16(append(f, 0x80|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, 0x80|127), uint64(n))
	}
	f = append(f, testMask[:]...)
	for i := range len(payload) {
		f = append(f, payload[i]^testMask[i&3])
	}
	return f
}

const fin = 0x80

// events is what a Reader found: data joined, because where it is cut means nothing, and the rest in order.
type events struct {
	Data   string
	Pings  []string
	Closed []string
	// Order is one letter for each event, runs of data as one.
	Order string
}

func (e *events) note(letter string) {
	if letter != "d" || !strings.HasSuffix(e.Order, "d") {
		e.Order += letter
	}
}

// recorder is a Handler that keeps events.
type recorder struct{ events }

func (r *recorder) Data(p []byte) {
	if len(p) == 0 {
		r.note("!empty data!")
	}
	r.events.Data += string(p)
	r.note("d")
}

func (r *recorder) Ping(p []byte) { r.Pings = append(r.Pings, string(p)); r.note("p") }
func (r *recorder) Closed(code int, reason string) {
	r.events.Closed = append(r.events.Closed, fmt.Sprintf("%d %s", code, reason))
	r.note("c")
}

// feed gives the pieces to a Reader, each in memory of its own, and returns what came of it.
func feed(pieces ...[]byte) (events, error) {
	var r Reader
	var rec recorder
	for _, p := range pieces {
		if err := r.Feed(bytes.Clone(p), &rec); err != nil {
			return rec.events, err
		}
	}
	return rec.events, nil
}

func frames(f ...[]byte) []byte { return bytes.Join(f, nil) }

// closePayload is the payload of a close frame.
func closePayload(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

type readerRow struct {
	name  string
	input []byte
	want  events
	code  int // of the violation; 0 for none
}

func readerRows() []readerRow {
	const ä, euro, smile, replacement = "ä", "€", "😀", "\uFFFD"
	long, longer := strings.Repeat("abcdefg ", 16), strings.Repeat("0123456789", 7000)
	rows := []readerRow{
		{name: "text", input: clientFrame(fin, Text, "Hello"), want: events{Data: "Hello", Order: "d"}},
		{name: "binary", input: clientFrame(fin, Binary, "\xff\x00\xfe"), want: events{Data: "\xff\x00\xfe", Order: "d"}},
		{name: "empty text", input: clientFrame(fin, Text, "")},
		{name: "length 125", input: clientFrame(fin, Text, longer[:125]), want: events{Data: longer[:125], Order: "d"}},
		{name: "length 126", input: clientFrame(fin, Text, longer[:126]), want: events{Data: longer[:126], Order: "d"}},
		{name: "length 65535", input: clientFrame(fin, Text, longer[:65535]), want: events{Data: longer[:65535], Order: "d"}},
		{name: "length 65536", input: clientFrame(fin, Text, longer[:65536]), want: events{Data: longer[:65536], Order: "d"}},
		{
			name:  "length longer than need be",
			input: append(binary.BigEndian.AppendUint64([]byte{0x81, 0xFF}, 2), append(testMask[:], 'h'^testMask[0], 'i'^testMask[1])...),
			want:  events{Data: "hi", Order: "d"},
		},
		{
			name:  "two messages",
			input: frames(clientFrame(fin, Text, long), clientFrame(fin, Binary, "b")),
			want:  events{Data: long + "b", Order: "d"},
		},
		{
			name:  "fragments",
			input: frames(clientFrame(0, Text, "a"), clientFrame(0, Continuation, "b"), clientFrame(fin, Continuation, "c")),
			want:  events{Data: "abc", Order: "d"},
		},
		{
			name:  "fragments without payload",
			input: frames(clientFrame(0, Text, ""), clientFrame(0, Continuation, ""), clientFrame(fin, Continuation, "")),
		},
		{
			name: "control frames between fragments",
			input: frames(clientFrame(0, Text, "a"), clientFrame(fin, Ping, "1"), clientFrame(fin, Pong, "2"),
				clientFrame(0, Continuation, "b"), clientFrame(fin, Ping, ""), clientFrame(fin, Continuation, "c")),
			want: events{Data: "abc", Pings: []string{"1", ""}, Order: "dpdpd"},
		},
		{
			name: "close between fragments",
			input: frames(clientFrame(0, Text, "a"), clientFrame(fin, Close, closePayload(1001, "bye")),
				clientFrame(fin, Continuation, "b")),
			want: events{Data: "a", Closed: []string{"1001 bye"}, Order: "dc"},
		},
		{name: "ping", input: clientFrame(fin, Ping, longer[:125]), want: events{Pings: []string{longer[:125]}, Order: "p"}},
		{name: "unasked pong", input: clientFrame(fin, Pong, "x")},
		{name: "close without code", input: clientFrame(fin, Close, ""), want: events{Closed: []string{"0 "}, Order: "c"}},
		{
			name:  "nothing counts behind a close",
			input: frames(clientFrame(fin, Close, closePayload(1000, "")), []byte{0xFF, 0x00, 0x01}),
			want:  events{Closed: []string{"1000 "}, Order: "c"},
		},
		{
			name: "close with the longest reason", input: clientFrame(fin, Close, closePayload(1000, longer[:123])),
			want: events{Closed: []string{"1000 " + longer[:123]}, Order: "c"},
		},
		{name: "close payload of one byte", input: clientFrame(fin, Close, "\x03"), code: ProtocolError},
		{name: "close reason that is not UTF-8", input: clientFrame(fin, Close, closePayload(1000, "\xc3")), code: InvalidPayload},

		{name: "not masked", input: AppendFrame(nil, Text, []byte("Hello")), code: ProtocolError},
		{name: "reserved bit 1", input: clientFrame(fin|0x40, Text, "x"), code: ProtocolError},
		{name: "reserved bit 2", input: clientFrame(fin|0x20, Text, "x"), code: ProtocolError},
		{name: "reserved bit 3", input: clientFrame(fin|0x10, Text, "x"), code: ProtocolError},
		{name: "reserved bit of a ping", input: clientFrame(fin|0x40, Ping, ""), code: ProtocolError},
		{name: "continuation of nothing", input: clientFrame(fin, Continuation, "x"), code: ProtocolError},
		{
			name:  "continuation of a whole message",
			input: frames(clientFrame(fin, Text, "a"), clientFrame(fin, Continuation, "b")),
			want:  events{Data: "a", Order: "d"}, code: ProtocolError,
		},
		{
			name:  "message in a message",
			input: frames(clientFrame(0, Text, "a"), clientFrame(fin, Text, "b")),
			want:  events{Data: "a", Order: "d"}, code: ProtocolError,
		},
		{
			name:  "binary message in a text message",
			input: frames(clientFrame(0, Text, ""), clientFrame(fin, Binary, "b")), code: ProtocolError,
		},
		{name: "fragmented ping", input: clientFrame(0, Ping, "x"), code: ProtocolError},
		{name: "fragmented close", input: clientFrame(0, Close, ""), code: ProtocolError},
		{name: "ping of 126 bytes", input: clientFrame(fin, Ping, longer[:126]), code: ProtocolError},
		{name: "close of 126 bytes", input: clientFrame(fin, Close, closePayload(1000, longer[:124])), code: ProtocolError},
		{name: "negative length", input: frames([]byte{0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0}, testMask[:]), code: ProtocolError},

		{name: "characters", input: clientFrame(fin, Text, ä+euro+smile+replacement), want: events{Data: ä + euro + smile + replacement, Order: "d"}},
		{
			name: "characters cut by fragments",
			input: frames(clientFrame(0, Text, ä[:1]), clientFrame(0, Continuation, ä[1:]+euro[:2]), clientFrame(fin, Ping, "p"),
				clientFrame(0, Continuation, euro[2:]+smile[:1]), clientFrame(0, Continuation, smile[1:2]),
				clientFrame(0, Continuation, ""), clientFrame(0, Continuation, smile[2:]+replacement[:1]),
				clientFrame(fin, Continuation, replacement[1:])),
			want: events{Data: ä + euro + smile + replacement, Pings: []string{"p"}, Order: "dpd"},
		},
		{name: "text ends inside a character", input: clientFrame(fin, Text, "a"+euro[:2]), want: events{Data: "a" + euro[:2], Order: "d"}, code: InvalidPayload},
		{
			name:  "the next text does not complete the last",
			input: frames(clientFrame(fin, Binary, euro[:2]), clientFrame(fin, Text, euro[2:])),
			want:  events{Data: euro[:2], Order: "d"}, code: InvalidPayload,
		},
		{name: "last fragment is empty and the text not complete", input: frames(clientFrame(0, Text, smile[:3]), clientFrame(fin, Continuation, "")), want: events{Data: smile[:3], Order: "d"}, code: InvalidPayload},
		{name: "overlong form", input: clientFrame(fin, Text, "\xc0\xaf"), code: InvalidPayload},
		{name: "half a surrogate pair", input: clientFrame(fin, Text, "\xed\xa0\x80"), code: InvalidPayload},
		{name: "beyond Unicode", input: clientFrame(fin, Text, "\xf4\x90\x80\x80"), code: InvalidPayload},
		{name: "a byte that never occurs", input: clientFrame(fin, Text, "\xff"), code: InvalidPayload},
		{name: "binary fragments are not text", input: frames(clientFrame(0, Binary, "\xff"), clientFrame(fin, Continuation, "\xfe")), want: events{Data: "\xff\xfe", Order: "d"}},
	}
	for op := Opcode(3); op < 16; op++ {
		if op < Close || op > Pong {
			rows = append(rows, readerRow{name: fmt.Sprintf("opcode %d", op), input: clientFrame(fin, op, ""), code: ProtocolError})
		}
	}
	for _, c := range []struct {
		code  uint16
		valid bool
	}{
		{0, false}, {999, false}, {1000, true}, {1001, true}, {1002, true}, {1003, true}, {1004, false}, {1005, false},
		{1006, false}, {1007, true}, {1008, true}, {1009, true}, {1010, true}, {1011, true}, {1012, true}, {1013, true},
		{1014, true}, {1015, false}, {1016, false}, {2999, false}, {3000, true}, {4999, true}, {5000, false}, {65535, false},
	} {
		row := readerRow{name: fmt.Sprintf("close code %d", c.code), input: clientFrame(fin, Close, closePayload(c.code, "why"))}
		if c.valid {
			row.want = events{Closed: []string{fmt.Sprintf("%d why", c.code)}, Order: "c"}
		} else {
			row.code = ProtocolError
		}
		rows = append(rows, row)
	}
	return rows
}

// checkReading compares what came of the row's input with what must, wherever it was cut. How much of a text that is
// not UTF-8 comes before the error depends on the cut.
func checkReading(t *testing.T, row readerRow, got events, err error) {
	t.Helper()
	code := 0
	if v, ok := errors.AsType[*ProtocolViolation](err); ok {
		code = v.Code
	} else if err != nil {
		t.Fatalf("error is %T, want a *ProtocolViolation: %v", err, err)
	}
	if code != row.code {
		t.Fatalf("violation code %d (%v), want %d", code, err, row.code)
	}
	if code == InvalidPayload {
		return
	}
	if diff := cmp.Diff(row.want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestReader(t *testing.T) {
	for _, row := range readerRows() {
		t.Run(row.name, func(t *testing.T) {
			got, err := feed(row.input)
			checkReading(t, row, got, err)
		})
	}
}

// TestReaderCuts feeds every row cut in two at every place, and byte by byte.
func TestReaderCuts(t *testing.T) {
	for _, row := range readerRows() {
		if len(row.input) > 200 {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			for i := range len(row.input) + 1 {
				got, err := feed(row.input[:i], row.input[i:])
				checkReading(t, row, got, err)
			}
			got, err := feed(bytes.SplitAfter(row.input, nil)...)
			checkReading(t, row, got, err)
		})
	}
}

// TestReaderMemory shows that a frame may announce any length without memory being taken for it.
func TestReaderMemory(t *testing.T) {
	for _, op := range []Opcode{Text, Binary, Ping, Close} {
		header := append(binary.BigEndian.AppendUint64([]byte{fin | byte(op), 0xFF}, 1<<62), testMask[:]...)
		chunk := bytes.Repeat([]byte{'a'}, 4096)
		allocs := testing.AllocsPerRun(10, func() {
			var r Reader
			var rec discard
			if err := r.Feed(bytes.Clone(header), rec); err != nil {
				return
			}
			for range 100 {
				for i := range chunk {
					chunk[i] = 'a' ^ testMask[i&3]
				}
				if err := r.Feed(chunk, rec); err != nil {
					t.Fatal(err)
				}
			}
		})
		if allocs > 4 {
			t.Errorf("opcode %d: %v allocations for 400 kB of a frame, want few", op, allocs)
		}
	}
}

type discard struct{}

func (discard) Data([]byte)        {}
func (discard) Ping([]byte)        {}
func (discard) Closed(int, string) {}

func TestPutHeader(t *testing.T) {
	for _, row := range []struct {
		op   Opcode
		n    int
		want []byte
	}{
		{Text, 0, []byte{0x81, 0}},
		{Text, 125, []byte{0x81, 125}},
		{Binary, 126, []byte{0x82, 126, 0, 126}},
		{Binary, 65535, []byte{0x82, 126, 0xFF, 0xFF}},
		{Binary, 65536, []byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
		{Pong, 3, []byte{0x8A, 3}},
		{Text, 1 << 32, []byte{0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0}},
	} {
		var h [MaxHeader]byte
		n := PutHeader(h[:], row.op, row.n)
		if got := h[MaxHeader-n:]; !bytes.Equal(got, row.want) {
			t.Errorf("header of opcode %d with %d bytes is % x, want % x", row.op, row.n, got, row.want)
		}
	}
}

func TestAppendClose(t *testing.T) {
	for _, row := range []struct {
		code   int
		reason string
		want   []byte
	}{
		{0, "not sent without a code", []byte{0x88, 0}},
		{NormalClosure, "", []byte{0x88, 2, 0x03, 0xE8}},
		{InternalError, "x", []byte{0x88, 3, 0x03, 0xF3, 'x'}},
	} {
		if got := AppendClose([]byte{7}, row.code, row.reason); !bytes.Equal(got, append([]byte{7}, row.want...)) {
			t.Errorf("close frame %d %q is % x, want 07 % x", row.code, row.reason, got, row.want)
		}
	}
	if got := AppendClose(nil, NormalClosure, strings.Repeat("r", 200)); len(got) != 2+125 {
		t.Errorf("a close frame with a long reason has %d bytes, want 127: no control frame may have more than 125 of payload", len(got))
	}
}

// FuzzReader feeds bytes in one piece and cut at random: what comes of it must not depend on the cuts.
func FuzzReader(f *testing.F) {
	for i, row := range readerRows() {
		if len(row.input) <= 1000 {
			f.Add(row.input, uint64(i)*0x9E3779B97F4A7C15)
		}
	}
	f.Fuzz(func(t *testing.T, input []byte, cuts uint64) {
		want, wantErr := feed(input)
		var pieces [][]byte
		for rest := input; len(rest) > 0; cuts = cuts*6364136223846793005 + 1442695040888963407 {
			n := min(len(rest), int(cuts>>59)+1)
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		got, err := feed(pieces...)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("cut in %d pieces the error is %v, in one piece %v", len(pieces), err, wantErr)
		}
		if v, ok := errors.AsType[*ProtocolViolation](err); ok && v.Code == InvalidPayload {
			return // how much of the text comes before the error is the cut's business
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-one piece +%d pieces\n%s", len(pieces), diff)
		}
		if len(got.Data) > len(input) {
			t.Errorf("%d bytes of data came of %d", len(got.Data), len(input))
		}
	})
}
