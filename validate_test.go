package signalbox_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

// wantField fails the test unless err is an InvalidError about the field, or nil for no field.
func wantField(t *testing.T, err error, field string) {
	t.Helper()
	if field == "" {
		if err != nil {
			t.Errorf("error %v, want none", err)
		}
		return
	}
	if invalid, ok := errors.AsType[*signalbox.InvalidError](err); !ok || invalid.Field != field || invalid.Reason == "" {
		t.Errorf("error %v, want an InvalidError about %q", err, field)
	}
}

func TestNotificationMessageValidate(t *testing.T) {
	object := func(bytes int) json.RawMessage {
		return json.RawMessage(`{"a":"` + strings.Repeat("x", bytes-len(`{"a":""}`)) + `"}`)
	}
	for _, test := range []struct {
		name  string
		m     signalbox.NotificationMessage
		field string
	}{
		{"least", signalbox.NotificationMessage{Title: "t"}, ""},
		{"most", signalbox.NotificationMessage{Title: strings.Repeat("ü", 200), Message: strings.Repeat("🎉", 4000),
			Type: signalbox.TypeOrderUpdate, Data: object(16 << 10)}, ""},
		{"no title", signalbox.NotificationMessage{Message: "m"}, "title"},
		{"blank title", signalbox.NotificationMessage{Title: " \t\n"}, "title"},
		{"long title", signalbox.NotificationMessage{Title: strings.Repeat("t", 201)}, "title"},
		{"title that is no text", signalbox.NotificationMessage{Title: "\xff"}, "title"},
		{"title with NUL", signalbox.NotificationMessage{Title: "a\x00b"}, "title"},
		{"long message", signalbox.NotificationMessage{Title: "t", Message: strings.Repeat("m", 4001)}, "message"},
		{"message with NUL", signalbox.NotificationMessage{Title: "t", Message: "\x00"}, "message"},
		{"unknown type", signalbox.NotificationMessage{Title: "t", Type: "Alarm"}, "type"},
		{"type in lower case", signalbox.NotificationMessage{Title: "t", Type: "info"}, "type"},
		{"empty object", signalbox.NotificationMessage{Title: "t", Data: json.RawMessage(" {} ")}, ""},
		{"null", signalbox.NotificationMessage{Title: "t", Data: json.RawMessage(" null\n")}, ""},
		{"array", signalbox.NotificationMessage{Title: "t", Data: json.RawMessage(`[]`)}, "data"},
		{"string", signalbox.NotificationMessage{Title: "t", Data: json.RawMessage(`"{}"`)}, "data"},
		{"broken object", signalbox.NotificationMessage{Title: "t", Data: json.RawMessage(`{"a":}`)}, "data"},
		{"two objects", signalbox.NotificationMessage{Title: "t", Data: json.RawMessage(`{}{}`)}, "data"},
		{"number beyond float64", signalbox.NotificationMessage{Title: "t", Data: json.RawMessage(`{"e":[1e400]}`)}, "data"},
		{"name twice", signalbox.NotificationMessage{Title: "t", Data: json.RawMessage(`{"a":1,"\u0061":2}`)}, "data"},
		{"half a surrogate pair", signalbox.NotificationMessage{Title: "t", Data: json.RawMessage(`{"a":"\ud800"}`)}, "data"},
		{"blank data", signalbox.NotificationMessage{Title: "t", Data: json.RawMessage(` `)}, "data"},
		{"data that is no text", signalbox.NotificationMessage{Title: "t", Data: json.RawMessage("{\"a\":\"\xff\"}")}, "data"},
		{"large object", signalbox.NotificationMessage{Title: "t", Data: object(16<<10 + 1)}, "data"},
	} {
		t.Run(test.name, func(t *testing.T) { wantField(t, test.m.Validate(), test.field) })
	}
}

func TestNotificationMessageWithDefaults(t *testing.T) {
	for _, test := range []struct{ name, data, typ, wantData, wantType string }{
		{"nothing", "", "", "", "Info"},
		{"null", " null ", "Error", "", "Error"},
		{"object", ` {"a": null}`, "Success", ` {"a": null}`, "Success"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := signalbox.NotificationMessage{Title: "t", Message: "m", Type: signalbox.NotificationType(test.typ), Data: json.RawMessage(test.data)}
			want := signalbox.NotificationMessage{Title: "t", Message: "m", Type: signalbox.NotificationType(test.wantType)}
			if test.wantData != "" {
				want.Data = json.RawMessage(test.wantData)
			}
			if diff := cmp.Diff(want, m.WithDefaults()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOrderChangeValidate(t *testing.T) {
	for _, test := range []struct {
		name  string
		c     signalbox.OrderChange
		field string
	}{
		{"least", signalbox.OrderChange{ID: "1"}, ""},
		{"every character", signalbox.OrderChange{ID: "azAZ09._-"}, ""},
		{"most", signalbox.OrderChange{ID: strings.Repeat("1", 64), Status: new(signalbox.StatusFailed), Progress: new(100),
			Message: new(strings.Repeat("m", 4000))}, ""},
		{"no progress", signalbox.OrderChange{ID: "1", Progress: new(0)}, ""},
		{"no id", signalbox.OrderChange{}, "id"},
		{"long id", signalbox.OrderChange{ID: strings.Repeat("1", 65)}, "id"},
		{"id with a slash", signalbox.OrderChange{ID: "a/b"}, "id"},
		{"id with a letter of another script", signalbox.OrderChange{ID: "ä"}, "id"},
		{"id with a line feed", signalbox.OrderChange{ID: "1\n"}, "id"},
		{"id that is no text", signalbox.OrderChange{ID: "\xff"}, "id"},
		{"this folder", signalbox.OrderChange{ID: "."}, "id"},
		{"the folder above", signalbox.OrderChange{ID: ".."}, "id"},
		{"three dots", signalbox.OrderChange{ID: "..."}, ""},
		{"unknown status", signalbox.OrderChange{ID: "1", Status: new(signalbox.OrderStatus("Lost"))}, "status"},
		{"empty status", signalbox.OrderChange{ID: "1", Status: new(signalbox.OrderStatus(""))}, "status"},
		{"less than no progress", signalbox.OrderChange{ID: "1", Progress: new(-1)}, "progress"},
		{"too much progress", signalbox.OrderChange{ID: "1", Progress: new(101)}, "progress"},
		{"long message", signalbox.OrderChange{ID: "1", Message: new(strings.Repeat("m", 4001))}, "message"},
	} {
		t.Run(test.name, func(t *testing.T) { wantField(t, test.c.Validate(), test.field) })
	}
}

func TestValidateName(t *testing.T) {
	for name, field := range map[string]string{
		"a": "", "Ada Lovelace": "", "ada@example.com": "", "o'neill": "", "李": "", strings.Repeat("é", 64): "",
		"": "name", " ": "name", " ada": "name", "ada\u00a0": "name", "a\tb": "name", "a\x7fb": "name", "a\u200bb": "name",
		"a\xffb": "name", "a\x00b": "name", strings.Repeat("é", 65): "name",
	} {
		t.Run(name, func(t *testing.T) { wantField(t, signalbox.ValidateName("name", name), field) })
	}
}

func TestValidatePassword(t *testing.T) {
	for length, field := range map[int]string{0: "password", 3: "password", 4: "", 1024: "", 1025: "password"} {
		wantField(t, signalbox.ValidatePassword(strings.Repeat("p", length)), field)
	}
}
