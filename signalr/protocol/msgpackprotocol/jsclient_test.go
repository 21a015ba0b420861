package msgpackprotocol

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/protocol"
)

// What the official npm client writes is read as what it meant, and as the vectors decode it.
func TestParseJSClient(t *testing.T) {
	p := New(nil)
	for _, row := range vectors(t, "js-client-write.txt") {
		t.Run(row[0], func(t *testing.T) {
			if row[1] == "-" {
				t.Skip("the client refuses to write it:", row[2])
			}
			decoder := json.NewDecoder(strings.NewReader(row[2]))
			decoder.UseNumber()
			var want []any
			if err := decoder.Decode(&want); err != nil {
				t.Fatal(err)
			}
			frame := unhex(t, row[1])
			m, n, err := p.Parse(frame)
			if err != nil || n != len(frame) {
				t.Fatal(n, err)
			}
			if diff := cmp.Diff(plain(t, want), plainMessage(t, p, m, len(want))); diff != "" {
				t.Error("message (-vector +ours):", diff)
			}
		})
	}
}

// plain turns a decoded column into the values that plainMessage makes.
func plain(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			t.Fatal(err)
		}
		return n
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, plain(t, e))
		}
		return out
	case map[string]any:
		if pairs, ok := v["map"]; ok {
			out := map[string]any{}
			for _, pair := range pairs.([]any) {
				out[pair.([]any)[0].(string)] = plain(t, pair.([]any)[1])
			}
			return out
		}
		if f, ok := v["f64"]; ok {
			switch f {
			case "NaN":
				return "NaN" // no two NaNs are equal
			case "Infinity":
				return math.Inf(1)
			}
			number, err := f.(json.Number).Float64()
			if err != nil {
				t.Fatal(err)
			}
			return number
		}
		if digits, ok := v["bin"]; ok {
			return unhex(t, digits.(string))
		}
		ext := v["ext"].([]any)
		data := unhex(t, ext[1].(string))
		b := append([]byte{codeExt8, byte(len(data)), 0xFF}, data...)
		r := reader{b: b}
		moment, err := r.time()
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	return v
}

// plainMessage returns the elements of the message's array, of which there are n.
func plainMessage(t *testing.T, p *Protocol, m protocol.Message, n int) any {
	t.Helper()
	out := []any{int64(m.Type())}
	headers := func(h protocol.Headers) map[string]any {
		plain := map[string]any{}
		for name, value := range h {
			plain[name] = value
		}
		return plain
	}
	switch m := m.(type) {
	case *protocol.Invocation:
		var id any
		if m.InvocationID != "" {
			id = m.InvocationID
		}
		out = append(out, headers(m.Headers), id, m.Target, plainRaw(t, p, m.RawArguments))
		ids := []any{}
		for _, id := range m.StreamIDs {
			ids = append(ids, id)
		}
		out = append(out, ids)
	case *protocol.StreamItem:
		out = append(out, headers(m.Headers), m.InvocationID, plainRaw(t, p, m.RawItem))
	case *protocol.Completion:
		out = append(out, headers(m.Headers), m.InvocationID)
		switch {
		case m.HasError:
			out = append(out, int64(kindError), m.Error)
		case m.HasResult:
			out = append(out, int64(kindResult), plainRaw(t, p, m.RawResult))
		default:
			out = append(out, int64(kindVoid))
		}
	case *protocol.CancelInvocation:
		out = append(out, headers(m.Headers), m.InvocationID)
	case *protocol.Close:
		out = append(out, nil)
	case *protocol.Ack:
		out = append(out, m.SequenceID)
	case *protocol.Sequence:
		out = append(out, m.SequenceID)
	}
	return out[:n]
}

// plainRaw decodes a value and makes all its integers int64.
func plainRaw(t *testing.T, p *Protocol, raw protocol.RawValue) any {
	t.Helper()
	return widen(decodeAny(t, p, raw))
}

func widen(v any) any {
	switch v := v.(type) {
	case uint8:
		return int64(v)
	case int8:
		return int64(v)
	case uint16:
		return int64(v)
	case int16:
		return int64(v)
	case uint32:
		return int64(v)
	case int32:
		return int64(v)
	case uint64:
		return int64(v)
	case float64:
		if math.IsNaN(v) {
			return "NaN"
		}
	case []byte:
		return bytes.Clone(v)
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, widen(e))
		}
		return out
	case map[string]any:
		for name, e := range v {
			v[name] = widen(e)
		}
	}
	return v
}
