package jsonprotocol

import (
	"testing"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/internal/names"
)

var invocation = []byte(`{"type":1,"invocationId":"42","target":"SubscribeToOrder","arguments":["order-12345",7]}` + "\x1e")

func BenchmarkEnvelope(b *testing.B) {
	record := invocation[:len(invocation)-1]
	var known names.Table
	b.ReportAllocs()
	for b.Loop() {
		e := envelope{known: &known}
		if err := e.read(record); err != nil {
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
	args := protocol.RawValue(`["order-12345",7]`)
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
	for name, value := range map[string]protocol.RawValue{
		"plain": protocol.RawValue(`{"id":"order-12345","progress":40,"total":12.5,"history":["placed","paid"],"owner":"ann"}`),
		"null":  protocol.RawValue(`{"id":"order-12345","progress":40,"total":12.5,"history":["placed","paid"],"owner":null}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var o order
				if err := p.Decode(value, &o); err != nil {
					b.Fatal(err)
				}
			}
		})
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
