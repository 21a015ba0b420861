package load

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// serverFrame is a frame as a server sends it, without a mask.
func serverFrame(op byte, payload []byte) []byte {
	b := appendFrame(nil, op, payload)
	mask := len(b) - len(payload) - 4
	b[1] &^= 0x80
	return append(b[:mask:mask], payload...)
}

func TestFrames(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 100_000} {
		payload := bytes.Repeat([]byte{'x'}, size)
		frame := serverFrame(opBinary, payload)
		for _, cut := range []int{0, 1, 2, len(frame) / 2, len(frame) - 1} {
			if _, _, n, err := nextFrame(frame[:min(cut, len(frame)-1)]); n != 0 || err != nil {
				t.Errorf("%d bytes of a frame of %d give length %d and %v", cut, len(frame), n, err)
			}
		}
		op, got, n, err := nextFrame(append(frame, "next"...))
		if op != opBinary || !bytes.Equal(got, payload) || n != len(frame) || err != nil {
			t.Errorf("a frame with %d bytes is read as opcode %d, %d bytes, length %d, %v", size, op, len(got), n, err)
		}
	}
}

func TestFramesThatNoServerSends(t *testing.T) {
	rows := []struct {
		name  string
		frame []byte
		want  string
	}{
		{"masked", appendFrame(nil, opText, []byte("x")), "masked"},
		{"huge", []byte{0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0}, "16 MiB"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if _, _, _, err := nextFrame(row.frame); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want an error about %q", err, row.want)
			}
		})
	}
}

func TestFragments(t *testing.T) {
	var got []string
	s := &Swarm{dialect: jsonHub{}, onDelivered: func(_ *client, m []byte) { got = append(got, string(m)) }}
	c := &client{swarm: s}
	var b []byte
	for range 2 { // the second message must know nothing of the first
		for i, part := range []string{`{"type":1,`, `"a":`, "1}\x1e"} {
			frame := serverFrame([]byte{opText, opContinuation, opContinuation}[i], []byte(part))
			if i < 2 {
				frame[0] &^= 0x80
			}
			b = append(b, frame...)
		}
	}
	if n, err := c.parseFrames(b); n != len(b) || err != nil {
		t.Fatalf("took %d of %d bytes, %v", n, len(b), err)
	}
	if want := []string{`{"type":1,"a":1}`, `{"type":1,"a":1}`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
