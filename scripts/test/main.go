//go:build unix

// Command test runs every test of the repository and counts them. It is what `make test` calls.
//
// It installs what the tests need and the machine lacks, runs each part even when another one failed, and ends with
// the line "N passed, N failed" (", N skipped" when there are any). What is counted are test cases: Go tests without
// subtests of their own, and tests of Node's runner. A check that is no test, such as gofmt, counts only when it fails.
// The exit status is 0 only if something ran and nothing failed.
//
// With -only TEXT it runs the parts whose names contain the text.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// A part is one step of the run.
type part struct {
	name string
	run  func(context.Context) tally
}

// partLimit ends a part that hangs, so that the others still run and the closing line is still printed.
const partLimit = 20 * time.Minute

func main() {
	only := flag.String("only", "", "run only the parts whose `names` contain this text")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	total, err := runParts(ctx, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(2)
	}
	for _, failure := range total.failures {
		fmt.Println("FAILED", failure)
	}
	fmt.Println(total)
	if !total.ok() {
		os.Exit(1)
	}
}

// runParts runs all parts in the order in which they depend on each other.
func runParts(ctx context.Context, only string) (tally, error) {
	if _, err := os.Stat("go.work"); err != nil {
		return tally{}, fmt.Errorf("must run in the root of the repository: %w", err)
	}
	packages, err := findNPMPackages(".")
	if err != nil {
		return tally{}, err
	}

	parts := []part{
		{"system packages", installSystemPackages},
		{"build", check("make", "--no-print-directory", "build")},
		{"gofmt", checkFormat},
		{"go vet", check("go", "vet", "work")},
		{"go test", runGoTests},
	}
	for _, p := range packages {
		parts = append(parts, p.parts()...)
	}

	var total tally
	for _, p := range parts {
		if !strings.Contains(p.name, only) {
			continue
		}
		if ctx.Err() != nil {
			total.add(failure("%s was not run: %v", p.name, context.Cause(ctx)))
			continue
		}
		fmt.Printf("\n=== %s\n", p.name)
		start := time.Now()
		limited, cancel := context.WithTimeoutCause(ctx, partLimit, fmt.Errorf("%s took longer than %v", p.name, partLimit))
		result := p.run(limited)
		cancel()
		fmt.Printf("=== %s: %s in %v\n", p.name, result, time.Since(start).Round(100*time.Millisecond))
		total.add(result)
	}
	fmt.Println()
	return total, nil
}
