package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramPercentiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var many []time.Duration
	for range 10_000 {
		many = append(many, time.Duration(random.ExpFloat64()*float64(3*time.Millisecond)))
	}
	rows := []struct {
		name   string
		values []time.Duration
	}{
		{"one", []time.Duration{5 * time.Millisecond}},
		{"two", []time.Duration{time.Microsecond, time.Second}},
		{"small", []time.Duration{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"negative counts as zero", []time.Duration{-5, -1, 0}},
		{"edges of buckets", []time.Duration{31, 32, 63, 64, 65, 127, 128, 1 << 20, 1<<20 - 1, 1 << 40}},
		{"many", many},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var h Histogram
			for _, v := range row.values {
				h.Add(v)
			}
			sorted := slices.Clone(row.values)
			for i := range sorted {
				sorted[i] = max(sorted[i], 0)
			}
			slices.Sort(sorted)
			if h.Count() != uint64(len(sorted)) || h.Max() != sorted[len(sorted)-1] {
				t.Errorf("count %d and max %v, want %d and %v", h.Count(), h.Max(), len(sorted), sorted[len(sorted)-1])
			}
			for _, p := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
				rank := int(p * float64(len(sorted)))
				if float64(rank) == p*float64(len(sorted)) {
					rank--
				}
				want := sorted[max(rank, 0)]
				got := h.Percentile(p)
				if off := (got - want).Abs(); off > want/64+1 {
					t.Errorf("percentile %v is %v, want %v to 1/64", p, got, want)
				}
			}
		})
	}
}

func TestHistogramEmpty(t *testing.T) {
	var h Histogram
	h.Add(time.Second)
	h.Reset()
	if h.Percentile(0.5) != 0 || h.Count() != 0 || h.Max() != 0 {
		t.Errorf("an empty histogram has percentile %v, count %d, max %v", h.Percentile(0.5), h.Count(), h.Max())
	}
}

func TestBucketsCoverEverything(t *testing.T) {
	last := -1
	for shift := range 63 {
		for _, v := range []uint64{1 << shift, 1<<shift + 1<<shift/3, 1<<(shift+1) - 1} {
			i := bucket(v)
			if i < last || i >= len(Histogram{}.counts) {
				t.Fatalf("%d is in bucket %d, the smaller one before in %d", v, i, last)
			}
			last = i
			if m := middle(i); max(m, v)-min(m, v) > v/64 {
				t.Errorf("%d is in the bucket of %d", v, m)
			}
		}
	}
}
