package load

import (
	"math/bits"
	"time"
)

// subBuckets is how many buckets lie between a power of two and the next: a value is off by 1/64 at most.
const subBuckets = 32

// Histogram counts durations in buckets whose width grows with the value, so that any number of them takes the same
// memory. The zero value is ready. It is not safe for concurrent use.
type Histogram struct {
	counts [64 * subBuckets]uint64
	n      uint64
	max    time.Duration
}

// Add counts one duration. Negative ones count as zero.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.n++
	h.max = max(h.max, d)
}

// bucket numbers: below 2*subBuckets one for each value, from there subBuckets for each power of two.
func bucket(v uint64) int {
	if v < 2*subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - bits.Len64(subBuckets)
	return shift*subBuckets + int(v>>shift)
}

// middle is the inverse of bucket: the value in the middle of bucket i.
func middle(i int) uint64 {
	if i < 2*subBuckets {
		return uint64(i)
	}
	shift := i/subBuckets - 1
	low := uint64(i%subBuckets+subBuckets) << shift
	return low + (uint64(1)<<shift)/2
}

// Count returns how many durations have been added.
func (h *Histogram) Count() uint64 { return h.n }

// Max returns the longest duration, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Percentile returns the smallest duration that at least the share p of all durations do not exceed, to the width of a
// bucket; 0.99 is the 99th percentile. It is zero when nothing was added.
func (h *Histogram) Percentile(p float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	want := uint64(p * float64(h.n))
	if float64(want) < p*float64(h.n) || want == 0 {
		want++
	}
	seen := uint64(0)
	for i, c := range h.counts {
		if seen += c; seen >= want {
			return min(time.Duration(middle(i)), h.max)
		}
	}
	return h.max
}

// Reset forgets all durations.
func (h *Histogram) Reset() { *h = Histogram{} }
