package signalrtest_test

import (
	"testing"

	"go.uber.org/goleak"

	"signalbox/signalr"
	"signalbox/signalr/signalrtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryLifetimeManager(t *testing.T) {
	signalrtest.TestLifetimeManager(t, func(*testing.T) signalr.HubLifetimeManager { return signalr.NewMemoryLifetimeManager() })
}

// shared is one memory manager behind several hubs: the simplest farm there is, and what shows that the suite asks for
// nothing that Redis alone can do.
func TestSharedMemory(t *testing.T) {
	signalrtest.TestScaleout(t, func(*testing.T) signalrtest.Farm {
		m := signalr.NewMemoryLifetimeManager()
		return func() signalr.HubLifetimeManager { return m }
	})
}
