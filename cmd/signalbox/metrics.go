package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"signalbox/signalr"
	"signalbox/telemetry"
)

// metrics is what Prometheus can ask this process about, at an address of its own: it is for operators alone, and what
// the public reaches does not have it.
type metrics struct {
	listener    net.Listener
	provider    *sdkmetric.MeterProvider
	connections signalr.Metrics
	instruments *telemetry.Instruments
	server      *http.Server
}

// newMetrics takes the address. Without one it returns a metrics that measures nothing.
func newMetrics(address string, log *slog.Logger) (*metrics, error) {
	if address == "" {
		instruments, err := telemetry.NewInstruments(noop.NewMeterProvider())
		return &metrics{instruments: instruments}, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("exporting metrics: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	connections, err := telemetry.NewMetrics(provider)
	if err != nil {
		return nil, err
	}
	instruments, err := telemetry.NewInstruments(provider)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--metrics-listen: %w", err)
	}
	errorLog := slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: errorLog}))
	return &metrics{listener, provider, connections, instruments, &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: errorLog,
	}}, nil
}

// observe adds what is asked when somebody looks, and the probes. It is to be called before Run.
func (m *metrics) observe(app *application, present *tracker, farm *backplanes, log *slog.Logger) error {
	if m.listener == nil {
		return nil
	}
	m.server.Handler = app.probes.around(m.server.Handler)
	links := farm.links
	if present.close != nil {
		links = append(slices.Clip(links), telemetry.RedisLink{
			Use: "presence", Connected: func() bool { return present.degraded() == "" },
		})
	}
	return m.instruments.Observe(telemetry.Sources{
		Usage: app.connections.Usage, Outbox: app.store.OutboxState, Redis: links,
		Failed: func(err error) { log.Warn("metrics are without the outbox", "error", err) },
	})
}

// Close gives the address back, if Run does not.
func (m *metrics) Close() error {
	if m.listener == nil {
		return nil
	}
	if err := m.server.Close(); err != nil {
		return err
	}
	if err := m.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return m.provider.Shutdown(context.Background())
}

// Run serves until ctx ends.
func (m *metrics) Run(ctx context.Context) error {
	if m.listener == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = m.server.Close() }) // Serve returns then
	defer stop()
	if err := m.server.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving metrics: %w", err)
	}
	return nil
}
