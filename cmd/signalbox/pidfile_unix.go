//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pidFile is the file that says which process the server is. It is locked as long as the process lives, so that the id
// of one that is over, which may be somebody else's by now, is never taken for it.
type pidFile struct{ file *os.File }

// takePIDFile writes the id of this process to a file that no living server has.
func takePIDFile(path string) (*pidFile, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s belongs to a server that is running", path)
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	err = file.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintln(file, os.Getpid())
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return &pidFile{file}, nil
}

// Close empties the file and gives it up. The file stays: one that is deleted could be locked by two.
func (p *pidFile) Close() error { return errors.Join(p.file.Truncate(0), p.file.Close()) }

// owned says whether a living server has the file, and what is in it.
func owned(path string) (owned bool, text string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return false, "", err
	}
	defer file.Close()
	switch err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); {
	case err == nil:
		return false, "", nil
	case !errors.Is(err, syscall.EWOULDBLOCK):
		return false, "", fmt.Errorf("asking for the lock of %s: %w", path, err)
	}
	content, err := io.ReadAll(io.LimitReader(file, 100))
	return true, strings.TrimSpace(string(content)), err
}

// terminate sends SIGTERM to the server that has the file.
func terminate(path string) error {
	running, text, err := owned(path)
	switch {
	case err != nil:
		return err
	case !running:
		return fmt.Errorf("no server is running that has %s", path)
	}
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 0 {
		return fmt.Errorf("%s does not hold a process id", path)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("sending SIGTERM to process %d: %w", pid, err)
	}
	return nil
}

// awaitEnd waits until no living server has the file.
func awaitEnd(ctx context.Context, path string) error {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		if running, _, err := owned(path); err != nil || !running {
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
