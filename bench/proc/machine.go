package proc

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// Machine describes the machine in one line: processor, number of processors that this process may use, memory and
// kernel. What cannot be found out is left out.
func Machine() string {
	var parts []string
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := field(string(b), "model name"); m != "" {
			parts = append(parts, m)
		}
	}
	parts = append(parts, fmt.Sprintf("%d processors", runtime.NumCPU()))
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		kib, err := strconv.ParseInt(strings.TrimSuffix(field(string(b), "MemTotal"), " kB"), 10, 64)
		if err == nil {
			parts = append(parts, fmt.Sprintf("%.0f GiB", float64(kib)/(1<<20)))
		}
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		parts = append(parts, "Linux "+strings.TrimSpace(string(b)))
	}
	return strings.Join(append(parts, runtime.GOARCH), ", ")
}

// field returns the value of the first line "name : value".
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

var dotnet = regexp.MustCompile(`/Microsoft\.NETCore\.App/([0-9][^/]*)/`)

// DotnetVersion returns the version of the .NET runtime that a process has loaded, or "" when it has none.
func DotnetVersion(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return ""
	}
	if m := dotnet.FindSubmatch(b); m != nil {
		return string(m[1])
	}
	return ""
}
