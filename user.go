package signalbox

import (
	"context"
	"time"
)

// User is somebody who can sign in and be notified.
type User struct {
	// ID never changes. It is what hubs and notifications know the user by.
	ID string
	// Name is what the user signs in with: unique without regard to case.
	Name string
	// Roles may open topics to the user.
	Roles     []string
	CreatedAt time.Time
}

// APIKey is what a back end authenticates with. The key itself is shown once, when it is made; only its hash is kept.
type APIKey struct {
	ID        string
	Name      string
	CreatedAt time.Time
	// LastUsedAt is when the key was last used, give or take a minute; nil when it never was, or not since that is noted.
	// Only [Administration.APIKeys] tells.
	LastUsedAt *time.Time
}

// SessionUserKey is the key under which the values of a sign-in session hold the user's id, a string.
const SessionUserKey = "user"

// UserService keeps users and API keys.
type UserService interface {
	// CreateUser adds a user with a password, which is stored as an argon2id hash. The user's id is the name in lower
	// case. It fails with ErrConflict when the name is taken, and with an InvalidError when name or password will not do.
	CreateUser(ctx context.Context, name, password string, roles ...string) (User, error)
	// User returns the user with that id, or ErrNotFound.
	User(ctx context.Context, id string) (User, error)
	// SetRoles gives the user these roles instead of those there were, and so opens and closes topics, also to
	// connections that are live. It fails as CreateUser does, and with ErrNotFound.
	SetRoles(ctx context.Context, id string, roles ...string) (User, error)
	// Authenticate returns the user with that name and password, or ErrUnauthenticated, taking as long for an unknown
	// name as for a wrong password.
	Authenticate(ctx context.Context, name, password string) (User, error)
	// SignOut has the user's live connections closed, on whatever node: one of the user's sessions is over. Those of other
	// sessions come back by themselves. It fails with ErrNotFound.
	SignOut(ctx context.Context, id string) error
	// CreateAPIKey makes a key and returns it with the secret, which cannot be read again.
	CreateAPIKey(ctx context.Context, name string) (key APIKey, secret string, err error)
	// AuthenticateKey returns the key with that secret, or ErrUnauthenticated.
	AuthenticateKey(ctx context.Context, secret string) (APIKey, error)
}

// Administration is what operators do to users and API keys. What it takes away is gone at once, also for connections
// that are live.
type Administration interface {
	// Users returns all users, in order of id.
	Users(ctx context.Context) ([]User, error)
	// SetPassword gives the user another password. It ends the user's sign-in sessions and live connections. It fails with
	// ErrNotFound, and with an InvalidError when the password will not do.
	SetPassword(ctx context.Context, id, password string) error
	// RemoveUser removes the user with roles, subscriptions, notifications, sign-in sessions and live connections. Orders
	// stay: they go to the user with the id ordersTo. It fails with ErrConflict when there are orders and ordersTo is
	// empty, with ErrNotFound, and with an InvalidError when ordersTo does not exist or is the user.
	RemoveUser(ctx context.Context, id, ordersTo string) error
	// EndSubscription is [TopicService.Unsubscribe], and says whether there was a subscription, counted or not. A user who
	// does not exist is ErrNotFound.
	EndSubscription(ctx context.Context, userID, topic string) (ended bool, err error)
	// APIKeys returns all API keys, the oldest first.
	APIKeys(ctx context.Context) ([]APIKey, error)
	// RevokeAPIKey removes the key with that id and returns what it was, or ErrNotFound. No request is let in with it from
	// then on.
	RevokeAPIKey(ctx context.Context, id string) (APIKey, error)
}
