//go:build unix

package torture

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalbox/e2e/hosttest"
)

// The test is short by default; `make torture` runs the long ones.
var (
	duration  = flag.Duration("duration", 6*time.Second, "how long notifications are published, at least: until all is healed")
	kills     = flag.Int("kills", 2, "how often a server is killed and started again")
	crowdSize = flag.Int("clients", 10, "how many clients there are; each user has two of them")
	rate      = flag.Int("rate", 40, "how many requests to publish there are in a second, at most")
	nodes     = flag.Int("nodes", 1, "how many servers there are; several have PostgreSQL and Redis, which are disturbed too")
	outage    = flag.Duration("outage", 2*time.Second, "how long Redis is gone, and how long a server is paused")
	seed      = flag.Uint64("seed", 0, "what all choices come from; 0 takes a new one, which is printed")
	rolling   = flag.Int("rolling", 24, "how many clients there are while servers are restarted in turn")
	spoil     sabotage
)

func init() {
	flag.Var(&spoil, "sabotage", "spoil what the first client shows, which must be noticed: drop, which is what no value means, double or swap")
}

// sabotage is what is done to one client on purpose, or nothing.
type sabotage string

// String implements [flag.Value].
func (s *sabotage) String() string { return string(*s) }

// IsBoolFlag lets the flag stand without a value.
func (s *sabotage) IsBoolFlag() bool { return true }

// Set implements [flag.Value].
func (s *sabotage) Set(value string) error {
	if value == "true" {
		value = "drop"
	}
	if !slices.Contains([]string{"drop", "double", "swap"}, value) {
		return fmt.Errorf("want drop, double or swap")
	}
	*s = sabotage(value)
	return nil
}

// runSeed is the seed of a run.
func runSeed() uint64 {
	if *seed == 0 {
		return uint64(time.Now().UnixNano())
	}
	return *seed
}

// buildDir is where the server is built.
var buildDir string

// buildServer builds the server once, and returns the program.
var buildServer = sync.OnceValues(func() (string, error) { return hosttest.BuildCommand(buildDir, "signalbox/cmd/signalbox") })

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "torture"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(buildDir) // the system does it otherwise
		os.Exit(code)
	}))
}
