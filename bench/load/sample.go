package load

import (
	"os"
	"time"

	"signalbox/bench/proc"
)

// Sample is what one run of one scenario measured. What a scenario does not measure is zero.
type Sample struct {
	// Ops is how many operations there were in Time: invocations with their result, deliveries to one receiver, or
	// connects.
	Ops  uint64        `json:"ops,omitempty"`
	Time time.Duration `json:"time_ns,omitempty"`
	// CPU is the processor time that the server used, Own the generator's, Others what the rest of the machine used
	// meanwhile.
	CPU    time.Duration `json:"cpu_ns,omitempty"`
	Own    time.Duration `json:"own_cpu_ns,omitempty"`
	Others time.Duration `json:"others_cpu_ns,omitempty"`
	// P50, P99 and Max are latencies: of an invocation from call to result, of a delivery from call to arrival.
	P50 time.Duration `json:"p50_ns,omitempty"`
	P99 time.Duration `json:"p99_ns,omitempty"`
	Max time.Duration `json:"max_ns,omitempty"`
	// Conns is the number of connections. Before, Held and Collected are the server's resident memory in bytes without
	// them, with them, and with them after a full collection; After is that of a collection when they had left.
	Conns     int   `json:"conns,omitempty"`
	Before    int64 `json:"before_bytes,omitempty"`
	Held      int64 `json:"held_bytes,omitempty"`
	Collected int64 `json:"collected_bytes,omitempty"`
	After     int64 `json:"after_bytes,omitempty"`
	// Slow tells what became of a client that never read.
	Slow string `json:"slow,omitempty"`
	// Redis is what messages between servers cost Redis.
	Redis RedisUse `json:"redis,omitzero"`
}

// RedisUse is what some messages cost Redis, all of them together.
type RedisUse struct {
	// Messages is how many there were, Deliveries how many clients got one.
	Messages   int `json:"messages"`
	Deliveries int `json:"deliveries"`
	// Commands counts what Redis ran, by name.
	Commands map[string]int `json:"commands"`
	// To and From are bytes to Redis and from it.
	To   int64 `json:"to_bytes"`
	From int64 `json:"from_bytes"`
	// Sender and Other count what Redis brought to the sender's server, and to the other one.
	Sender int `json:"sender"`
	Other  int `json:"other"`
}

// CPUPerOp returns the server's processor time for one operation.
func (s Sample) CPUPerOp() time.Duration { return ratio(s.CPU, s.Ops) }

// PerSecond returns how many operations there were in a second.
func (s Sample) PerSecond() float64 {
	if s.Time <= 0 {
		return 0
	}
	return float64(s.Ops) / s.Time.Seconds()
}

func ratio(d time.Duration, n uint64) time.Duration {
	if n == 0 {
		return 0
	}
	return time.Duration(float64(d)/float64(n) + 0.5)
}

// usage is the processor time used up to a moment.
type usage struct {
	at                time.Time
	server, own, busy time.Duration
}

func usageOf(pid int) (usage, error) {
	u := usage{at: time.Now()}
	var err error
	if u.server, err = proc.CPU(pid); err != nil {
		return u, err
	}
	if u.own, err = proc.CPU(os.Getpid()); err != nil {
		return u, err
	}
	u.busy, err = proc.Busy()
	return u, err
}

// since fills in what was used from one moment to another.
func (s *Sample) since(from, to usage) {
	s.Time, s.CPU, s.Own = to.at.Sub(from.at), to.server-from.server, to.own-from.own
	s.Others = max(to.busy-from.busy-s.CPU-s.Own, 0)
}
