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

// NotificationService keeps every user's inbox. Whatever it has returned without an error is stored.
type NotificationService interface {
	// Notify stores m for each of the users, in one transaction: for all or for none. It fails with an InvalidError
	// that names the first user who does not exist. A user named twice gets it once. The result is in the order of users.
	Notify(ctx context.Context, users []string, m NotificationMessage) ([]Notification, error)
	// NotifyTopic stores m for everybody who has subscribed to the topic and may still hear it.
	NotifyTopic(ctx context.Context, topic string, m NotificationMessage) ([]Notification, error)
	// Notifications returns the user's notifications below the sequence before, newest first, at most limit of them;
	// before 0 means from the newest.
	Notifications(ctx context.Context, userID string, before int64, limit int) ([]Notification, error)
	// UnreadCount counts the user's unread notifications.
	UnreadCount(ctx context.Context, userID string) (int, error)
	// MarkAsRead marks one notification of the user as read and says whether that changed anything. It fails with
	// ErrNotFound when the user has none with that id, whoever else may have it.
	MarkAsRead(ctx context.Context, userID, notificationID string) (changed bool, err error)
	// MarkAllAsRead marks all of the user's notifications as read and returns the ids of those that it changed.
	MarkAllAsRead(ctx context.Context, userID string) (changed []string, err error)
}

// RealTimeNotificationService stores a message and shows it at once to whoever is connected. Storing is what can
// fail: that a live send fails is logged, costs nothing, and is made good when the client next asks for its inbox.
//
// ASP.NET pattern: IRealTimeNotificationService.
type RealTimeNotificationService interface {
	// SendToUser stores and shows m to one user.
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
