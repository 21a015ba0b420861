// Package proc reads what the Linux kernel knows of a process and of the machine: processor time and resident memory.
package proc

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc, the same on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// CPU returns the processor time that a process has used so far, in user mode and in the kernel on its behalf, in steps
// of 10 ms.
func CPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading processor time: %w", err)
	}
	return parseStat(b)
}

// parseStat reads utime and stime. The name of the program stands in parentheses before them and may hold anything.
func parseStat(b []byte) (time.Duration, error) {
	_, rest, ok := bytes.Cut(b[max(bytes.LastIndexByte(b, ')'), 0):], []byte(") "))
	f := strings.Fields(string(rest))
	if !ok || len(f) < 13 {
		return 0, fmt.Errorf("reading processor time: odd stat line %q", b)
	}
	return ticks(f[11:13])
}

func ticks(fields []string) (time.Duration, error) {
	var sum time.Duration
	for _, f := range fields {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading processor time: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// Busy returns the processor time that everything on the machine has used so far, all processors together.
func Busy() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("reading processor time: %w", err)
	}
	return parseBusy(b)
}

// parseBusy sums user, nice, system, irq, softirq and steal; idle and iowait are no work.
func parseBusy(b []byte) (time.Duration, error) {
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, fmt.Errorf("reading processor time: odd first line %q of /proc/stat", line)
	}
	return ticks([]string{f[1], f[2], f[3], f[6], f[7], f[8]})
}

// Memory is what a process keeps in memory, in bytes.
type Memory struct {
	// RSS counts every resident page, PSS each shared page as its share.
	RSS, PSS int64
}

// MemoryOf returns what a process keeps in memory now. What the kernel keeps for its sockets is not part of it.
func MemoryOf(pid int) (Memory, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("reading resident memory: %w", err)
	}
	return parseRollup(b)
}

func parseRollup(b []byte) (Memory, error) {
	var m Memory
	found := 0
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 2 {
			continue
		}
		var to *int64
		switch f[0] {
		case "Rss:":
			to = &m.RSS
		case "Pss:":
			to = &m.PSS
		default:
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("reading resident memory: %w", err)
		}
		*to = n << 10
		found++
	}
	if found != 2 {
		return Memory{}, fmt.Errorf("reading resident memory: no Rss and Pss in %q", b)
	}
	return m, nil
}
