package live_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
)

// oddData are data, each with what MessagePack makes of it, or nothing when it must be refused.
var oddData = []struct{ name, data, msgpack string }{
	{"empty", `{}`, "\x80"},
	{"beyond 2^53", `{"orderNo":9007199254740993}`, "\x81\xa7orderNo\xcf\x00\x20\x00\x00\x00\x00\x00\x01"},
	{"float that is whole", `{"f":1.0}`, "\x81\xa1f\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"},
	{"exponent", `{"f":1e0}`, "\x81\xa1f\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"},
	{"minus zero", `{"f":-0}`, "\x81\xa1f\xcb\x80\x00\x00\x00\x00\x00\x00\x00"},
	{"least int64", `{"i":-9223372036854775808}`, "\x81\xa1i\xd3\x80\x00\x00\x00\x00\x00\x00\x00"},
	{"largest uint64", `{"i":18446744073709551615}`, "\x81\xa1i\xcf\xff\xff\xff\xff\xff\xff\xff\xff"},
	{"larger", `{"i":18446744073709551616}`, "\x81\xa1i\xcb\x43\xf0\x00\x00\x00\x00\x00\x00"},
	{"small", `{"i":-1,"j":200}`, "\x82\xa1i\xff\xa1j\xcc\xc8"},
	{"too small for float64", `{"f":1e-400}`, "\x81\xa1f\xcb\x00\x00\x00\x00\x00\x00\x00\x00"},
	{"nested, in its order", `{"z":{"b":[],"a":null},"y":[true,false,{}]}`, "\x82\xa1z\x82\xa1b\x90\xa1a\xc0\xa1y\x93\xc3\xc2\x80"},
	{"text", `{"\u00e4":"\ud83c\udf89\u0000"}`, "\x81\xa2ä\xa5🎉\x00"},
	{"names that are alike", `{"a":1,"A":2}`, "\x82\xa1a\x01\xa1A\x02"},
	{"as deep as may be", nested(signalbox.MaxDataDepth), strings.Repeat("\x81\xa1a", signalbox.MaxDataDepth-1) + "\x80"},
	{"too deep", nested(signalbox.MaxDataDepth + 1), ""},
	{"much too deep", nested(200), ""},
	{"beyond float64", `{"e":1e400}`, ""},
	{"beyond float64, negative", `{"a":[{"e":-1e400}]}`, ""},
	{"name twice", `{"a":1,"a":2}`, ""},
	{"name twice, spelled otherwise", `{"x":{"a":1,"\u0061":2}}`, ""},
	{"half a surrogate pair", `{"a":"\ud800"}`, ""},
	{"no UTF-8", "{\"a\":\"\xff\"}", ""},
	{"NaN", `{"a":NaN}`, ""},
	{"array", `[1]`, ""},
	{"broken", `{"a":`, ""},
	{"more behind it", `{} {}`, ""},
}

func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth-1) + `{}` + strings.Repeat(`}`, depth-1)
}

// written returns a CatchUp answer with these data, the deepest place that they have, as both protocols write it.
func written(data string) (inJSON, inMessagePack []byte, err error) {
	answer := &protocol.Completion{InvocationID: "1", HasResult: true, Result: notificationhub.CatchUpResult{
		Notifications: []notificationhub.NotificationMessage{{Data: notificationhub.Data(data), CreatedAt: at}},
	}}
	if inJSON, err = jsonprotocol.New(nil).Append(nil, answer); err != nil {
		return nil, nil, err
	}
	inMessagePack, err = msgpackprotocol.New(nil).Append(nil, answer)
	return inJSON, inMessagePack, err
}

// TestDataOnTheWire compares what is accepted with what the protocols can write.
func TestDataOnTheWire(t *testing.T) {
	for _, test := range oddData {
		t.Run(test.name, func(t *testing.T) {
			valid := signalbox.ValidateData(json.RawMessage(test.data))
			if (valid == nil) != (test.msgpack != "") {
				t.Errorf("ValidateData: %v", valid)
			}
			inJSON, inMessagePack, err := written(test.data)
			if test.msgpack == "" {
				if err == nil && test.data[0] == '{' {
					t.Errorf("it is refused, and could be written")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var plain bytes.Buffer
			if err := json.Compact(&plain, []byte(test.data)); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(test.data, `\u`) && !bytes.Contains(inJSON, append([]byte(`"data":`), plain.Bytes()...)) {
				t.Errorf("in JSON %s lacks %s", inJSON, &plain)
			}
			if !bytes.Contains(inMessagePack, []byte("\xa4Data"+test.msgpack+"\xa5Topic")) {
				t.Errorf("in MessagePack %q lacks %q", inMessagePack, test.msgpack)
			}
		})
	}
}

// FuzzData looks for data that are accepted and cannot be written, or that the two protocols write differently.
func FuzzData(f *testing.F) {
	for _, test := range oddData {
		f.Add(test.data)
	}
	f.Fuzz(func(t *testing.T, data string) {
		if signalbox.ValidateData(json.RawMessage(data)) != nil {
			return
		}
		if strings.TrimSpace(data) == "" || strings.TrimSpace(data) == "null" {
			return // stored as none, see WithDefaults
		}
		if _, _, err := written(data); err != nil {
			t.Fatalf("%q is accepted and cannot be written: %v", data, err)
		}
		packed, err := notificationhub.Data(data).MarshalMsg(nil)
		if err != nil {
			t.Fatal(err)
		}
		var fromPacked, fromJSON map[string]any
		if err := msgpackprotocol.New(nil).Decode(packed, &fromPacked); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(data), &fromJSON); err != nil {
			t.Fatal(err)
		}
		if len(fromPacked) != len(fromJSON) {
			t.Errorf("%q has %d members in MessagePack, %d in JSON", data, len(fromPacked), len(fromJSON))
		}
	})
}

// TestUndeliverableData stores what would be refused today: the notification comes without it, and so do those behind it.
func TestUndeliverableData(t *testing.T) {
	s := newSite(t)
	var log bytes.Buffer
	s.notifications.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s.give("ada", 2)
	ada := s.notified("ada", 2)
	broken := s.inbox.all[0]
	broken.Data = json.RawMessage(nested(80))
	s.inbox.all[0].Data = broken.Data
	sent, err := s.events.Deliver(t.Context(), []signalbox.Event{
		{UserID: "ada", Notification: &broken}, {UserID: "ada", Notification: &s.inbox.all[1]},
	})
	if sent != 2 || err != nil {
		t.Errorf("Deliver = %d, %v, want 2", sent, err)
	}
	ada.want(helloTo("n1", 1, ""), helloTo("n2", 2, ""), event("UnreadCountUpdated", 2))
	for range 2 {
		if got := ada.call("CatchUp", 0); !strings.Contains(got, `"id":"n1"`) || !strings.Contains(got, `"id":"n2"`) {
			t.Errorf("CatchUp: %s", got)
		}
	}
	if n := strings.Count(log.String(), "without its data"); n != 1 || !strings.Contains(log.String(), "notification=n1") {
		t.Errorf("logged %d times: %s", n, &log)
	}
}
