// Package storetest holds the tests that every store of the domain must pass: what the comments of the service
// interfaces promise, also when many goroutines call at once and when a transaction fails half-way.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"signalbox"
)

// Store is what the suite tests: all services that keep data.
type Store interface {
	signalbox.UserService
	signalbox.NotificationService
	signalbox.TopicService
	signalbox.OrderService
	signalbox.Outbox
	signalbox.Administration
	RemoveOldNotifications(ctx context.Context, before time.Time, keep int) (removed int64, err error)
	ReviveDeadLetters(ctx context.Context, since time.Time) (n int, err error)
	DeleteExpiredKeys(ctx context.Context) (int64, error)
}

// Topics returns the topics that a store under test must have been opened with.
func Topics() signalbox.Topics {
	return signalbox.Topics{
		"news":   {Everyone: true},
		"sports": {Everyone: true},
		"ops":    {Roles: []string{"admin", "operator"}},
		"board":  {Users: []string{"ada"}},
	}
}

// Run runs the suite. Each call of open must return a store of its own, empty, with [Topics], that is closed with the
// test's Cleanup. The suite makes many users: a store should hash their passwords at little cost.
func Run(t *testing.T, open func(t testing.TB) Store) {
	groups := []struct {
		name  string
		tests []test
	}{
		{"Users", userTests},
		{"Keys", keyTests},
		{"Administration", administrationTests},
		{"Notifications", notificationTests},
		{"Topics", topicTests},
		{"Orders", orderTests},
		{"Announcements", announcementTests},
		{"Access", accessTests},
		{"Outbox", outboxTests},
		{"Delivery", deliveryTests},
		{"Missed", missedTests},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
			}
		})
	}
}

// test is one test of the suite; it gets a store that is empty.
type test struct {
	name string
	run  func(t *testing.T, s Store)
}

const password = "correct horse"

// createUser makes a user with [password].
func createUser(t *testing.T, s Store, name string, roles ...string) signalbox.User {
	t.Helper()
	u, err := s.CreateUser(t.Context(), name, password, roles...)
	if err != nil {
		t.Fatalf("CreateUser(%q): %v", name, err)
	}
	return u
}

// wantError fails the test unless err is want.
func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// wantInvalid fails the test unless err is an InvalidError about the field.
func wantInvalid(t *testing.T, what string, err error, field string) {
	t.Helper()
	if invalid, ok := errors.AsType[*signalbox.InvalidError](err); !ok || invalid.Field != field {
		t.Errorf("%s: error %v, want an InvalidError about %q", what, err, field)
	}
}

// atOnce calls do with 0 to n-1, each in a goroutine of its own, and waits for all. What do returns fails the test.
func atOnce(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Error(fmt.Errorf("goroutine %d: %w", i, err))
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}
