// Package torture has no code but its tests: servers that are killed, paused and cut off from Redis and PostgreSQL while
// notifications are published to official JavaScript clients. What was accepted, what is stored and what each client has
// shown is compared at the end, in the manner of Jepsen: nothing accepted may be lost, shown twice or out of order.
package torture
