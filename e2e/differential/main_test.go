package differential_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

var (
	exchanges = flag.Int("exchanges", 500, "how many exchanges to play")
	seed      = flag.Uint64("seed", 1, "seed of the exchanges")
	only      = flag.Int("only", -1, "play this exchange alone, and show it")
	families  = flag.String("family", "", "play exchanges of this family alone")
	workers   = flag.Int("workers", 32, "exchanges that are played at a time")
	most      = flag.Int("most", 5, "differences to shrink and show in full")
)

// buildDir is where our server is built; it lives as long as the test process.
var buildDir string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "signalbox-differential-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	buildDir = dir
	code := m.Run()
	os.RemoveAll(dir) // a leftover in the temporary directory harms nobody
	os.Exit(code)
}
