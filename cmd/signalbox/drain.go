package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"signalbox/signalr"
)

// drainFlags say how the server ends.
type drainFlags struct {
	DrainDelay   time.Duration `help:"How long readiness fails before anything ends, for balancers to notice." default:"0s" env:"SIGNALBOX_DRAIN_DELAY"`
	DrainRate    int           `help:"How many live connections are asked to go in a second, so that they do not all come to the other servers at once; 0 for all at once." default:"200" env:"SIGNALBOX_DRAIN_RATE"`
	DrainTimeout time.Duration `help:"How long the end may take in all, with the delay. It is kept even if the rate is not." default:"30s" env:"SIGNALBOX_DRAIN_TIMEOUT"`
	PIDFile      string        `help:"File to write the process id into, for the command drain." name:"pid-file" type:"path" env:"SIGNALBOX_PID_FILE"`
}

func (f drainFlags) check() error {
	switch {
	case f.DrainDelay < 0 || f.DrainRate < 0:
		return errors.New("--drain-delay and --drain-rate must not be negative")
	case f.DrainTimeout <= f.DrainDelay:
		return fmt.Errorf("--drain-timeout %v leaves no time after --drain-delay %v", f.DrainTimeout, f.DrainDelay)
	}
	return nil
}

// mostFlushTime is how much of the time-out is kept for what is to be sent when all connections are gone, a fifth at
// most.
const mostFlushTime = 5 * time.Second

// drain ends the server in order: readiness fails, balancers have time to notice, nobody negotiates any more, connections
// go at the rate, requests come to their end, and what is left in the outbox is sent to the other servers. ctx must not
// end with what made the server end.
func (f drainFlags) drain(ctx context.Context, server *http.Server, app *application, log *slog.Logger) error {
	began := time.Now()
	all, cancel := context.WithTimeout(ctx, f.DrainTimeout)
	defer cancel()
	limit, cancel := context.WithTimeout(ctx, f.DrainTimeout-min(mostFlushTime, f.DrainTimeout/5))
	defer cancel()
	app.probes.draining.Store(true)
	log.Info("draining: readiness fails from now on", "delay", f.DrainDelay)
	select {
	case <-time.After(f.DrainDelay):
	case <-limit.Done():
	}
	n := app.connections.Connections()
	log.Info("draining: connections are asked to go", "connections", n, "rate", f.DrainRate)
	if deadline, _ := limit.Deadline(); float64(n) > float64(f.DrainRate)*time.Until(deadline).Seconds()*3/4 && f.DrainRate > 0 {
		log.Warn("draining: --drain-timeout is too short for --drain-rate; connections go faster than that")
	}
	err := app.connections.Drain(limit, &signalr.DrainOptions{Rate: f.DrainRate})
	if late := server.Shutdown(limit); late != nil {
		err = errors.Join(err, late, server.Close()) // what is not done by now is cut
	}
	if late := app.publisher.Flush(all); late != nil {
		log.Warn("what was stored last is shown when clients come back", "error", late)
	}
	log.Info("drained", "took", time.Since(began).Round(time.Millisecond))
	return err
}

// drainCmd asks a server to drain.
type drainCmd struct {
	PIDFile string        `help:"The file that the server was given as --pid-file." name:"pid-file" type:"path" env:"SIGNALBOX_PID_FILE"`
	Wait    time.Duration `help:"How long to wait for the server to end." default:"60s"`
}

// Run sends SIGTERM to the server and waits until its process is over. Whoever may not send it signals may not drain it.
func (c *drainCmd) Run(ctx context.Context) error {
	if c.PIDFile == "" {
		return errors.New("--pid-file is needed to find the server")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Wait, fmt.Errorf("the server is still there after %v", c.Wait))
	defer cancel()
	if err := terminate(c.PIDFile); err != nil {
		return err
	}
	return awaitEnd(ctx, c.PIDFile)
}
