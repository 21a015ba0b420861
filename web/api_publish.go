package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"signalbox"
)

// maxIdempotencyKeyLength is how long an Idempotency-Key may be.
const maxIdempotencyKeyLength = 255

// storedNotification is one of the notifications that POST /notifications has stored.
type storedNotification struct {
	ID       string `json:"id"`
	User     string `json:"user"`
	Sequence int64  `json:"sequence"`
	// Connections is how many connections the user had, if the request asked.
	Connections *int `json:"connections,omitzero"`
}

// storedNotifications is what POST /notifications answers.
type storedNotifications struct {
	Notifications []storedNotification `json:"notifications"`
}

func (s *Server) postNotifications(w http.ResponseWriter, r *http.Request) error {
	query, err := parseQuery(r, "connections")
	if err != nil {
		return err
	}
	count := false
	if value := query.Get("connections"); value != "" {
		if count, err = strconv.ParseBool(value); err != nil {
			return &signalbox.InvalidError{Field: "connections", Reason: "must be true or false"}
		}
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	var request notificationRequest
	if err := decodeJSON(body, &request); err != nil {
		return err
	}
	if err := request.check(); err != nil {
		return err
	}
	p := signalbox.Publication{Users: request.Users, Topic: request.Topic, Message: signalbox.NotificationMessage{
		Title: request.Title, Message: request.Message, Type: request.Type, Data: json.RawMessage(request.Data),
	}.WithDefaults()}
	// Before anything is stored: who is told may be nobody, and still the request must make sense.
	if err := p.Message.Validate(); err != nil {
		return err
	}
	if p.Idempotency, err = idempotencyKey(r, body); err != nil {
		return err
	}
	stored, replayed, err := s.opts.Notifications.Publish(r.Context(), p)
	if err != nil {
		if errors.Is(err, signalbox.ErrInFlight) {
			w.Header().Set("Retry-After", "1")
		}
		if errors.Is(err, signalbox.ErrNotFound) {
			return &fieldError{http.StatusNotFound, "topic", "There is no such topic: topics are configured on the server."}
		}
		return fmt.Errorf("send a notification: %w", err)
	}
	result := storedNotifications{Notifications: make([]storedNotification, len(stored))}
	for i, n := range stored {
		result.Notifications[i] = storedNotification{ID: n.ID, User: n.UserID, Sequence: n.Sequence}
		if count {
			// Part of the farm may not answer: what was found is a lower bound, and better than no answer to what is stored.
			connections, _ := s.opts.Presence.UserConnections(r.Context(), n.UserID)
			result.Notifications[i].Connections = new(len(connections))
		}
	}
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	return writeJSON(w, http.StatusCreated, result)
}

// idempotencyKey returns the key that a request names itself by, or nil.
func idempotencyKey(r *http.Request, body []byte) (*signalbox.IdempotencyKey, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return nil, nil
	}
	name := values[0]
	if len(values) > 1 || name == "" || len(name) > maxIdempotencyKeyLength || !isVisibleASCII(name) {
		return nil, &signalbox.InvalidError{
			Field: "Idempotency-Key", Reason: fmt.Sprintf("must be one value of 1 to %d visible ASCII characters", maxIdempotencyKeyLength),
		}
	}
	sum := sha256.Sum256(body)
	return &signalbox.IdempotencyKey{Owner: apiKeyOf(r).ID, Key: name, RequestHash: hex.EncodeToString(sum[:])}, nil
}

func isVisibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// receiptJSON is what GET /notifications/{id} answers.
type receiptJSON struct {
	notificationJSON
	StoredAt    time.Time  `json:"storedAt"`
	SentAt      *time.Time `json:"sentAt"`
	DeliveredAt *time.Time `json:"deliveredAt"`
	SeenAt      *time.Time `json:"seenAt"`
}

func (s *Server) getReceipt(w http.ResponseWriter, r *http.Request) error {
	receipt, err := s.opts.Notifications.Receipt(r.Context(), r.PathValue("id"))
	if err != nil {
		return fmt.Errorf("look up a notification: %w", err)
	}
	return writeJSON(w, http.StatusOK, receiptJSON{
		notificationJSON: notificationToJSON(receipt.Notification),
		StoredAt:         receipt.CreatedAt, SentAt: receipt.SentAt, DeliveredAt: receipt.DeliveredAt, SeenAt: receipt.ReadAt,
	})
}
