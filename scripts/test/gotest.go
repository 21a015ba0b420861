//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// runGoTests runs the tests of all modules of the workspace with the race detector.
func runGoTests(ctx context.Context) tally {
	cmd := command(ctx, "go", "test", "-race", "-json", "work")
	result, err := read(cmd, func(r io.Reader) tally { return readGoTest(r, os.Stdout) })
	switch {
	case err != nil && result.failed == 0:
		result.add(failure("go test: %v", reason(ctx, err)))
	case !result.ran():
		result.add(failure("go test ran no test"))
	}
	return result
}

// goEvent is a line of `go test -json`: see `go doc test2json` and, for builds, `go help buildjson`.
type goEvent struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// goPackage is what is known of a package while its tests run.
type goPackage struct {
	output []string // what was printed outside the tests
	cases  map[string]*goCase
}

type goCase struct {
	outcome     string // pass, fail, skip, or empty while it runs
	output      []string
	hasSubtests bool
}

// readGoTest reads the output of `go test -json`, writes a line for each package and all about failures, and counts
// the cases.
func readGoTest(r io.Reader, w io.Writer) tally {
	var total tally
	packages := map[string]*goPackage{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var event goEvent
			if json.Unmarshal(line, &event) != nil || event.Action == "" {
				w.Write(line) // not from the tests, but from go itself
			} else {
				event.apply(packages, &total, w)
			}
		}
		if err != nil {
			return total
		}
	}
}

func (e *goEvent) apply(packages map[string]*goPackage, total *tally, w io.Writer) {
	if strings.HasPrefix(e.Action, "build-") {
		io.WriteString(w, e.Output)
		return
	}
	p := packages[e.Package]
	if p == nil {
		p = &goPackage{cases: map[string]*goCase{}}
		packages[e.Package] = p
	}
	if e.Test != "" {
		p.apply(e, w)
		return
	}
	switch e.Action {
	case "output":
		p.output = append(p.output, e.Output)
	case "pass", "fail", "skip":
		result := p.count(e, w)
		if result.ran() || result.skipped > 0 {
			verdict := "ok"
			if result.failed > 0 {
				verdict = "FAIL"
			}
			fmt.Fprintf(w, "%-4s  %s  %s in %.1fs\n", verdict, e.Package, result, e.Elapsed)
		}
		total.add(result)
		delete(packages, e.Package)
	}
}

// apply takes in an event of a single test.
func (p *goPackage) apply(e *goEvent, w io.Writer) {
	c := p.cases[e.Test]
	if c == nil {
		c = &goCase{}
		p.cases[e.Test] = c
		// A name may hold slashes of its own, so a subtest belongs to every test that its name begins with.
		for name := e.Test; strings.Contains(name, "/"); {
			name = name[:strings.LastIndexByte(name, '/')]
			if parent := p.cases[name]; parent != nil {
				parent.hasSubtests = true
			}
		}
	}
	switch e.Action {
	case "output":
		c.output = append(c.output, e.Output)
	case "fail":
		fmt.Fprintf(w, "%s %s\n", e.Package, strings.Join(c.output, ""))
		fallthrough
	case "pass", "skip":
		c.outcome, c.output = e.Action, nil
	}
}

// count counts the cases of a package that has ended.
func (p *goPackage) count(e *goEvent, w io.Writer) tally {
	var result tally
	for name, c := range p.cases {
		// A test with subtests is counted by them, unless it failed where they did not.
		if c.hasSubtests && (c.outcome != "fail" || p.anyFailedBelow(name)) {
			continue
		}
		switch c.outcome {
		case "pass":
			result.passed++
		case "skip":
			result.skipped++
		case "fail":
			result.add(failure("%s %s", e.Package, name))
		}
	}
	if e.Action == "fail" && result.failed == 0 {
		// It did not build, or it died, or something outside the tests (TestMain) failed.
		io.WriteString(w, strings.Join(p.output, ""))
		for _, c := range p.cases {
			if c.outcome == "" {
				io.WriteString(w, strings.Join(c.output, ""))
			}
		}
		result.add(failure("%s", e.Package))
	}
	return result
}

func (p *goPackage) anyFailedBelow(parent string) bool {
	for name, c := range p.cases {
		if c.outcome == "fail" && strings.HasPrefix(name, parent+"/") {
			return true
		}
	}
	return false
}
