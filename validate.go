package signalbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What the services accept at most. Lengths count characters, except where the name says bytes.
const (
	MaxNameLength    = 64
	MinPasswordBytes = 4
	MaxPasswordBytes = 1024
	MaxTitleLength   = 200
	MaxMessageLength = 4000
	MaxDataBytes     = 16 << 10
	MaxOrderIDLength = 64
)

// Validate checks that m can be stored and shown: a title of 1 to [MaxTitleLength] characters that is not blank, a
// message of at most [MaxMessageLength], a known type or none, and data as [ValidateData] wants them. What is wrong is
// an [*InvalidError].
func (m NotificationMessage) Validate() error {
	if err := checkText("title", m.Title, MaxTitleLength); err != nil {
		return err
	}
	if strings.TrimSpace(m.Title) == "" {
		return &InvalidError{Field: "title", Reason: "must not be empty"}
	}
	if err := checkText("message", m.Message, MaxMessageLength); err != nil {
		return err
	}
	if m.Type != "" && !m.Type.Valid() {
		return &InvalidError{Field: "type", Reason: "must be one of " + oneOf(NotificationTypes)}
	}
	return ValidateData(m.Data)
}

// WithDefaults returns m as it is stored and shown: with [TypeInfo] when it has no type, and without data when the
// data is the JSON null.
func (m NotificationMessage) WithDefaults() NotificationMessage {
	if m.Type == "" {
		m.Type = TypeInfo
	}
	if isNone(m.Data) {
		m.Data = nil
	}
	return m
}

// isNone says that a message's data stands for none: a JSON decoder leaves null in a RawMessage as it is.
func isNone(data json.RawMessage) bool {
	return len(data) == 0 || string(bytes.TrimSpace(data)) == "null"
}

// Validate checks what can be checked without knowing the order: an id of 1 to [MaxOrderIDLength] letters, digits,
// dots, underscores and hyphens, a known status, a progress of 0 to 100, and a message of at most [MaxMessageLength]
// characters. What is wrong is an [*InvalidError].
func (c OrderChange) Validate() error {
	if c.ID == "" || len(c.ID) > MaxOrderIDLength || strings.ContainsFunc(c.ID, notInOrderID) {
		return &InvalidError{Field: "id", Reason: fmt.Sprintf("must be 1 to %d letters (a to z, A to Z), digits, "+
			"dots, underscores or hyphens", MaxOrderIDLength)}
	}
	if c.ID == "." || c.ID == ".." {
		// The id is a segment of URLs, where these two name folders.
		return &InvalidError{Field: "id", Reason: "must not be . or .."}
	}
	if c.Status != nil && !c.Status.Valid() {
		return &InvalidError{Field: "status", Reason: "must be one of " + oneOf(OrderStatuses)}
	}
	if c.Progress != nil && (*c.Progress < 0 || *c.Progress > 100) {
		return &InvalidError{Field: "progress", Reason: "must be 0 to 100"}
	}
	if c.Message != nil {
		return checkText("message", *c.Message, MaxMessageLength)
	}
	return nil
}

func notInOrderID(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r))
}

// ValidateName checks the name of a user, a role or a key: 1 to [MaxNameLength] visible characters, with blanks at
// most between them. What is wrong is an [*InvalidError] about the field.
func ValidateName(field, name string) error {
	if err := checkText(field, name, MaxNameLength); err != nil {
		return err
	}
	if name == "" {
		return &InvalidError{Field: field, Reason: "must not be empty"}
	}
	if strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return &InvalidError{Field: field, Reason: "must be visible characters that begin and end with no blank"}
	}
	return nil
}

// ValidatePassword checks that a password has [MinPasswordBytes] to [MaxPasswordBytes] bytes. The upper bound limits
// what a stranger can make the server hash.
func ValidatePassword(password string) error {
	if len(password) < MinPasswordBytes || len(password) > MaxPasswordBytes {
		return &InvalidError{Field: "password", Reason: fmt.Sprintf("must be %d to %d bytes long", MinPasswordBytes, MaxPasswordBytes)}
	}
	return nil
}

// checkText checks that s is text of at most most characters. NUL is no text: not every database can store it.
func checkText(field, s string, most int) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return &InvalidError{Field: field, Reason: "must be UTF-8 text without NUL"}
	}
	if utf8.RuneCountInString(s) > most {
		return &InvalidError{Field: field, Reason: fmt.Sprintf("must be at most %d characters long", most)}
	}
	return nil
}

func oneOf[T ~string](names []T) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = string(name)
	}
	return strings.Join(list, ", ")
}
