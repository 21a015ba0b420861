package names

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestTable(t *testing.T) {
	var table Table
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 10 * slots { // more than there is room for
				want := fmt.Sprint("Method", i%(2*slots))
				if got := table.String([]byte(want)); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
	wg.Wait()
	for _, want := range []string{"", strings.Repeat("x", 1000)} {
		if got := table.String([]byte(want)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTableAllocates(t *testing.T) {
	var table Table
	name := []byte("Echo")
	table.String(name)
	if n := testing.AllocsPerRun(100, func() { table.String(name) }); n > 0 {
		t.Errorf("%v allocations for a name that came before", n)
	}
}
