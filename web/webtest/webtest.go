// Package webtest has the domain's services in memory, for tests of what is built on them and for looking at the pages
// without a database.
package webtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox"
)

// Services are all of the domain's services, in memory. Make one with [New]; it is safe for concurrent use.
type Services struct {
	mu     sync.Mutex
	now    func() time.Time
	topics signalbox.Topics
	fail   error
	// publishFails is what Publish fails with.
	publishFails error
	nextID       int

	users         map[string]account
	signedOut     []string
	keys          map[string]signalbox.APIKey
	notifications map[string][]signalbox.Notification
	orders        map[string]*orderRecord
	subscriptions map[string]map[string]bool
	// removed is the last sequence that retention has removed, by user; answered what was published under a key.
	removed  map[string]int64
	answered map[[2]string]answered
	// confirmed is when notifications were confirmed as delivered.
	confirmed map[string]time.Time
}

type answered struct {
	hash   string
	answer []signalbox.Published
}

type account struct {
	signalbox.User
	password string
}

type orderRecord struct {
	signalbox.Order
	events []signalbox.OrderEvent
}

var (
	_ signalbox.UserService         = (*Services)(nil)
	_ signalbox.NotificationService = (*Services)(nil)
	_ signalbox.OrderService        = (*Services)(nil)
	_ signalbox.TopicService        = (*Services)(nil)
)

// New makes empty services with those topics. now tells the time; nil means the clock's.
func New(topics signalbox.Topics, now func() time.Time) *Services {
	if now == nil {
		now = time.Now
	}
	return &Services{
		now: now, topics: topics,
		users:         map[string]account{},
		keys:          map[string]signalbox.APIKey{},
		notifications: map[string][]signalbox.Notification{},
		orders:        map[string]*orderRecord{},
		subscriptions: map[string]map[string]bool{},
		removed:       map[string]int64{},
		answered:      map[[2]string]answered{},
		confirmed:     map[string]time.Time{},
	}
}

// Fail makes every call fail with err from now on; nil ends that.
func (s *Services) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// RemoveUser deletes a user, as if by an administrator.
func (s *Services) RemoveUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.users, id)
}

// begin locks s and returns what the call must fail with; the caller unlocks.
func (s *Services) begin() error {
	s.mu.Lock()
	return s.fail
}

// CreateUser implements [signalbox.UserService].
func (s *Services) CreateUser(_ context.Context, name, password string, roles ...string) (signalbox.User, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return signalbox.User{}, err
	}
	id := strings.ToLower(name)
	if _, ok := s.users[id]; ok {
		return signalbox.User{}, fmt.Errorf("user %q: %w", name, signalbox.ErrConflict)
	}
	u := signalbox.User{ID: id, Name: name, Roles: roles, CreatedAt: s.now()}
	s.users[id] = account{User: u, password: password}
	return u, nil
}

// SetRoles implements [signalbox.UserService].
func (s *Services) SetRoles(_ context.Context, id string, roles ...string) (signalbox.User, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return signalbox.User{}, err
	}
	a, ok := s.users[id]
	if !ok {
		return signalbox.User{}, fmt.Errorf("user %q: %w", id, signalbox.ErrNotFound)
	}
	a.Roles = roles
	s.users[id] = a
	return a.User, nil
}

// User implements [signalbox.UserService].
func (s *Services) User(_ context.Context, id string) (signalbox.User, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return signalbox.User{}, err
	}
	a, ok := s.users[id]
	if !ok {
		return signalbox.User{}, fmt.Errorf("user %q: %w", id, signalbox.ErrNotFound)
	}
	return a.User, nil
}

// Authenticate implements [signalbox.UserService].
func (s *Services) Authenticate(_ context.Context, name, password string) (signalbox.User, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return signalbox.User{}, err
	}
	a, ok := s.users[strings.ToLower(name)]
	if !ok || a.password != password {
		return signalbox.User{}, signalbox.ErrUnauthenticated
	}
	return a.User, nil
}

// SignOut implements [signalbox.UserService]; [Services.SignedOut] tells of it.
func (s *Services) SignOut(_ context.Context, id string) error {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return err
	}
	if _, ok := s.users[id]; !ok {
		return fmt.Errorf("user %q: %w", id, signalbox.ErrNotFound)
	}
	s.signedOut = append(s.signedOut, id)
	return nil
}

// SignedOut returns who was signed out, in that order.
func (s *Services) SignedOut() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.signedOut)
}

// CreateAPIKey implements [signalbox.UserService].
func (s *Services) CreateAPIKey(_ context.Context, name string) (signalbox.APIKey, string, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return signalbox.APIKey{}, "", err
	}
	key := signalbox.APIKey{ID: s.id("key"), Name: name, CreatedAt: s.now()}
	secret := "secret-" + key.ID
	s.keys[secret] = key
	return key, secret, nil
}

// AuthenticateKey implements [signalbox.UserService].
func (s *Services) AuthenticateKey(_ context.Context, secret string) (signalbox.APIKey, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return signalbox.APIKey{}, err
	}
	key, ok := s.keys[secret]
	if !ok {
		return signalbox.APIKey{}, signalbox.ErrUnauthenticated
	}
	return key, nil
}

// Subscribe implements [signalbox.TopicService].
func (s *Services) Subscribe(_ context.Context, userID, topic string) error {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return err
	}
	if !s.topics.Allows(topic, s.users[userID].User) {
		return fmt.Errorf("topic %q: %w", topic, signalbox.ErrForbidden)
	}
	if s.subscriptions[userID] == nil {
		s.subscriptions[userID] = map[string]bool{}
	}
	s.subscriptions[userID][topic] = true
	return nil
}

// Unsubscribe implements [signalbox.TopicService].
func (s *Services) Unsubscribe(_ context.Context, userID, topic string) error {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return err
	}
	delete(s.subscriptions[userID], topic)
	return nil
}

// Subscriptions implements [signalbox.TopicService].
func (s *Services) Subscriptions(_ context.Context, userID string) ([]string, error) {
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return nil, err
	}
	var topics []string
	for _, topic := range slices.Sorted(maps.Keys(s.subscriptions[userID])) {
		if s.topics.Allows(topic, s.users[userID].User) {
			topics = append(topics, topic)
		}
	}
	return topics, nil
}

// id makes a new id; s must be locked.
func (s *Services) id(kind string) string {
	s.nextID++
	return fmt.Sprintf("%s-%d", kind, s.nextID)
}
