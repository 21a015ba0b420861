//go:build unix

package torture

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

// disturbance is something that goes wrong, and is mended.
type disturbance struct {
	at   time.Duration // since the run began
	name string
	do   func(t *testing.T) error
}

// mostDown is how long a killed server stays away at most.
const mostDown = 1500 * time.Millisecond

// disturbances are what happens in a run: to the servers, which are killed at random moments, and of which one is paused;
// and meanwhile to PostgreSQL, which is restarted, and to Redis, which goes and comes back empty.
func disturbances(f *farm, p plan, rng *rand.Rand) (servers, services []disturbance) {
	some := func(name string, do func(t *testing.T) error) disturbance {
		return disturbance{time.Duration(rng.Int64N(int64(p.duration))), name, do}
	}
	for range p.kills {
		n, down := f.nodes[rng.IntN(len(f.nodes))], time.Duration(rng.Int64N(int64(mostDown)))
		name := fmt.Sprintf("kill -9 of server %s, away for %v", n.name, down.Round(time.Millisecond))
		servers = append(servers, some(name, func(t *testing.T) error {
			n.kill()
			pause(t.Context(), down)
			return n.start(t.Context())
		}))
	}
	if p.outage > 0 {
		n := f.nodes[rng.IntN(len(f.nodes))]
		name := fmt.Sprintf("SIGSTOP of server %s for %v", n.name, p.outage)
		servers = append(servers, some(name, func(t *testing.T) error {
			n.signal(syscall.SIGSTOP)
			pause(t.Context(), p.outage)
			n.signal(syscall.SIGCONT)
			return n.ready(t.Context())
		}))
	}
	if f.redis != nil && p.outage > 0 {
		services = append(services, some(fmt.Sprintf("Redis away for %v, back empty", p.outage), func(t *testing.T) error {
			f.redis.Stop()
			pause(t.Context(), p.outage)
			f.redis.Start()
			return f.ready(t.Context())
		}))
	}
	if f.postgres != nil {
		services = append(services, some("PostgreSQL restarted", func(t *testing.T) error {
			if !f.postgres.Restart(t) {
				t.Log("a PostgreSQL that is not this test's own is left alone")
			}
			return f.ready(t.Context())
		}))
	}
	return servers, services
}

// disturb does what is to happen to the servers, one after the other, and at the same time what is to happen to the
// services. What is not mended within its bound is an error, and what was to follow is left out.
func disturb(t *testing.T, servers, services []disturbance) (err error) {
	t.Helper()
	began := time.Now()
	inTurn := func(all []disturbance) error {
		slices.SortFunc(all, func(a, b disturbance) int { return cmp.Compare(a.at, b.at) })
		for _, d := range all {
			if !pause(t.Context(), d.at-time.Since(began)) {
				return t.Context().Err()
			}
			at := time.Since(began)
			if err := d.do(t); err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			t.Logf("%7.2fs  %s: mended after %.2fs", at.Seconds(), d.name, (time.Since(began) - at).Seconds())
		}
		return nil
	}
	done := make(chan error)
	go func() { done <- inTurn(servers) }()
	defer func() { // also when a service has ended the test, which only this goroutine may
		err = errors.Join(err, <-done)
	}()
	return inTurn(services)
}
