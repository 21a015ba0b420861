package signalbox

import (
	"context"
	"encoding/json"
	"time"
)

// NotificationType says what a notification is about. It travels as its name.
type NotificationType string

// The types of notifications.
const (
	TypeInfo        NotificationType = "Info"
	TypeSuccess     NotificationType = "Success"
	TypeWarning     NotificationType = "Warning"
	TypeError       NotificationType = "Error"
	TypeOrderUpdate NotificationType = "OrderUpdate"
)

// NotificationTypes lists every type, in the order that people are shown.
var NotificationTypes = []NotificationType{TypeInfo, TypeSuccess, TypeWarning, TypeError, TypeOrderUpdate}

// Valid says whether t is one of [NotificationTypes].
func (t NotificationType) Valid() bool {
	switch t {
	case TypeInfo, TypeSuccess, TypeWarning, TypeError, TypeOrderUpdate:
		return true
	}
	return false
}

// NotificationMessage is what is to be told, whoever it is told to.
type NotificationMessage struct {
	Title   string
	Message string
	// Type is TypeInfo when empty.
	Type NotificationType
	// Data is a JSON object for programs, such as {"orderId": "1001"}; nil means none.
	Data json.RawMessage
}

// Notification is a message in a user's inbox.
type Notification struct {
	ID     string
	UserID string
	// Sequence numbers the user's notifications 1, 2, 3 … without a hole, in the order stored.
	Sequence int64
	NotificationMessage
	// Topic is the topic that brought it, or empty.
	Topic     string
	CreatedAt time.Time
	// ReadAt is when it was marked as read; nil means unread.
	ReadAt *time.Time
}

// Publication is a message and whom it is for: users, or everybody who has subscribed to a topic and may hear it.
type Publication struct {
	Users   []string
	Topic   string
	Message NotificationMessage
	// Idempotency makes a repetition answer what the first did; nil means that each call publishes.
	Idempotency *IdempotencyKey
}

// IdempotencyKey names a request, so that it can be repeated safely. It is known for [IdempotencyWindow].
type IdempotencyKey struct {
	// Owner is whose key it is, such as the id of an API key: others may use the same key for their own.
	Owner string
	// Key is what the sender calls the request.
	Key string
	// RequestHash identifies the request's content.
	RequestHash string
}

// IdempotencyWindow is how long an [IdempotencyKey] is remembered.
const IdempotencyWindow = 24 * time.Hour

// Published is a notification that a [Publication] has stored.
type Published struct {
	ID       string
	UserID   string
	Sequence int64
}

// InboxState is how a user's inbox stands at one moment.
type InboxState struct {
	// LastSequence is the sequence of the newest notification, 0 when there never was one.
	LastSequence int64
	// FirstSequence is the lowest sequence that retention has left, or would leave: those below it are gone.
	FirstSequence int64
	// Unread counts the unread notifications.
	Unread int
}

// CatchUp is what a client has missed.
type CatchUp struct {
	// Notifications are those after the sequence that was asked for, oldest first.
	Notifications []Notification
	// Gap says that some are missing between that sequence and these, because retention has removed them.
	Gap bool
	// More says that more follow the last of Notifications.
	More bool
	// Inbox is how the inbox stood when this was read.
	Inbox InboxState
}

// Receipt says what has become of a notification. What has not happened, or is not known, is nil.
type Receipt struct {
	Notification
	// SentAt is when it was handed to whatever connections the user had, if any.
	SentAt *time.Time
	// DeliveredAt is when a client of the user's first confirmed that it has it.
	DeliveredAt *time.Time
}

// NotificationService keeps every user's inbox. Whatever it has returned without an error is stored.
type NotificationService interface {
	// Publish stores a message for all of the users or for none, in one transaction, and returns what was stored in the
	// order of the users. With an idempotency key that was used before it stores nothing, returns what was returned then,
	// and says so by replayed. It fails with ErrIdempotencyMismatch when the request was another one, and with
	// ErrInFlight while that is being done.
	Publish(ctx context.Context, p Publication) (stored []Published, replayed bool, err error)
	// Notify stores m for each of the users, in one transaction: for all or for none. It fails with an InvalidError
	// that names the first user who does not exist. A user named twice gets it once. The result is in the order of users.
	Notify(ctx context.Context, users []string, m NotificationMessage) ([]Notification, error)
	// NotifyTopic stores m for everybody who has subscribed to the topic and may still hear it.
	NotifyTopic(ctx context.Context, topic string, m NotificationMessage) ([]Notification, error)
	// Notifications returns the user's notifications below the sequence before, newest first, at most limit of them;
	// before 0 means from the newest.
	Notifications(ctx context.Context, userID string, before int64, limit int) ([]Notification, error)
	// CatchUp returns the user's notifications above the sequence after, oldest first, at most limit of them. A sequence
	// that was never given, such as one from before a backup was restored, is a gap.
	CatchUp(ctx context.Context, userID string, after int64, limit int) (CatchUp, error)
	// Missed hands to show what users may have missed since a time: each user's notifications above the sequence that
	// after has for them that were sent at that time or later, or given up. They come by user and sequence, some at a
	// time. What is in the outbox is not among them: it is sent from there, and not before show has returned. Only when
	// the store cannot tell, because somebody else goes on sending, is it shown, and comes twice. Missed fails when show
	// does, and has a minute. Show must not change what the store holds.
	Missed(ctx context.Context, after map[string]int64, since time.Time,
		show func(ctx context.Context, missed []Notification) error) error
	// InboxState says how the user's inbox stands. A user who does not exist has an empty one.
	InboxState(ctx context.Context, userID string) (InboxState, error)
	// UnreadCount counts the user's unread notifications.
	UnreadCount(ctx context.Context, userID string) (int, error)
	// MarkAsRead marks one notification of the user as read and says whether that changed anything. It fails with
	// ErrNotFound when the user has none with that id, whoever else may have it.
	MarkAsRead(ctx context.Context, userID, notificationID string) (changed bool, err error)
	// MarkAllAsRead marks all of the user's notifications as read and returns the ids of those that it changed.
	MarkAllAsRead(ctx context.Context, userID string) (changed []string, err error)
	// ConfirmDelivered notes that a client of the user's has these notifications. Ids that are not of the user's
	// notifications are ignored.
	ConfirmDelivered(ctx context.Context, userID string, ids []string) error
	// Receipt says what has become of the notification with that id, or ErrNotFound.
	Receipt(ctx context.Context, id string) (Receipt, error)
}

// RealTimeNotificationService stores a message and shows it at once to whoever is connected. Storing is what can
// fail: it is shown by way of the [Outbox], which tries again, and what a client has missed it asks for by its sequence.
//
// ASP.NET pattern: IRealTimeNotificationService.
type RealTimeNotificationService interface {
	// SendToUser stores m for one user, then shows it.
	SendToUser(ctx context.Context, userID string, m NotificationMessage) (Notification, error)
	// SendToUsers stores m for all users or for none, then shows it.
	SendToUsers(ctx context.Context, userIDs []string, m NotificationMessage) ([]Notification, error)
	// BroadcastToTopic stores m for the topic's subscribers, then shows it. An unknown topic is ErrNotFound.
	BroadcastToTopic(ctx context.Context, topic string, m NotificationMessage) ([]Notification, error)
	// SendToGroup shows m to the connections of a group now. A group has no inbox: nothing is stored.
	SendToGroup(ctx context.Context, group string, m NotificationMessage) error
	// UpdateUnreadCount tells the user's connections how many notifications are unread.
	UpdateUnreadCount(ctx context.Context, userID string) error
}
