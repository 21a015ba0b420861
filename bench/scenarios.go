package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"signalbox/bench/load"
	"signalbox/bench/report"
)

// scale is how large the scenarios are and how long they run.
type scale struct {
	load.Length
	Hold          time.Duration
	Idle, IdleTLS int
	IdleHTTP      int
	Echo          int
	Fan, Groups   int
	Storm         int
	Healthy       int
	SlowMessages  int
	Settle        time.Duration
}

// fullScale is what a report is made with.
func fullScale() scale {
	return scale{
		Length: load.Length{Warmup: 3 * time.Second, Duration: 4 * time.Second},
		Hold:   16 * time.Second, Idle: 10_000, IdleTLS: 4_000, IdleHTTP: 3_000,
		Echo: 100, Fan: 1_000, Groups: 10, Storm: 10_000, Healthy: 50, SlowMessages: 20_000, Settle: time.Second,
	}
}

// textSize is the length of texts in bytes, slowSize that of those that a client does not read.
const (
	textSize = 100
	slowSize = 1000
)

// scenario is one line of the report: what is done to a server.
type scenario struct {
	section string
	name    string
	target  load.Target // without URL and PID
	tls     bool
	run     func(ctx context.Context, t load.Target) (load.Sample, error)
	redis   *redisCase // instead of the target and run: it has a farm of its own
}

// sections are the parts of the report.
func sections(s scale) []report.Section {
	cpu := report.Metric{Key: "cpu", Digits: 2, Compared: true}
	named := func(m report.Metric, name string) report.Metric { m.Name = name; return m }
	latency := []report.Metric{
		{Key: "rate", Name: "per second"}, {Key: "p50", Name: "p50, ms", Digits: 2}, {Key: "p99", Name: "p99, ms", Digits: 2},
	}
	return []report.Section{
		{
			Key: "idle", Title: "Idle",
			About: fmt.Sprintf("Connections that do nothing but ping, held for %v: the growth of the server's resident memory "+
				"divided by their number, as it is and after a full garbage collection, and the processor time of all of them "+
				"in percent of one core.", s.Hold),
			Metrics: []report.Metric{
				{Key: "held", Name: "bytes each", Compared: true}, {Key: "collected", Name: "bytes each, collected", Compared: true},
				{Key: "core", Name: "% of a core", Digits: 2},
			},
		},
		{
			Key: "echo", Title: "Echo",
			About: fmt.Sprintf("%d connections invoke a method that returns its argument, %d bytes of text, again as soon as the "+
				"result is there.", s.Echo, textSize),
			Metrics: slices.Concat([]report.Metric{named(cpu, "CPU µs per invocation")}, latency),
		},
		{
			Key: "broadcast", Title: "Broadcast",
			About: fmt.Sprintf("One of %d connections sends %d bytes of text to all of them; the window is how many messages "+
				"are under way.", s.Fan, textSize),
			Metrics: slices.Concat([]report.Metric{named(cpu, "CPU µs per delivery")}, latency),
		},
		{
			Key: "group", Title: "Groups",
			About:   fmt.Sprintf("The same with %d connections in %d groups, to one group after the other.", s.Fan, s.Groups),
			Metrics: slices.Concat([]report.Metric{named(cpu, "CPU µs per delivery")}, latency),
		},
		{
			Key: "storm", Title: "Connect storm",
			About: fmt.Sprintf("%d connections opened as fast as they come, from TCP connect to the answered handshake; "+
				"memory before, and when all have left.", s.Storm),
			Metrics: []report.Metric{
				named(cpu, "CPU µs per connect"), {Key: "rate", Name: "per second"},
				{Key: "before", Name: "MiB before", Digits: 1}, {Key: "held", Name: "MiB with them", Digits: 1},
				{Key: "after", Name: "MiB after", Digits: 1},
			},
		},
		{
			Key: "slow", Title: "A client that does not read",
			About: fmt.Sprintf("%d messages of %d bytes are broadcast to %d clients that read; then once more with one more client "+
				"that never does. The longest latency shows how long it held up the others.", s.SlowMessages, slowSize, s.Healthy),
			Metrics: []report.Metric{
				named(cpu, "CPU µs per delivery"), {Key: "p99", Name: "p99, ms", Digits: 2, Compared: true},
				{Key: "max", Name: "longest, ms", Digits: 1, Compared: true},
				{Key: "before", Name: "MiB before", Digits: 1}, {Key: "after", Name: "MiB after", Digits: 1},
			},
		},
		redisSection(),
	}
}

// scenarios are all lines of the report in their order.
func scenarios(s scale) []scenario {
	json := load.Target{Dialect: "json", Transport: load.WebSockets}
	msgpack := load.Target{Dialect: "messagepack", Transport: load.WebSockets}
	sse := load.Target{Dialect: "json", Transport: load.ServerSentEvents}
	polling := load.Target{Dialect: "json", Transport: load.LongPolling}
	idle := func(name string, t load.Target, conns, groups int) scenario {
		return scenario{section: "idle", name: fmt.Sprintf("%s, %d", name, conns), target: t,
			run: func(ctx context.Context, t load.Target) (load.Sample, error) {
				return load.Idle(ctx, t, load.IdleOptions{Conns: conns, Groups: groups, Hold: s.Hold})
			}}
	}
	rich := json
	rich.User, rich.Browser = "anna", true
	encrypted := idle("TLS", json, s.IdleTLS, 0)
	encrypted.tls = true
	all := []scenario{
		idle("WebSockets", json, s.Idle, 0),
		idle("WebSockets, a user, 3 groups, a browser's headers", rich, s.Idle, 3),
		encrypted,
		idle("server-sent events", sse, s.IdleHTTP, 0),
		idle("long polling", polling, s.IdleHTTP, 0),
	}
	for _, inFlight := range []int{1, 8} {
		for _, t := range []load.Target{json, msgpack} {
			all = append(all, echoScenario(s, t, inFlight))
		}
	}
	all = append(all, echoScenario(s, sse, 1), echoScenario(s, polling, 1))
	for _, window := range []int{2, 8} {
		for _, t := range []load.Target{json, msgpack} {
			all = append(all, fanScenario(s, t, "broadcast", window, 0))
		}
	}
	all = append(all, fanScenario(s, sse, "broadcast", 8, 0), fanScenario(s, polling, "broadcast", 8, 0))
	for _, t := range []load.Target{json, msgpack} {
		all = append(all, fanScenario(s, t, "group", 8, s.Groups))
	}
	negotiated := json
	negotiated.Negotiate = true
	all = append(all, stormScenario(s, "without negotiate", json), stormScenario(s, "with negotiate", negotiated),
		slowScenario(s, json, "all read", false), slowScenario(s, json, "one does not", true))
	for i := range all {
		all[i].target.Settle = s.Settle
	}
	return append(all, redisScenarios()...)
}

// titleOf names the transport and the protocol of a case.
func titleOf(t load.Target) string {
	switch {
	case t.Transport != load.WebSockets:
		return string(t.Transport)
	case t.Dialect == "messagepack":
		return "MessagePack"
	}
	return "JSON"
}

func echoScenario(s scale, t load.Target, inFlight int) scenario {
	return scenario{section: "echo", name: fmt.Sprintf("%s, %d in flight", titleOf(t), inFlight), target: t,
		run: func(ctx context.Context, t load.Target) (load.Sample, error) {
			return swarm(ctx, t, s.Echo, func(swarm *load.Swarm) (load.Sample, error) {
				return swarm.Echo(ctx, load.EchoOptions{Length: s.Length, InFlight: inFlight, Size: textSize})
			})
		}}
}

func fanScenario(s scale, t load.Target, section string, window, groups int) scenario {
	return scenario{section: section, name: fmt.Sprintf("%s, window %d", titleOf(t), window), target: t,
		run: func(ctx context.Context, t load.Target) (load.Sample, error) {
			return swarm(ctx, t, s.Fan, func(swarm *load.Swarm) (load.Sample, error) {
				return swarm.Fan(ctx, load.FanOptions{Length: s.Length, Window: window, Groups: groups, Size: textSize})
			})
		}}
}

func stormScenario(s scale, name string, t load.Target) scenario {
	return scenario{section: "storm", name: name, target: t,
		run: func(ctx context.Context, t load.Target) (load.Sample, error) { return load.Storm(ctx, t, s.Storm) }}
}

func slowScenario(s scale, t load.Target, name string, slow bool) scenario {
	o := load.SlowOptions{Healthy: s.Healthy, Slow: slow, Count: s.SlowMessages, Size: slowSize, Window: 8}
	return scenario{section: "slow", name: name, target: t,
		run: func(ctx context.Context, t load.Target) (load.Sample, error) { return load.Slow(ctx, t, o) }}
}

// swarm opens n connections for f.
func swarm(ctx context.Context, t load.Target, n int, f func(*load.Swarm) (load.Sample, error)) (load.Sample, error) {
	s, err := load.New(t)
	if err != nil {
		return load.Sample{}, err
	}
	defer s.Close()
	if err := s.Connect(ctx, n); err != nil {
		return load.Sample{}, err
	}
	return f(s)
}

// valuesOf are the metrics of a section in a sample.
func valuesOf(section string, s load.Sample) map[string]float64 {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	cpu := float64(s.CPUPerOp()) / float64(time.Microsecond)
	switch section {
	case "idle":
		held, collected := s.PerConn()
		return map[string]float64{"held": held, "collected": collected, "core": 100 * s.CPU.Seconds() / s.Time.Seconds()}
	case "storm":
		return map[string]float64{
			"cpu": cpu, "rate": s.PerSecond(), "before": mib(s.Before), "held": mib(s.Held), "after": mib(s.After),
		}
	case "redis":
		return redisValues(s.Redis)
	case "slow":
		return map[string]float64{
			"cpu": cpu, "p99": ms(s.P99), "max": ms(s.Max), "before": mib(s.Before), "after": mib(s.After),
		}
	}
	return map[string]float64{"cpu": cpu, "rate": s.PerSecond(), "p50": ms(s.P50), "p99": ms(s.P99)}
}
