package signalr

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
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

// TestFailuresNobodyWaitsFor calls methods without asking for an answer: the log is the only place where a failure shows.
func TestFailuresNobodyWaitsFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var out lockedBuffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s := hubServer(t, &HubOptions{Logger: log}, func(hub *Hub) {
			hub.Handle("Fail", Action0(func(context.Context, *Caller) error { return errors.New("the disk is full") }))
			hub.Handle("Add", Func2(func(_ context.Context, _ *Caller, a, b int) (int, error) { return a + b, nil }))
		})
		c := s.connect()
		c.send(`{"type":1,"target":"Fail","arguments":[]}`)
		c.send(`{"type":1,"target":"NoSuch","arguments":[]}`)
		c.send(`{"type":1,"target":"Add","arguments":[1,"two"]}`)
		c.send(`{"type":1,"target":"Add","arguments":[1]}`)
		c.send(invocation("1", "Fail"))
		c.next() // what came before it has run
		for _, want := range []string{
			`level=WARN msg="hub method failed" hub=/hub`, `method=Fail error="the disk is full"`,
			`level=DEBUG msg="call refused" hub=/hub`, `method=NoSuch error="Failed to invoke 'NoSuch' due to an error on the server.`,
			`level=DEBUG msg="arguments do not fit" hub=/hub`, `argument=1 cause=`,
			`method=Add error="Invocation provides 1 argument(s) but target expects 2."`,
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no line has %q:\n%s", want, out.String())
			}
		}
		if n := strings.Count(out.String(), "the disk is full"); n != 2 {
			t.Errorf("%d lines about the calls that failed, want one for each of 2:\n%s", n, out.String())
		}
	})
}

// TestGoneClientIsNoWarning: a method whose context ends because its client went away says so, which is no news.
func TestGoneClientIsNoWarning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var out lockedBuffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s := hubServer(t, &HubOptions{Logger: log}, func(hub *Hub) {
			hub.Handle("Wait", Action0(func(ctx context.Context, _ *Caller) error {
				<-ctx.Done()
				return ctx.Err()
			}))
		})
		c := s.connect()
		c.send(invocation("1", "Wait"))
		synctest.Wait()
		_ = c.ws.Close()
		synctest.Wait()
		if got := out.String(); !strings.Contains(got, `level=DEBUG msg="hub method failed"`) || strings.Contains(got, "WARN") {
			t.Errorf("want a line at DEBUG and none at WARN:\n%s", got)
		}
	})
}

// TestUnencodableIsAWarning: a result or an item that cannot be encoded ends the connection; the log names the method.
func TestUnencodableIsAWarning(t *testing.T) {
	for method, kind := range map[string]string{"Result": `"type":1`, "Item": `"type":4`} {
		t.Run(method, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var out lockedBuffer
				s := hubServer(t, &HubOptions{Logger: slog.New(slog.NewTextHandler(&out, nil))}, func(hub *Hub) {
					hub.Handle("Result", Func0(func(context.Context, *Caller) (any, error) { return make(chan int), nil }))
					hub.HandleStream("Item", Stream0(func(context.Context, *Caller) iter.Seq2[any, error] {
						return func(yield func(any, error) bool) { yield(make(chan int), nil) }
					}))
				})
				c := s.connect()
				c.send(strings.Replace(invocation("1", method), `"type":1`, kind, 1))
				c.next() // the Close message
				want := "method=" + method + ` error="encoding a message`
				if got := out.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, want) {
					t.Errorf("no warning with %q:\n%s", want, got)
				}
			})
		})
	}
}
