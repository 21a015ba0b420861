// Package report turns what a benchmark measured into a document: medians, spreads, and the ratio of one server to each
// of the others.
package report

import (
	"math"
	"slices"
)

// Spread is a set of values of the same kind: the median, the smallest and the largest. N is how many there are.
type Spread struct {
	Median, Min, Max float64
	N                int
}

// SpreadOf returns the spread of values, all of them zero when there are none.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	middle := len(v) / 2
	s := Spread{Median: v[middle], Min: v[0], Max: v[len(v)-1], N: len(v)}
	if len(v)%2 == 0 {
		s.Median = (v[middle-1] + v[middle]) / 2
	}
	return s
}

// Ratio returns the ratio of the medians of two sets. It is not a number when there is nothing to compare.
func Ratio(ours, theirs Spread) float64 {
	if ours.N == 0 || theirs.N == 0 || theirs.Median <= 0 {
		return math.NaN()
	}
	return ours.Median / theirs.Median
}
