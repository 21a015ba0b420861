// Package churn has no code but its test: a crowd of clients that come, talk to a server in every way there is, and go
// at random points, politely or not. When they have gone nothing of them may be left.
package churn
