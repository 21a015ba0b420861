package telemetry_test

import (
	"fmt"

	"signalbox/signalr"
	"signalbox/telemetry"
)

// A server that reports to OpenTelemetry's global providers, which the program has set up with the SDK.
func Example() {
	metrics, err := telemetry.NewMetrics(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := signalr.NewServer(&signalr.ServerOptions{Metrics: metrics})
	if err != nil {
		fmt.Println(err)
		return
	}
	hub := signalr.NewHub(&signalr.HubOptions{
		Name:       "Shop.OrderHub",
		Filters:    []signalr.HubFilter{telemetry.NewFilter(nil)}, // first, so that it sees what the others do
		Connection: signalr.ConnectionOptions{BaseContext: telemetry.BaseContext},
	})
	fmt.Println(server.Connections(), hub != nil)
	// Output: 0 true
}
