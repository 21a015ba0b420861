// Package redistest runs Redis servers for tests: real ones, of a test's own, which keep nothing.
//
//	r := redistest.Run(t)
//	backplane, err := redisbackplane.New(rueidis.ClientOption{InitAddress: []string{r.Addr}}, options)
package redistest
