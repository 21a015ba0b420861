package signalr

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"testing"
)

// TestExpectedFailuresAreNoWarnings calls methods that fail: what a method tells its client on purpose is no warning.
func TestExpectedFailuresAreNoWarnings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var out lockedBuffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		failing := map[string]error{"Refuse": Errorf("not yours"), "Fail": errors.New("the disk is full")}
		s := hubServer(t, &HubOptions{Logger: log}, func(hub *Hub) {
			for name, err := range failing {
				hub.Handle(name, Action0(func(context.Context, *Caller) error { return err }))
				hub.HandleStream(name+"Stream", Stream0(func(context.Context, *Caller) iter.Seq2[int, error] {
					return func(yield func(int, error) bool) { yield(0, err) }
				}))
			}
		})
		c := s.connect()
		for name := range failing {
			c.send(invocation("1", name))
			c.next()
			c.send(strings.Replace(invocation("2", name+"Stream"), `"type":1`, `"type":4`, 1))
			c.next()
		}
		for method, level := range map[string]string{"Refuse": "DEBUG", "RefuseStream": "DEBUG", "Fail": "WARN", "FailStream": "WARN"} {
			found := 0
			for line := range strings.Lines(out.String()) {
				if strings.Contains(line, "failed") && strings.Contains(line, "method="+method+" ") {
					found++
					if !strings.Contains(line, "level="+level) {
						t.Errorf("%s: want level %s: %s", method, level, line)
					}
				}
			}
			if found != 1 {
				t.Errorf("%s: %d lines, want 1:\n%s", method, found, out.String())
			}
		}
	})
}
