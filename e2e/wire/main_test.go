package wire_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

// Flags of these tests. How many scenarios run at a time is the -parallel flag of go test; here it is 8 by default,
// because scenarios spend their time waiting.
var (
	servers     = flag.Int("servers", 4, "servers that may run at a time")
	answer      = flag.Duration("answer", 5*time.Second, "how long the server may take for an answer")
	corruptAll  = flag.Bool("mutate", false, "corrupt every transcript, not only a sample, to prove that the replay notices")
	corruptSeed = flag.Uint64("seed", 1, "seed of what is corrupted")
	detail      = flag.Bool("detail", false, "play the MessagePack frames with detailed errors and compare the texts of .NET exceptions")
)

// buildDir is where the server is built; it lives as long as the test process.
var buildDir string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	parallel := false
	flag.Visit(func(f *flag.Flag) { parallel = parallel || f.Name == "test.parallel" })
	if !parallel {
		if err := flag.Set("test.parallel", "8"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
	}
	dir, err := os.MkdirTemp("", "signalbox-wire-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	buildDir = dir
	defer os.RemoveAll(dir) // a leftover in the temporary directory harms nobody
	return m.Run()
}
