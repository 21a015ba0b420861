// Package signalbox holds the domain of the server: users, notifications, topics and orders, the services that the
// rest of the server is written against, and the errors that they answer with. It imports nothing of this module:
// adapters (sqlstore, live, worker, web) know the domain and never each other, and cmd/signalbox wires them.
package signalbox
