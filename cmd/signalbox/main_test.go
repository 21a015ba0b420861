package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// programVariable is the environment variable that makes the test's program signalbox itself.
const programVariable = "TEST_AS_SIGNALBOX"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m,
		// The session library starts the clean-up of a store in memory, which is then replaced by the server's own and never
		// stopped: one idle goroutine for each server.
		goleak.IgnoreAnyFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup"),
	)
}
