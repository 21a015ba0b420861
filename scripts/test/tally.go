//go:build unix

package main

import "fmt"

// A tally counts test cases. The zero value is an empty one.
type tally struct {
	passed, failed, skipped int
	failures                []string // what failed, for the end of the report
}

// failure is the tally of one thing that failed.
func failure(format string, args ...any) tally {
	return tally{failed: 1, failures: []string{fmt.Sprintf(format, args...)}}
}

func (t *tally) add(u tally) {
	t.passed += u.passed
	t.failed += u.failed
	t.skipped += u.skipped
	t.failures = append(t.failures, u.failures...)
}

// ran tells whether any test ran. A run of none must not look like a success.
func (t tally) ran() bool { return t.passed+t.failed > 0 }

func (t tally) ok() bool { return t.ran() && t.failed == 0 }

func (t tally) String() string {
	s := fmt.Sprintf("%d passed, %d failed", t.passed, t.failed)
	if t.skipped > 0 {
		s += fmt.Sprintf(", %d skipped", t.skipped)
	}
	return s
}
