package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/bench/load"
	"signalbox/signalr/redisbackplane/redistest"
)

// tinyScale runs each scenario just long enough to see that it works.
func tinyScale() scale {
	return scale{
		Length: load.Length{Warmup: 50 * time.Millisecond, Duration: 100 * time.Millisecond},
		Hold:   50 * time.Millisecond, Idle: 20, IdleTLS: 10, IdleHTTP: 10,
		Echo: 4, Fan: 20, Groups: 4, Storm: 20, Healthy: 3, SlowMessages: 40, Settle: 20 * time.Millisecond,
	}
}

// TestSmoke runs every scenario against this library's server and the plain one, and reads the report.
func TestSmoke(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts servers")
	}
	dir := t.TempDir()
	var progress strings.Builder
	o := options{
		scale: tinyScale(), rounds: 1, servers: ours + ",tcp," + recordedKey, progress: &progress,
		out: filepath.Join(dir, "performance.md"), samples: filepath.Join(dir, "samples.jsonl"),
	}
	if err := run(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	b, err := os.ReadFile(o.out)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if strings.Contains(text, "failed") {
		t.Errorf("a scenario failed:\n%s", text)
	}
	_, noRedis := redistest.Find()
	for _, c := range scenarios(o.scale) {
		if c.redis != nil && noRedis != nil {
			continue
		}
		if !strings.Contains(text, "| "+c.name+" | Signalbox | ") {
			t.Errorf("the report has no line %q", c.name)
		}
	}
	for _, line := range []string{"| Signalbox | go1.", "| bare TCP | go1.", "| Echo, JSON, 1 in flight: CPU µs per invocation | "} {
		if !strings.Contains(text, line) {
			t.Errorf("the report has no line that begins with %q:\n%s", line, text)
		}
	}
	samples, err := os.ReadFile(o.samples)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(string(samples), "\n"), strings.Count(progress.String(), "\n1 "); got != want {
		t.Errorf("there are %d samples of %d measurements", got, want)
	}
}

// TestServerThatDoesNotStart holds that it ends with what the server said, and not by waiting.
func TestServerThatDoesNotStart(t *testing.T) {
	_, err := start(t.Context(), []string{"sh", "-c", "echo out of order >&2; exit 3", "sh"}, nil, "http")
	if err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("got %v, want what the server said", err)
	}
}

// TestNotOurs holds that what the environment does not name is left out with a reason, and that there must be something
// to measure.
func TestNotOurs(t *testing.T) {
	t.Setenv(referenceVariable, "")
	var progress strings.Builder
	err := run(t.Context(), options{scale: tinyScale(), rounds: 1, servers: "aspnetcore", progress: &progress})
	if err == nil || !strings.Contains(progress.String(), referenceVariable) {
		t.Errorf("got %v and %q", err, progress.String())
	}
}
