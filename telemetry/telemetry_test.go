package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"signalbox/signalr"
	"signalbox/telemetry"
)

// observed is a hub whose spans are kept.
type observed struct {
	t      *testing.T
	spans  *tracetest.InMemoryExporter
	server *signalr.Server
	web    *httptest.Server
	// requests are being answered: the handler of a WebSocket may return late.
	requests sync.WaitGroup
	// seen is what handlers had in their contexts: the trace, and the baggage.
	seen chan string
}

func observe(t *testing.T, o *signalr.ServerOptions, base func(*http.Request) context.Context) *observed {
	t.Helper()
	s := &observed{t: t, spans: tracetest.NewInMemoryExporter(), seen: make(chan string, 10)}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.spans))
	hub := signalr.NewHub(&signalr.HubOptions{
		Name:       "Shop.OrderHub",
		Filters:    []signalr.HubFilter{telemetry.NewFilter(&telemetry.TraceOptions{TracerProvider: provider})},
		Connection: signalr.ConnectionOptions{BaseContext: base},
	})
	hub.Handle("Order", signalr.Action1(func(ctx context.Context, _ *signalr.Caller, how string) error {
		s.seen <- trace.SpanContextFromContext(ctx).TraceID().String() + " " + baggage.FromContext(ctx).String()
		switch how {
		case "fail":
			return fmt.Errorf("wrapped: %w", signalr.Errorf("sold out"))
		case "panic":
			panic("no more")
		}
		return nil
	}))
	hub.HandleStream("Prices", signalr.Stream1(func(_ context.Context, _ *signalr.Caller, how string) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			switch more := yield(1, nil); {
			case how == "panic":
				panic("no more")
			case how == "fail" && more:
				yield(0, errors.New("sold out"))
			}
		}
	}))
	hub.HandleStream("Refused", func(context.Context, *signalr.Invocation) (iter.Seq2[any, error], error) {
		return nil, signalr.Errorf("not for you")
	})
	server, err := signalr.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.server = server
	mux := http.NewServeMux()
	server.MapHub(mux, "/orders", hub, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.requests.Add(1)
			defer s.requests.Done()
			ctx, span := provider.Tracer("http").Start(r.Context(), "GET /orders")
			defer span.End()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	})
	s.web = httptest.NewServer(mux)
	t.Cleanup(s.stop)
	return s
}

// stop ends the server, and with it the spans of all connections.
func (s *observed) stop() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), time.Minute)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		s.t.Error(err)
	}
	s.web.Close()
	s.requests.Wait()
}

const handshake = `{"protocol":"json","version":1}`

// talk sends each message and reads until its completion has come; then it closes the WebSocket.
func (s *observed) talk(messages ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, s.web.URL+"/orders", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer ws.CloseNow()
	for _, m := range append([]string{handshake}, messages...) {
		if err := ws.Write(ctx, websocket.MessageText, []byte(m+"\x1e")); err != nil {
			s.t.Fatal(err)
		}
		for done := false; !done; {
			_, p, err := ws.Read(ctx)
			if err != nil {
				s.t.Fatal(err)
			}
			done = strings.Contains(string(p), `"type":3`) || string(p) == "{}\x1e"
		}
	}
	if err := ws.Close(websocket.StatusNormalClosure, ""); err != nil {
		s.t.Error(err)
	}
}

// named returns the only span of a name.
func (s *observed) named(name string) tracetest.SpanStub {
	s.t.Helper()
	spans := s.spans.GetSpans()
	i := slices.IndexFunc(spans, func(stub tracetest.SpanStub) bool { return stub.Name == name })
	if i < 0 || slices.ContainsFunc(spans[i+1:], func(stub tracetest.SpanStub) bool { return stub.Name == name }) {
		s.t.Fatalf("there is not one span %q among %d", name, len(spans))
	}
	return spans[i]
}

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
	headers = `"headers":{"traceparent":"00-` + traceID + `-` + spanID + `-01","tracestate":"a=b","baggage":"shop=7"},`
)

// TestInvocation: the caller of an invocation is named by the message's headers, the connection's request is a link
// (F-153, F-154).
func TestInvocation(t *testing.T) {
	for name, base := range map[string]func(*http.Request) context.Context{
		"the span alone":        telemetry.BaseContext,
		"the request's context": func(r *http.Request) context.Context { return r.Context() },
	} {
		t.Run(name, func(t *testing.T) {
			s := observe(t, nil, base)
			s.talk(`{"type":1,` + headers + `"invocationId":"1","target":"order","arguments":["well"]}`)
			if got, want := <-s.seen, traceID+" shop=7"; got != want {
				t.Errorf("the handler is in the trace %q, want %q", got, want)
			}
			s.stop()
			request, span := s.named("GET /orders"), s.named("Shop.OrderHub/Order")
			if span.SpanKind != trace.SpanKindServer || span.InstrumentationScope.Name != "Microsoft.AspNetCore.SignalR.Server" {
				t.Errorf("the span is a %v of %s", span.SpanKind, span.InstrumentationScope.Name)
			}
			if got := span.Parent; got.TraceID().String() != traceID || got.SpanID().String() != spanID || !got.IsRemote() || got.TraceState().String() != "a=b" {
				t.Errorf("the parent is %+v", got)
			}
			if len(span.Links) != 1 || span.Links[0].SpanContext.SpanID() != request.SpanContext.SpanID() {
				t.Errorf("the links are %+v, want one to the request %v", span.Links, request.SpanContext.SpanID())
			}
			want := []attribute.KeyValue{
				attribute.String("rpc.system", "signalr"), attribute.String("rpc.service", "Shop.OrderHub"), attribute.String("rpc.method", "Order"),
			}
			if diff := cmp.Diff(want, span.Attributes, cmp.Comparer(func(a, b attribute.Value) bool { return a == b })); diff != "" {
				t.Errorf("attributes: -want +got\n%s", diff)
			}
			if span.Status.Code != codes.Unset {
				t.Errorf("the status is %v", span.Status)
			}
			if got := attributeOf(request, "http.long_running"); name == "the span alone" && got != "true" {
				t.Errorf("http.long_running of the request is %q (F-152)", got)
			}
		})
	}
}

// TestWithoutHeaders: a message that names no caller begins a trace of its own.
func TestWithoutHeaders(t *testing.T) {
	s := observe(t, nil, func(r *http.Request) context.Context { return r.Context() })
	s.talk(`{"type":1,"invocationId":"1","target":"Order","arguments":["well"]}`)
	s.stop()
	request := s.named("GET /orders")
	for _, name := range []string{"Order", "OnConnectedAsync", "OnDisconnectedAsync"} {
		span := s.named("Shop.OrderHub/" + name)
		if span.Parent.IsValid() || span.SpanContext.TraceID() == request.SpanContext.TraceID() {
			t.Errorf("%s has the parent %+v in the trace %v", name, span.Parent, span.SpanContext.TraceID())
		}
		links, kind := 0, trace.SpanKindInternal
		if name == "Order" {
			links, kind = 1, trace.SpanKindServer
		}
		if len(span.Links) != links || span.SpanKind != kind {
			t.Errorf("%s is a %v with %d links, want a %v with %d", name, span.SpanKind, len(span.Links), kind, links)
		}
	}
}

// TestFailures: every way to fail is on the span.
func TestFailures(t *testing.T) {
	for _, row := range []struct{ name, message, span, errorType string }{
		{"a method", `{"type":1,"invocationId":"1","target":"Order","arguments":["fail"]}`, "Order", "*signalr.HubError"},
		{"a method that panics", `{"type":1,"invocationId":"1","target":"Order","arguments":["panic"]}`, "Order", "panic"},
		{"arguments", `{"type":1,"invocationId":"1","target":"Order","arguments":[1]}`, "Order", "*protocol.ArgumentError"},
		{"a stream", `{"type":4,"invocationId":"1","target":"Prices","arguments":["fail"]}`, "Prices", "*errors.errorString"},
		{"a stream that panics", `{"type":4,"invocationId":"1","target":"Prices","arguments":["panic"]}`, "Prices", "panic"},
		{"a stream that does not begin", `{"type":4,"invocationId":"1","target":"Refused","arguments":[]}`, "Refused", "*signalr.HubError"},
		{"a stream that ends well", `{"type":4,"invocationId":"1","target":"Prices","arguments":["well"]}`, "Prices", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := observe(t, nil, nil)
			s.talk(row.message)
			span := s.named("Shop.OrderHub/" + row.span)
			want := codes.Error
			if row.errorType == "" {
				want = codes.Unset
			}
			if got := attributeOf(span, "error.type"); got != row.errorType || span.Status.Code != want {
				t.Errorf("error.type is %q and the status %v, want %q and %v", got, span.Status.Code, row.errorType, want)
			}
			if len(span.Links) != 0 {
				t.Errorf("there are links without BaseContext: %+v", span.Links)
			}
		})
	}
}

func attributeOf(span tracetest.SpanStub, key attribute.Key) string {
	for _, a := range span.Attributes {
		if a.Key == key {
			return a.Value.AsString()
		}
	}
	return ""
}

// TestMetrics (F-149, F-150).
func TestMetrics(t *testing.T) {
	reader := metric.NewManualReader()
	m, err := telemetry.NewMetrics(metric.NewMeterProvider(metric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	s := observe(t, &signalr.ServerOptions{Metrics: m}, nil)
	ws, _, err := websocket.Dial(t.Context(), s.web.URL+"/orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if got, want := collect(t, reader), "signalr.server.active_connections {connection}: web_sockets 1\n"; got != want {
		t.Errorf("while there is a connection\ngot  %swant %s", got, want)
	}
	s.stop()
	want := "signalr.server.active_connections {connection}: web_sockets 0\n" +
		"signalr.server.connection.duration s: app_shutdown web_sockets 1 [0.01 0.02 0.05 0.1 0.2 0.5 1 2 5 10 30 60 120 300]\n"
	if got := collect(t, reader); got != want {
		t.Errorf("when the server has ended\ngot  %swant %s", got, want)
	}
}

// collect writes down what has been measured, sorted.
func collect(t *testing.T, reader *metric.ManualReader) string {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, scope := range all.ScopeMetrics {
		if scope.Scope.Name != "Microsoft.AspNetCore.Http.Connections" {
			t.Errorf("the meter is %s", scope.Scope.Name)
		}
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("%s %s: %s %d\n", m.Name, m.Unit, values(p.Attributes), p.Value))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("%s %s: %s %d %v\n", m.Name, m.Unit, values(p.Attributes), p.Count, p.Bounds))
				}
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// values are the values of attributes, in the order of their keys.
func values(set attribute.Set) string {
	var all []string
	for _, a := range set.ToSlice() {
		all = append(all, a.Value.AsString())
	}
	return strings.Join(all, " ")
}

// TestDefaults: without options everything goes to OpenTelemetry's global providers, which discard it.
func TestDefaults(t *testing.T) {
	m, err := telemetry.NewMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := telemetry.NewFilter(nil); f.InvokeMethod == nil || f.InvokeStream == nil || f.OnConnected == nil || f.OnDisconnected == nil {
		t.Error("the filter leaves something out")
	}
	s := observe(t, &signalr.ServerOptions{Metrics: m}, telemetry.BaseContext)
	s.talk(`{"type":1,"invocationId":"1","target":"Order","arguments":["well"]}`)
}
