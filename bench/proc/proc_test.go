package proc

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const stat = "1234 (odd) name) (x)) S 1 1234 1234 0 -1 4194560 1000 0 5 0 250 50 0 0 20 0 9 0 777 1000000 2000"
	if cpu, err := parseStat([]byte(stat)); cpu != 3*time.Second || err != nil {
		t.Errorf("processor time %v, %v, want 3s", cpu, err)
	}
	busy, err := parseBusy([]byte("cpu  100 10 50 99999 999 3 2 5 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n"))
	if want := 1700 * time.Millisecond; busy != want || err != nil {
		t.Errorf("busy for %v, %v, want %v", busy, err, want)
	}
	m, err := parseRollup([]byte("55d4-7ffd ---p 00000000 00:00 0 [rollup]\nRss:   1772 kB\nPss:    362 kB\nPss_Dirty: 9 kB\n"))
	if want := (Memory{RSS: 1772 << 10, PSS: 362 << 10}); m != want || err != nil {
		t.Errorf("memory %+v, %v, want %+v", m, err, want)
	}
}

func TestParseNonsense(t *testing.T) {
	for _, text := range []string{"", "1 (x) S 1", "1 (x) S a b c d e f g h i j k l m n o", "cpu", "cpu a b c d e f g h", "Rss: x kB", "Rss: 1 kB"} {
		if v, err := parseStat([]byte(text)); err == nil {
			t.Errorf("stat %q gives %v", text, v)
		}
		if v, err := parseBusy([]byte(text)); err == nil {
			t.Errorf("/proc/stat %q gives %v", text, v)
		}
		if v, err := parseRollup([]byte(text)); err == nil {
			t.Errorf("smaps_rollup %q gives %+v", text, v)
		}
	}
}

// TestOfOneself reads what this process uses, and that it grows when it works.
func TestOfOneself(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	busyBefore, err := Busy()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for deadline := time.Now().Add(30 * time.Second); ; sum++ {
		if sum%1_000_000 != 0 {
			continue
		}
		now, err := CPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if now >= before+3*tick {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s of work the processor time is %v, before it was %v", now, before)
		}
	}
	if busy, err := Busy(); err != nil || busy <= busyBefore {
		t.Errorf("the machine was busy for %v before and %v after, %v", busyBefore, busy, err)
	}
	if m, err := MemoryOf(os.Getpid()); err != nil || m.RSS < 1<<20 || m.PSS <= 0 || m.PSS > m.RSS {
		t.Errorf("memory %+v, %v", m, err)
	}
	if _, err := CPU(-1); err == nil {
		t.Error("a process that cannot be has used processor time")
	}
	if _, err := MemoryOf(-1); err == nil {
		t.Error("a process that cannot be has memory")
	}
	if m := Machine(); !strings.Contains(m, "processors") || !strings.Contains(m, "Linux") {
		t.Errorf("the machine is %q", m)
	}
	if v := DotnetVersion(os.Getpid()); v != "" {
		t.Errorf("this test runs on .NET %s", v)
	}
}
