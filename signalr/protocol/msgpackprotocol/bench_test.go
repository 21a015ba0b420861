package msgpackprotocol

import (
	"encoding/hex"
	"testing"

	"signalbox/signalr/protocol"
)

// invocation is [1, {}, "42", "SubscribeToOrder", ["order-12345", 7], []].
var invocation = func() []byte {
	b, err := hex.DecodeString("2a960180a23432b0537562736372696265546f4f7264657292ab6f726465722d31323334350790")
	if err != nil {
		panic(err)
	}
	b[0] = byte(len(b) - 1)
	return b
}()

// BenchmarkEnvelope measures the scan alone: what Parse costs without the message and its strings.
func BenchmarkEnvelope(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		r := reader{b: invocation[1:]}
		if _, err := r.array(); err != nil {
			b.Fatal(err)
		}
		if err := r.skip(6); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	p := New(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Parse(invocation); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeArguments(b *testing.B) {
	p := New(nil)
	args := protocol.RawValue("\x92\xaborder-12345\x07")
	b.ReportAllocs()
	for b.Loop() {
		var id string
		var n int
		if err := p.DecodeArguments(args, &id, &n); err != nil {
			b.Fatal(err)
		}
	}
}

type order struct {
	ID       string
	Progress int
	Total    float64
	History  []string
	Owner    *string
}

func BenchmarkDecodeStruct(b *testing.B) {
	p := New(nil)
	value, err := p.appendValue(nil, order{ID: "order-12345", Progress: 40, Total: 12.5, History: []string{"placed", "paid"}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var o order
		if err := p.Decode(value, &o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	p := New(nil)
	for name, m := range map[string]protocol.Message{
		"string":     &protocol.Completion{InvocationID: "42", HasResult: true, Result: "a result of some length"},
		"struct":     &protocol.Completion{InvocationID: "42", HasResult: true, Result: order{ID: "order-12345", Progress: 40, Total: 12.5, History: []string{"placed", "paid"}}},
		"invocation": &protocol.Invocation{Target: "OrderStatusUpdated", Arguments: []any{"order-12345", "Shipped", nil}},
	} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Append(buf, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
