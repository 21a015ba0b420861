// Package signalrtest has the suites that lifetime managers have to pass: [TestLifetimeManager] every one,
// [TestScaleout] those that connect several servers. The names of the tests are ASP.NET Core's, so that they can be
// compared.
//
//	func TestMyManager(t *testing.T) {
//		signalrtest.TestLifetimeManager(t, func(t *testing.T) signalr.HubLifetimeManager { return mymanager.New() })
//	}
//
// Managers that have a method Healthy() bool, as backplanes do that connect by themselves, are used once it returns true.
// The tests have real connections over loopback; run them under the race detector.
package signalrtest
