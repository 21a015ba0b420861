package signalbox

import (
	"context"
	"time"
)

// Event is something that has happened to what a user sees, stored in the same transaction as the change itself and to
// be shown to the user's connections after it. Exactly one of its parts is set.
type Event struct {
	UserID string `json:"-"`
	// Position numbers the user's events in the order of the changes.
	Position  int64     `json:"-"`
	CreatedAt time.Time `json:"-"`

	// Notification is a notification that was stored.
	Notification *Notification `json:",omitzero"`
	// Read are the ids of notifications that were marked as read.
	Read []string `json:",omitzero"`
	// Order is how an order of the user's was changed.
	Order *OrderUpdate `json:",omitzero"`
	// Unread says that the number of unread notifications has changed by other means.
	Unread bool `json:",omitzero"`
	// Access says that what the user may hear, or wants to hear, has changed: roles, subscriptions, or the owner of the
	// order with the id Lost.
	Access bool   `json:",omitzero"`
	Lost   string `json:",omitzero"`
	// SignedOut says that a session of the user's is over, or all, or that the user was removed: live connections are to be
	// made anew by those who may.
	SignedOut bool `json:",omitzero"`
}

// OrderUpdate is an order before and after a change; Before is the zero Order when it was made.
type OrderUpdate struct{ Before, After Order }

// PendingEvents are events of one user that are due, in order.
type PendingEvents struct {
	UserID string
	// Attempts is how often the first of Events has failed.
	Attempts int
	Events   []Event
}

// Delivery says what has become of a user's [PendingEvents].
type Delivery struct {
	// Sent is how many of them, from the first, have been sent.
	Sent int
	// Err is why the one after those was not. Nil means that it was not tried, or that all were sent.
	Err error
	// RetryAt is when that one is due again, and with it those behind it.
	RetryAt time.Time
	// GiveUp makes it a dead letter instead, and what is behind it due at once.
	GiveUp bool
}

// OutboxRound is what one round of [Outbox.DeliverPending] came to.
type OutboxRound struct {
	// Sent counts the events that were sent, Dead those that were given up.
	Sent, Dead int
	// Busy says that there is more to do now: events that were left over, or that another process is sending.
	Busy bool
	// Next is when events that have failed are due again; the zero time when none wait.
	Next time.Time
}

// Outbox keeps the events that are to be sent. Several processes may send at once: each user's events are sent by one of
// them at a time, in order, and again only if that process has ended before it could note that they were sent.
type Outbox interface {
	// DeliverPending hands what is due to deliver, and notes what that answers: one [Delivery] for each of batch. deliver
	// is called once, or not at all when nothing is due; it has a minute. What was sent is noted even if ctx ends.
	DeliverPending(ctx context.Context, deliver func(ctx context.Context, batch []PendingEvents) []Delivery) (OutboxRound, error)
	// OutboxChanged receives when this process may have added events. It is for one receiver.
	OutboxChanged() <-chan struct{}
	// RetryOutbox makes due what waits for its next attempt: whatever it failed for is said to be over.
	RetryOutbox(ctx context.Context) error
	// OutboxState says how much there is to send.
	OutboxState(ctx context.Context) (OutboxState, error)
	// DeadLetters returns the events that were given up, the oldest first, at most limit of them.
	DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error)
	// ReplayDeadLetters puts the dead letters with these ids back, before all else that waits for their users, and says
	// how many that were. No ids mean all.
	ReplayDeadLetters(ctx context.Context, ids ...string) (int, error)
}

// OutboxState is how much there is to send.
type OutboxState struct {
	// Depth counts the events, and Oldest is when the first of them was stored; the zero time when there is none.
	Depth  int
	Oldest time.Time
	// DeadLetters counts the events that were given up.
	DeadLetters int
}

// DeadLetter is an event that could not be sent.
type DeadLetter struct {
	// ID names it: the user's id, a slash, and the event's position.
	ID string
	Event
	// Attempts is how often it was tried, Reason why the last attempt failed, and DiedAt when that was.
	Attempts int
	Reason   string
	DiedAt   time.Time
}
