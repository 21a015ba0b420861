package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
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
	server      *http.Server
}

// newMetrics takes the address. Without one it returns a metrics that measures nothing.
func newMetrics(address string, log *slog.Logger) (*metrics, error) {
	if address == "" {
		return &metrics{}, nil
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
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--metrics-listen: %w", err)
	}
	errorLog := slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: errorLog}))
	return &metrics{listener, provider, connections, &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: errorLog,
	}}, nil
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
