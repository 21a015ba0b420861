package web

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"signalbox"
)

// How many notifications GET answers with.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// notificationRequest is the body of POST /notifications.
type notificationRequest struct {
	Users   []string                   `json:"users"`
	Topic   string                     `json:"topic"`
	Title   string                     `json:"title"`
	Message string                     `json:"message"`
	Type    signalbox.NotificationType `json:"type"`
	Data    jsontext.Value             `json:"data"`
}

// check says whether the request names whom to notify; the services check the rest.
func (n notificationRequest) check() error {
	switch {
	case n.Topic == "" && len(n.Users) == 0:
		return &signalbox.InvalidError{Field: "users", Reason: "must name at least one user, unless topic is given"}
	case n.Topic != "" && n.Users != nil:
		return &signalbox.InvalidError{Field: "topic", Reason: "must not be given together with users"}
	}
	return nil
}

// notificationJSON is a notification as GET /notifications answers it.
type notificationJSON struct {
	ID       string                     `json:"id"`
	User     string                     `json:"user"`
	Sequence int64                      `json:"sequence"`
	Title    string                     `json:"title"`
	Message  string                     `json:"message"`
	Type     signalbox.NotificationType `json:"type"`
	// Data is null when there is none.
	Data      jsontext.Value `json:"data"`
	Topic     *string        `json:"topic"`
	CreatedAt time.Time      `json:"createdAt"`
	ReadAt    *time.Time     `json:"readAt"`
}

// inboxJSON is what GET /notifications answers.
type inboxJSON struct {
	Notifications []notificationJSON `json:"notifications"`
	Unread        int                `json:"unread"`
}

func (s *Server) getNotifications(w http.ResponseWriter, r *http.Request) error {
	query, err := parseQuery(r, "user", "before", "limit")
	if err != nil {
		return err
	}
	before, err := parseBefore(query.Get("before"))
	if err != nil {
		return err
	}
	limit := defaultLimit
	if value := query.Get("limit"); value != "" {
		if limit, err = strconv.Atoi(value); err != nil || limit < 1 || limit > maxLimit {
			return &signalbox.InvalidError{Field: "limit", Reason: fmt.Sprintf("must be a whole number from 1 to %d", maxLimit)}
		}
	}
	user, err := s.userOf(r, "user", query.Get("user"))
	if err != nil {
		return err
	}
	list, err := s.opts.Notifications.Notifications(r.Context(), user.ID, before, limit)
	if err != nil {
		return fmt.Errorf("list notifications: %w", err)
	}
	unread, err := s.opts.Notifications.UnreadCount(r.Context(), user.ID)
	if err != nil {
		return fmt.Errorf("count unread notifications: %w", err)
	}
	result := inboxJSON{Notifications: make([]notificationJSON, len(list)), Unread: unread}
	for i, n := range list {
		result.Notifications[i] = notificationToJSON(n)
	}
	return writeJSON(w, http.StatusOK, result)
}

func notificationToJSON(n signalbox.Notification) notificationJSON {
	result := notificationJSON{
		ID: n.ID, User: n.UserID, Sequence: n.Sequence, Title: n.Title, Message: n.Message, Type: n.Type,
		Data: jsontext.Value(n.Data), CreatedAt: n.CreatedAt, ReadAt: n.ReadAt,
	}
	if len(n.Data) == 0 {
		result.Data = jsontext.Value("null")
	}
	if n.Topic != "" {
		result.Topic = &n.Topic
	}
	return result
}
