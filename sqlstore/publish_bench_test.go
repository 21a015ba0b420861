//go:build unix

package sqlstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox"
	"signalbox/sqlstore/postgrestest"
)

// BenchmarkPublish publishes as a back end does that repeats what is not answered, 100 requests at a time to 50 users,
// while what the outbox holds is taken from it.
func BenchmarkPublish(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkPublish(b, Options{Dir: b.TempDir()}) })
	b.Run("postgres", func(b *testing.B) { benchmarkPublish(b, Options{URL: postgrestest.Start(b).NewDatabase(b)}) })
}

func benchmarkPublish(b *testing.B, o Options) {
	const clients, users = 100, 50
	o.Passwords = PasswordCost{Memory: 64, Time: 1}
	s, err := Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for i := range users {
		if _, err := s.CreateUser(b.Context(), fmt.Sprint("user", i), "password"); err != nil {
			b.Fatal(err)
		}
	}
	sending, stop := context.WithCancel(b.Context())
	defer stop()
	var sender sync.WaitGroup
	sender.Go(func() {
		for sending.Err() == nil {
			round, err := s.DeliverPending(sending, func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
				results := make([]signalbox.Delivery, len(batch))
				for i, p := range batch {
					results[i].Sent = len(p.Events)
				}
				return results
			})
			if err != nil && sending.Err() == nil {
				b.Error(err)
				return
			}
			if round.Sent == 0 {
				select {
				case <-s.OutboxChanged():
				case <-sending.Done():
				}
			}
		}
	})
	var number atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	b.ResetTimer()
	for range clients {
		all.Go(func() {
			for {
				n := number.Add(1)
				if n > int64(b.N) {
					return
				}
				_, _, err := s.Publish(b.Context(), signalbox.Publication{
					Users:       []string{fmt.Sprint("user", rand.N(users))},
					Message:     signalbox.NotificationMessage{Title: fmt.Sprint(n), Message: strings.Repeat("x", 100)},
					Idempotency: &signalbox.IdempotencyKey{Owner: "bench", Key: fmt.Sprint(n), RequestHash: "hash"},
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "publishes/s")
	stop()
	sender.Wait()
}
