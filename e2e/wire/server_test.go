package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox/e2e/wire"
)

const (
	// referenceVariable names the environment variable with the command line of another server to play against.
	referenceVariable = "SIGNALR_REFERENCE"
	// hostPackage is the server that is played against otherwise.
	hostPackage = "signalbox/e2e/refhost"
	// startLimit and stopLimit bound how long a server may take to listen and to end.
	startLimit = time.Minute
	stopLimit  = 10 * time.Second
)

// reference returns the command line of the server that is named in the environment; empty means our own.
func reference() []string {
	return strings.Fields(os.Getenv(referenceVariable))
}

// buildHost builds our server once for all tests, with the race detector if they have it.
var buildHost = sync.OnceValues(func() (string, error) {
	program := filepath.Join(buildDir, "refhost")
	args := []string{"build", "-o", program}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, hostPackage)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, out)
	}
	// The go command keeps the result of a test for as long as the files that the test opened stay the same. It does
	// not see what a command that the test ran has read, so the test opens the folders of the server's sources.
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.Dir}}{{end}}", hostPackage).Output()
	if err != nil {
		return "", fmt.Errorf("list the sources of the server: %w", err)
	}
	for dir := range strings.FieldsSeq(string(out)) {
		if _, err := os.ReadDir(dir); err != nil {
			return "", fmt.Errorf("list the sources of the server: %w", err)
		}
	}
	return program, nil
})

// serverCommand returns the command line of the server to play against.
func serverCommand(t *testing.T) []string {
	t.Helper()
	if command := reference(); len(command) > 0 {
		return command
	}
	program, err := buildHost()
	if err != nil {
		t.Fatal(err)
	}
	return []string{program}
}

// startServer starts a server with options KEY=VALUE and returns its address. The server ends with the
// test; ours must then end cleanly.
func startServer(t *testing.T, command []string, options string) (address string, err error) {
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
		if err := stopServer(cmd, ended); err != nil && len(reference()) == 0 {
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

// stopServer asks a server to end, and makes it when it takes too long.
func stopServer(cmd *exec.Cmd, ended <-chan error) error {
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

// A scenario is one recording that is played against a server of its option set.
type scenario struct {
	name, options string
	// alone says that nothing may run beside it on its server.
	alone bool
	// skip, if not empty, is the reason why it is not played.
	skip string
	play func(ctx context.Context, replayer *wire.Replayer) error
}

// playScenarios plays scenarios as subtests, those of one option set on one server, a few servers at a time.
func playScenarios(t *testing.T, scenarios []scenario) {
	command := serverCommand(t)
	sets := map[string][]scenario{}
	queue := make(chan string, len(scenarios))
	for _, s := range scenarios {
		if sets[s.options] == nil {
			queue <- s.options
		}
		sets[s.options] = append(sets[s.options], s)
	}
	close(queue)
	var lanes sync.WaitGroup
	for range max(1, *servers) {
		lanes.Go(func() {
			for options := range queue {
				name := options
				if name == "" {
					name = "default"
				}
				t.Run(name, func(t *testing.T) { playSet(t, command, options, sets[options]) })
			}
		})
	}
	lanes.Wait()
}

// playSet plays the scenarios of one option set. The server starts with the first that is not filtered out.
func playSet(t *testing.T, command []string, options string, scenarios []scenario) {
	server := sync.OnceValues(func() (string, error) { return startServer(t, command, options) })
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			if s.skip != "" {
				t.Skip(s.skip)
			}
			if !s.alone { // the others start only when all subtests that run alone are done
				t.Parallel()
			}
			address, err := server()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.play(t.Context(), &wire.Replayer{Address: address, Timeout: *answer}); err != nil {
				t.Error(err)
			}
		})
	}
}
