package wire_test

import (
	"context"
	"sync"
	"testing"

	"signalbox/e2e/hosttest"
	"signalbox/e2e/wire"
)

// buildHost builds our server once for all tests.
var buildHost = sync.OnceValues(func() (string, error) { return hosttest.Build(buildDir) })

// serverCommand returns the command line of the server to play against.
func serverCommand(t *testing.T) []string {
	t.Helper()
	if command := hosttest.Reference(); len(command) > 0 {
		return command
	}
	program, err := buildHost()
	if err != nil {
		t.Fatal(err)
	}
	return []string{program}
}

// startServer starts a server that ends with the test; ours must then end cleanly.
func startServer(t *testing.T, command []string, options string) (address string, err error) {
	return hosttest.Start(t, command, options, len(hosttest.Reference()) == 0)
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
