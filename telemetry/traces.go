package telemetry

import (
	"context"
	"errors"
	"iter"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"signalbox/signalr"
)

// tracerName is the name of ASP.NET Core's ActivitySource (F-153).
const tracerName = "Microsoft.AspNetCore.SignalR.Server"

// The events of a hub as they are named in traces.
const (
	connectedMethod    = "OnConnectedAsync"
	disconnectedMethod = "OnDisconnectedAsync"
)

// TraceOptions are the settings of [NewFilter]. The zero value is ready.
type TraceOptions struct {
	// TracerProvider makes the spans. Default: OpenTelemetry's global one.
	TracerProvider trace.TracerProvider
	// Propagator reads the trace context out of the headers of messages. Default: W3C trace context and baggage.
	Propagator propagation.TextMapPropagator
}

// NewFilter returns a filter that makes a span of every invocation, from its beginning to the end of the method or of the
// stream, and of the hub's events; nil options are the defaults. It should be the hub's first filter, so that it sees
// what the others do.
//
// A span is named HUB/METHOD and has the attributes rpc.system (signalr), rpc.service (the hub's name), rpc.method, and
// after a failure error.type. Its parent is the caller that the message's headers name (traceparent, tracestate,
// baggage), never the request that opened the connection: that one is a link, if [BaseContext] is set (F-154).
//
// ASP.NET Core: the ActivitySource Microsoft.AspNetCore.SignalR.Server.
func NewFilter(o *TraceOptions) signalr.HubFilter {
	if o == nil {
		o = &TraceOptions{}
	}
	t := &tracing{propagator: o.Propagator}
	if t.propagator == nil {
		t.propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	}
	provider := o.TracerProvider
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	t.tracer = provider.Tracer(tracerName)
	return signalr.HubFilter{
		InvokeMethod: t.method, InvokeStream: t.stream, OnConnected: t.connected, OnDisconnected: t.disconnected,
	}
}

// BaseContext is for [signalr.ConnectionOptions]: it keeps the span of the request that opens a connection, if middleware
// has made one, so that the spans of invocations can be linked to it, and marks it as one of a long request
// (http.long_running, F-152).
func BaseContext(r *http.Request) context.Context {
	span := trace.SpanFromContext(r.Context())
	span.SetAttributes(attribute.String("http.long_running", "true"))
	return trace.ContextWithSpanContext(context.Background(), span.SpanContext())
}

type tracing struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
}

// errPanicked stands for a panic, which goes on to the server.
var errPanicked = errors.New("panic")

func (t *tracing) method(ctx context.Context, inv *signalr.Invocation, next signalr.HandlerFunc) (any, error) {
	ctx, span := t.invocation(ctx, inv)
	err := errPanicked
	defer func() { end(span, err) }()
	var result any
	result, err = next(ctx, inv)
	return result, err
}

func (t *tracing) stream(
	ctx context.Context, inv *signalr.Invocation, next signalr.StreamHandlerFunc,
) (iter.Seq2[any, error], error) {
	ctx, span := t.invocation(ctx, inv)
	err := errPanicked
	opened := false
	defer func() {
		if !opened {
			end(span, err)
		}
	}()
	var items iter.Seq2[any, error]
	if items, err = next(ctx, inv); err != nil {
		return nil, err
	}
	opened = true
	return func(yield func(any, error) bool) {
		err := errPanicked
		defer func() { end(span, err) }()
		var last error
		items(func(item any, itemErr error) bool {
			if itemErr != nil && ctx.Err() == nil { // else the client has cancelled it, or is gone
				last = itemErr
			}
			return yield(item, itemErr)
		})
		err = last
	}, nil
}

func (t *tracing) connected(ctx context.Context, c *signalr.Caller, next func(context.Context, *signalr.Caller) error) error {
	ctx, span := t.start(withoutSpan(ctx), c.HubName(), connectedMethod, trace.SpanKindInternal)
	err := errPanicked
	defer func() { end(span, err) }()
	err = next(ctx, c)
	return err
}

func (t *tracing) disconnected(
	ctx context.Context, c *signalr.Caller, cause error, next func(context.Context, *signalr.Caller, error) error,
) error {
	ctx, span := t.start(withoutSpan(ctx), c.HubName(), disconnectedMethod, trace.SpanKindInternal)
	err := errPanicked
	defer func() { end(span, err) }()
	err = next(ctx, c, cause)
	return err
}

// invocation begins the span of an invocation.
func (t *tracing) invocation(ctx context.Context, inv *signalr.Invocation) (context.Context, trace.Span) {
	opened := trace.SpanContextFromContext(ctx)
	var links []trace.SpanStartOption
	if opened.IsValid() {
		links = append(links, trace.WithLinks(trace.Link{SpanContext: opened}))
	}
	ctx = t.propagator.Extract(withoutSpan(ctx), propagation.MapCarrier(inv.Headers()))
	return t.start(ctx, inv.Caller().HubName(), inv.Target(), trace.SpanKindServer, links...)
}

// withoutSpan returns ctx without the span of the request that opened the connection: it is nobody's parent.
func withoutSpan(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.SpanContext{})
}

func (t *tracing) start(
	ctx context.Context, hub, method string, kind trace.SpanKind, more ...trace.SpanStartOption,
) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, hub+"/"+method, append(more, trace.WithSpanKind(kind), trace.WithAttributes(
		attribute.String("rpc.system", "signalr"),
		attribute.String("rpc.service", hub),
		attribute.String("rpc.method", method),
	))...)
}

func end(span trace.Span, err error) {
	switch {
	case err == nil:
	case errors.Is(err, errPanicked):
		span.SetAttributes(semconv.ErrorTypeKey.String("panic"))
		span.SetStatus(codes.Error, "")
	default:
		span.SetAttributes(semconv.ErrorType(err))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
