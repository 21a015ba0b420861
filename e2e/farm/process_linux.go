package farm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// endsWithParent has the system kill a process when the one that started it is no more, however that ended.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// awaitStop waits until no thread of the process runs any more.
func (p *process) awaitStop(ctx context.Context) error {
	for {
		stopped, err := isStopped(p.cmd.Process.Pid)
		if stopped || err != nil {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("pausing a process: %w", context.Cause(ctx))
		}
	}
}

// isStopped reads the state of each thread, which stands behind its name, in parentheses.
func isStopped(pid int) (bool, error) {
	files, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "stat"))
	if err != nil || len(files) == 0 {
		return false, fmt.Errorf("pausing a process: it has no threads: %w", os.ErrNotExist)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		if _, rest, _ := bytes.Cut(b, []byte(") ")); len(rest) == 0 || rest[0] != 'T' {
			return false, nil
		}
	}
	return true, nil
}
