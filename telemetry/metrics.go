package telemetry

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"signalbox/signalr"
	"signalbox/signalr/transport"
)

// The meter and its instruments, in ASP.NET Core's names (F-149, F-150).
const (
	meterName          = "Microsoft.AspNetCore.Http.Connections"
	activeConnections  = "signalr.server.active_connections"
	connectionDuration = "signalr.server.connection.duration"
	transportKey       = "signalr.transport"
	statusKey          = "signalr.connection.status"
)

// durationBuckets are the bounds of the histogram, in seconds.
var durationBuckets = []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}

// metrics implements [signalr.Metrics].
type metrics struct {
	active   metric.Int64UpDownCounter
	duration metric.Float64Histogram
}

// NewMetrics returns what counts connections: signalr.server.active_connections, by signalr.transport, and
// signalr.server.connection.duration in seconds, by signalr.transport and signalr.connection.status, which is
// normal_closure, timeout or app_shutdown. Nil is OpenTelemetry's global provider.
//
// ASP.NET Core: the meter Microsoft.AspNetCore.Http.Connections.
func NewMetrics(p metric.MeterProvider) (signalr.Metrics, error) {
	if p == nil {
		p = otel.GetMeterProvider()
	}
	meter := p.Meter(meterName)
	active, err := meter.Int64UpDownCounter(activeConnections, metric.WithUnit("{connection}"),
		metric.WithDescription("Number of connections that are currently active on the server."))
	if err != nil {
		return nil, fmt.Errorf("making the instrument %s: %w", activeConnections, err)
	}
	duration, err := meter.Float64Histogram(connectionDuration, metric.WithUnit("s"),
		metric.WithDescription("The duration of connections on the server."),
		metric.WithExplicitBucketBoundaries(durationBuckets...))
	if err != nil {
		return nil, fmt.Errorf("making the instrument %s: %w", connectionDuration, err)
	}
	return &metrics{active, duration}, nil
}

// ConnectionStarted implements [signalr.Metrics].
func (m *metrics) ConnectionStarted(t transport.Type) {
	m.active.Add(context.Background(), 1, metric.WithAttributes(transportAttribute(t)))
}

// ConnectionStopped implements [signalr.Metrics].
func (m *metrics) ConnectionStopped(t transport.Type, status signalr.CloseStatus, lasted time.Duration) {
	m.active.Add(context.Background(), -1, metric.WithAttributes(transportAttribute(t)))
	m.duration.Record(context.Background(), lasted.Seconds(),
		metric.WithAttributes(transportAttribute(t), attribute.String(statusKey, string(status))))
}

func transportAttribute(t transport.Type) attribute.KeyValue {
	name := "long_polling"
	switch t {
	case transport.WebSockets:
		name = "web_sockets"
	case transport.ServerSentEvents:
		name = "server_sent_events"
	}
	return attribute.String(transportKey, name)
}
