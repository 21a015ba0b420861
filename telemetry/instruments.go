package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"signalbox"
	"signalbox/signalr"
)

// The meter of the server signalbox, its instruments and their attributes.
const (
	serverMeterName  = "signalbox"
	hubConnections   = "signalbox.connections"
	sendQueue        = "signalbox.send_queue.size"
	slowClients      = "signalbox.slow_clients"
	outboxEvents     = "signalbox.outbox.events"
	outboxAge        = "signalbox.outbox.oldest.age"
	deadLetters      = "signalbox.outbox.dead_letters"
	deliveryDuration = "signalbox.delivery.duration"
	redisConnected   = "signalbox.redis.connected"
	redisChanges     = "signalbox.redis.state_changes"
	hubKey           = "signalbox.hub"
	eventKey         = "signalbox.event"
	redisUseKey      = "signalbox.redis.use"
)

// deliveryBuckets are the bounds of the histogram of deliveries, in seconds.
var deliveryBuckets = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}

// outboxTimeout is how long the store may take to say how much there is to send.
const outboxTimeout = 2 * time.Second

// Instruments measure what the server signalbox does beyond what [NewMetrics] counts. They are safe for concurrent use.
type Instruments struct {
	meter    metric.Meter
	slow     metric.Int64Counter
	delivery metric.Float64Histogram
	changes  metric.Int64Counter
}

// NewInstruments returns the instruments that are told of things: signalbox.delivery.duration, signalbox.slow_clients and
// signalbox.redis.state_changes. [Instruments.Observe] adds those that ask. Nil is OpenTelemetry's global provider.
func NewInstruments(p metric.MeterProvider) (*Instruments, error) {
	if p == nil {
		p = otel.GetMeterProvider()
	}
	meter := p.Meter(serverMeterName)
	slow, slowErr := meter.Int64Counter(slowClients, metric.WithUnit("{connection}"),
		metric.WithDescription("Connections that were closed because their clients read too slowly."))
	delivery, deliveryErr := meter.Float64Histogram(deliveryDuration, metric.WithUnit("s"),
		metric.WithDescription("From storing a notification or a change of an order to handing it over to its hub."),
		metric.WithExplicitBucketBoundaries(deliveryBuckets...))
	changes, changesErr := meter.Int64Counter(redisChanges, metric.WithUnit("{change}"),
		metric.WithDescription("Changes in the state of a backplane's connection to Redis."))
	if err := errors.Join(slowErr, deliveryErr, changesErr); err != nil {
		return nil, fmt.Errorf("making the instruments of %s: %w", serverMeterName, err)
	}
	return &Instruments{meter, slow, delivery, changes}, nil
}

// Filter returns a hub's filter that counts the connections that end with [signalr.ErrSlowConsumer]. It has no part in
// calls and sends.
func (i *Instruments) Filter() signalr.HubFilter {
	return signalr.HubFilter{OnDisconnected: func(
		ctx context.Context, c *signalr.Caller, cause error, next func(context.Context, *signalr.Caller, error) error,
	) error {
		if errors.Is(cause, signalr.ErrSlowConsumer) {
			i.slow.Add(ctx, 1, metric.WithAttributes(attribute.String(hubKey, c.HubName())))
		}
		return next(ctx, c, cause)
	}}
}

// Delivered notes that an event was handed over to its hub now. Where the clocks of the node that stored it and of this
// one differ, so does what is measured; it is never below 0.
func (i *Instruments) Delivered(ctx context.Context, e signalbox.Event) {
	kind := "notification"
	if e.Order != nil {
		kind = "order"
	}
	i.delivery.Record(ctx, max(time.Since(e.CreatedAt), 0).Seconds(), metric.WithAttributes(attribute.String(eventKey, kind)))
}

// RedisChanged counts n changes of the state of a hub's backplane. 0 has it known before the first.
func (i *Instruments) RedisChanged(hub string, n int64) {
	i.changes.Add(context.Background(), n, metric.WithAttributes(
		attribute.String(redisUseKey, "backplane"), attribute.String(hubKey, hub),
	))
}

// RedisLink is something that Redis is used for.
type RedisLink struct {
	// Use is backplane or presence; Hub is the hub's name, or empty.
	Use, Hub string
	// Connected says whether Redis can be reached, without waiting.
	Connected func() bool
}

// Sources are asked whenever metrics are collected. Usage and Outbox are required.
type Sources struct {
	Usage  func() []signalr.Usage
	Outbox func(ctx context.Context) (signalbox.OutboxState, error)
	Redis  []RedisLink
	// Failed is told why Outbox could not be asked: its metrics are left out that time, rather than wrong.
	Failed func(error)
}

// Observe adds the instruments that ask sources, when metrics are collected and at no other time: signalbox.connections
// and signalbox.send_queue.size by hub and transport, the outbox, which has 2 s to answer, and signalbox.redis.connected.
func (i *Instruments) Observe(sources Sources) error {
	gauge := func(name, unit, description string) (metric.Int64ObservableGauge, error) {
		return i.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
	}
	connections, err1 := gauge(hubConnections, "{connection}", "Open connections.")
	queued, err2 := gauge(sendQueue, "By", "Bytes that wait to be sent to clients, or are being written.")
	events, err3 := gauge(outboxEvents, "{event}", "Events that wait to be sent, of all nodes.")
	dead, err4 := gauge(deadLetters, "{event}", "Events that were given up and wait for an operator, of all nodes.")
	redis, err5 := gauge(redisConnected, "{connection}", "Whether Redis can be reached: 1, or 0.")
	age, err6 := i.meter.Float64ObservableGauge(outboxAge, metric.WithUnit("s"),
		metric.WithDescription("How long ago the oldest event that waits was stored; 0 when none does."))
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return fmt.Errorf("making the instruments of %s: %w", serverMeterName, err)
	}
	_, err := i.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		for _, u := range sources.Usage() {
			by := metric.WithAttributes(attribute.String(hubKey, u.Hub), transportAttribute(u.Transport))
			o.ObserveInt64(connections, int64(u.Connections), by)
			o.ObserveInt64(queued, int64(u.QueuedBytes), by)
		}
		for _, link := range sources.Redis {
			value, by := int64(0), []attribute.KeyValue{attribute.String(redisUseKey, link.Use)}
			if link.Connected() {
				value = 1
			}
			if link.Hub != "" {
				by = append(by, attribute.String(hubKey, link.Hub))
			}
			o.ObserveInt64(redis, value, metric.WithAttributes(by...))
		}
		ctx, cancel := context.WithTimeout(ctx, outboxTimeout)
		defer cancel()
		state, err := sources.Outbox(ctx)
		if err != nil {
			if sources.Failed != nil {
				sources.Failed(err)
			}
			return nil
		}
		o.ObserveInt64(events, int64(state.Depth))
		o.ObserveInt64(dead, int64(state.DeadLetters))
		oldest := 0.0
		if !state.Oldest.IsZero() {
			oldest = max(time.Since(state.Oldest), 0).Seconds()
		}
		o.ObserveFloat64(age, oldest)
		return nil
	}, connections, queued, events, dead, redis, age)
	if err != nil {
		return fmt.Errorf("observing %s: %w", serverMeterName, err)
	}
	return nil
}
