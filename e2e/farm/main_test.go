package farm

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"signalbox/e2e/hosttest"
	"signalbox/signalr/redisbackplane/redistest"
)

var (
	clients = flag.Int("clients", 60, "how many clients a farm has")
	outage  = flag.Duration("outage", 3*time.Second, "how long Redis is away")
)

// host is the program of a node, or why there is none.
var (
	host    string
	hostErr error
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if _, hostErr = redistest.Find(); hostErr == nil {
		dir, err := os.MkdirTemp("", "farm")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if host, err = hosttest.Build(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}
