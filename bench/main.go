// Command bench measures this library's server and its peers in one go, interleaved, and writes the report
// docs/performance.md. See README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	full := fullScale()
	o := options{scale: full}
	flag.IntVar(&o.rounds, "rounds", 3, "how often everything is measured")
	flag.StringVar(&o.only, "only", "", "scenarios whose `section/name` contains one of these texts, separated by semicolons")
	flag.StringVar(&o.servers, "servers", "", "servers to measure, by `key`, separated by commas")
	flag.StringVar(&o.out, "o", "", "`file` that the report goes to; default: standard output")
	flag.StringVar(&o.samples, "samples", "", "`file` that every single measurement is appended to, a line of JSON each")
	flag.StringVar(&o.with, "with", "", "`file` of samples of an earlier run, to be part of the report")
	flag.StringVar(&o.profiles, "profiles", "", "`folder` for CPU profiles of our server, one for each scenario")
	flag.DurationVar(&o.quiet, "quiet", 0, "wait up to this long before each measurement for the machine to be quiet")
	flag.Float64Var(&o.calm, "calm", 0, "measure up to 4 times for others to use no more `cores` than this")
	flag.DurationVar(&o.scale.Warmup, "warmup", full.Warmup, "load before a measurement")
	flag.DurationVar(&o.scale.Duration, "duration", full.Duration, "length of a measurement under load")
	flag.DurationVar(&o.scale.Hold, "hold", full.Hold, "how long idle connections are held")
	flag.IntVar(&o.scale.Idle, "idle", full.Idle, "idle connections")
	flag.IntVar(&o.scale.Storm, "storm", full.Storm, "connections of the connect storm")
	list := flag.Bool("list", false, "list scenarios and servers")
	flag.Parse()
	if *list {
		printList(full)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o.progress = os.Stderr
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func printList(s scale) {
	for _, c := range scenarios(s) {
		fmt.Printf("%s/%s\n", c.section, c.name)
	}
	for _, p := range peers() {
		fmt.Printf("-servers %-18s %s\n", p.Key, p.About)
	}
}

// caseTimeout bounds one measurement of one server.
const caseTimeout = 5 * time.Minute
