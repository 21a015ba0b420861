// Package telemetry reports SignalR servers to OpenTelemetry, under the names that ASP.NET Core has: dashboards and
// queries that were made for the one serve the other. The library itself knows small interfaces alone; this package is
// what fits between.
//
//	metrics, err := telemetry.NewMetrics(nil)
//	server, err := signalr.NewServer(&signalr.ServerOptions{Metrics: metrics})
//	hub := signalr.NewHub(&signalr.HubOptions{
//		Filters:    []signalr.HubFilter{telemetry.NewFilter(nil)},
//		Connection: signalr.ConnectionOptions{BaseContext: telemetry.BaseContext},
//	})
package telemetry
