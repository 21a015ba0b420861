// Package hosttest builds and starts the servers with the reference's test hub: ours, and the one that the
// environment names. It is for the tests of the packages beside it.
package hosttest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// ReferenceVariable names the environment variable with the start command of another server with the same test
	// hub, such as ASP.NET Core itself.
	ReferenceVariable = "SIGNALR_REFERENCE"
	// hostPackage is our server.
	hostPackage = "signalbox/e2e/refhost"
	// startLimit and stopLimit bound how long a server may take to listen and to end.
	startLimit = time.Minute
	stopLimit  = 10 * time.Second
)

// Reference returns the start command of the server that the environment names; empty means none.
func Reference() []string {
	return strings.Fields(os.Getenv(ReferenceVariable))
}

// Build builds our server into a folder, with the race detector if the calling test has it, and returns the program.
func Build(dir string) (string, error) { return BuildCommand(dir, hostPackage) }

// BuildCommand does the same with any command, which its import path names.
func BuildCommand(dir, command string) (string, error) {
	program := filepath.Join(dir, path.Base(command))
	args := []string{"build", "-ldflags=-s -w", "-o", program} // debuggers need not know it, and linking takes half the time
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, command)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, out)
	}
	// The go command keeps the result of a test for as long as the files that the test opened stay the same. It does
	// not see what a command that the test ran has read, so the test opens the folders of the server's sources.
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.Dir}}{{end}}", command).Output()
	if err != nil {
		return "", fmt.Errorf("list the sources of the server: %w", err)
	}
	for dir := range strings.FieldsSeq(string(out)) {
		if _, err := os.ReadDir(dir); err != nil {
			return "", fmt.Errorf("list the sources of the server: %w", err)
		}
	}
	return program, nil
}

// Start starts a server with options KEY=VALUE, spaces between, and returns its host and port. The server ends with
// the test. If clean is set, the test fails unless the server then ends by itself and without an error.
func Start(t testing.TB, command []string, options string, clean bool) (address string, err error) {
	args := append(slices.Clone(command), "--urls", "http://127.0.0.1:0")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), strings.Fields(options)...)
	firstLines := make(chan string, 1)
	var log bytes.Buffer // written by cmd alone until Wait has returned
	cmd.Stdout, cmd.Stderr = &firstLine{line: firstLines}, &log
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start the server: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := stop(cmd, ended); err != nil && clean {
			t.Errorf("the server with options %q: %v\n%s", options, err, log.Bytes())
		}
	})
	select {
	case line := <-firstLines:
		at, ok := strings.CutPrefix(line, "LISTENING ")
		if u, err := url.Parse(at); ok && err == nil && u.Host != "" {
			return u.Host, nil
		}
		return "", fmt.Errorf("the first line of the server is %q", line)
	case err := <-ended:
		ended <- err // for the cleanup
		return "", errors.New("the server ended before it listened")
	case <-time.After(startLimit):
		return "", fmt.Errorf("the server does not listen after %v", startLimit)
	}
}

// stop asks a server to end, and makes it when it takes too long.
func stop(cmd *exec.Cmd, ended <-chan error) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(fmt.Errorf("it had ended already: %w", err), <-ended)
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(stopLimit):
		_ = cmd.Process.Kill() // fails only if it has ended meanwhile
		<-ended
		return fmt.Errorf("it did not end within %v", stopLimit)
	}
}

// firstLine is a writer that hands over the first line that is written to it and drops the rest.
type firstLine struct {
	line   chan<- string // takes one line without a reader
	buffer []byte
	done   bool
}

func (w *firstLine) Write(p []byte) (int, error) {
	if !w.done {
		w.buffer = append(w.buffer, p...)
		if line, _, whole := bytes.Cut(w.buffer, []byte("\n")); whole {
			w.line <- strings.TrimSpace(string(line))
			w.done, w.buffer = true, nil
		}
	}
	return len(p), nil
}
