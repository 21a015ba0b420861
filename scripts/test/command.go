//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// command prepares a command whose output is shown as it comes. When ctx ends, the command is asked to end, together
// with everything that it started: npm and go leave their children behind otherwise.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// Flags of the make that runs us are not meant for one that we run.
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "NODE_OPTIONS="+nodeOptions())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// nodeOptions makes Node's test runner report a line for each test, whatever the default of its version is.
func nodeOptions() string {
	return strings.TrimSpace(os.Getenv("NODE_OPTIONS") + " --test-reporter=spec")
}

// reason explains why a command failed, by the limit that it ran into rather than by the signal that ended it.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// read runs the command with its standard output going through the reader, and returns the error of the command.
func read(cmd *exec.Cmd, reader func(io.Reader) tally) (tally, error) {
	cmd.Stdout = nil
	output, err := cmd.StdoutPipe()
	if err != nil {
		return tally{}, err
	}
	if err := cmd.Start(); err != nil {
		return tally{}, err
	}
	result := reader(output)
	return result, cmd.Wait()
}

// check is a part that fails when the command does.
func check(name string, args ...string) func(context.Context) tally {
	return func(ctx context.Context) tally {
		if err := command(ctx, name, args...).Run(); err != nil {
			return failure("%s: %v", strings.Join(append([]string{name}, args...), " "), reason(ctx, err))
		}
		return tally{}
	}
}

// checkFormat fails when gofmt would change a file that git knows or could come to know.
func checkFormat(ctx context.Context) tally {
	var files, unformatted bytes.Buffer
	list := command(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", "*.go")
	list.Stdout = &files
	if err := list.Run(); err != nil {
		return failure("gofmt: listing the Go files: %v", reason(ctx, err))
	}
	args := []string{"-l"}
	for _, file := range strings.FieldsFunc(files.String(), func(r rune) bool { return r == 0 }) {
		if _, err := os.Stat(file); err == nil { // git also lists what was deleted and not committed yet
			args = append(args, file)
		}
	}
	if len(args) == 1 {
		return failure("gofmt: there are no Go files")
	}
	format := command(ctx, "gofmt", args...)
	format.Stdout = &unformatted
	if err := format.Run(); err != nil {
		return failure("gofmt: %v", reason(ctx, err))
	}
	if unformatted.Len() > 0 {
		fmt.Print(unformatted.String())
		return failure("gofmt: not formatted: %s", strings.Join(strings.Fields(unformatted.String()), ", "))
	}
	return tally{}
}
