// Package notificationhub is the contract of the hub that brings notifications: what clients invoke, what the server
// invokes on them, and the types that travel.
package notificationhub

import (
	"context"
	"time"
)

// Path is where the hub is mapped.
const Path = "/hubs/notifications"

// Hub is what clients invoke.
type Hub interface {
	// MarkAsRead marks one of the caller's notifications as read; all of the user's connections are told.
	MarkAsRead(ctx context.Context, notificationID string) error
	// SubscribeToTopic lets the caller's user hear a topic, on this and later connections, if the topic's rule allows:
	// "Not authorized for this topic".
	SubscribeToTopic(ctx context.Context, topic string) error
	// UnsubscribeFromTopic ends that.
	UnsubscribeFromTopic(ctx context.Context, topic string) error
	// CatchUp returns what the caller's user was sent after a sequence, oldest first: the sequence of the newest
	// notification that the client has, 0 for none. Call it after each connect, with what ReceiveNotification brings
	// meanwhile set aside until it is done, and when ReceiveNotification skips a sequence.
	CatchUp(ctx context.Context, lastSequence int64) (CatchUpResult, error)
	// ConfirmDelivered tells that the client has these notifications, which the sender may ask about. Nothing else depends
	// on it.
	ConfirmDelivered(ctx context.Context, notificationIDs []string) error
}

// Client is what the server invokes on a user's connections.
type Client interface {
	// ReceiveNotification brings a notification.
	ReceiveNotification(ctx context.Context, n NotificationMessage) error
	// NotificationRead tells that one was marked as read, on whatever connection.
	NotificationRead(ctx context.Context, notificationID string) error
	// UnreadCountUpdated tells how many are unread: on connect, and after each change.
	UnreadCountUpdated(ctx context.Context, count int) error
}

// NotificationMessage is a notification as clients get it.
type NotificationMessage struct {
	ID string `json:"id" msgpack:"Id"`
	// Sequence numbers the user's notifications without a hole. It is 0 for what is shown to a group and not stored.
	Sequence int64  `json:"sequence"`
	Title    string `json:"title"`
	Message  string `json:"message"`
	// Type is the name of a type, such as "OrderUpdate".
	Type string `json:"type"`
	// Data is an object for programs, such as {"orderId": "1001"}, or null.
	Data      Data      `json:"data"`
	Topic     string    `json:"topic"`
	CreatedAt time.Time `json:"createdAt"`
}

// CatchUpResult is what a client has missed.
type CatchUpResult struct {
	// Notifications are oldest first, and follow each other without a hole.
	Notifications []NotificationMessage `json:"notifications"`
	// Read are the ids of those among them that have been read meanwhile.
	Read []string `json:"read"`
	// Gap says that some between the sequence that was asked for and these are gone; or that there never was such a
	// sequence. The list at FetchURL has what there is, from FirstSequence on.
	Gap           bool   `json:"gap"`
	FirstSequence int64  `json:"firstSequence"`
	FetchURL      string `json:"fetchUrl" msgpack:"FetchUrl"`
	// LastSequence is where the client stands with this, and More that there is more: call CatchUp with it.
	LastSequence int64 `json:"lastSequence"`
	More         bool  `json:"more"`
	// UnreadCount is how many of all of the user's notifications are unread.
	UnreadCount int `json:"unreadCount"`
}
