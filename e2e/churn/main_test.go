package churn

import (
	"flag"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test is short by default; `make churn` runs it with a thousand clients for minutes.
var (
	duration = flag.Duration("duration", 2*time.Second, "how long clients come and go")
	crowd    = flag.Int("clients", 50, "how many clients there are at a time")
	seed     = flag.Uint64("seed", 0, "what the clients' choices come from; 0 takes a new one, which is printed")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
