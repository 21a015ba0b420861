package httpconn

import "testing"

// TestTrimmer: memory is given back once, when it is quiet after many have come or gone.
func TestTrimmer(t *testing.T) {
	freed := 0
	trim := trimmer{free: func() { freed++ }}
	for i, step := range []struct{ more, want int }{
		{trimAfter - 1, 0}, {0, 0}, // too few
		{1, 0}, {0, 1}, {0, 1}, // enough, once it is quiet
		{trimAfter, 1}, {1, 1}, {0, 2}, // not while they come
	} {
		trim.count.Add(int64(step.more))
		if trim.tick(); freed != step.want {
			t.Errorf("step %d: given back %d times, want %d", i, freed, step.want)
		}
	}
	var unwanted trimmer
	unwanted.count.Add(2 * trimAfter)
	unwanted.tick()
	unwanted.tick()
}
