package presence_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(nodeVariable); url != "" {
		if err := beNode(url); err != nil { // until it is killed
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	// A client that is closed while it asks for the nodes of a cluster leaves this behind, for a second at most.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}
