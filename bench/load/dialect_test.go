package load

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestStamps(t *testing.T) {
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			call := d.invoke(-1, "Broadcast", payload(0, 100))
			for _, at := range []int64{0, 1, 1234567890123456789} {
				restamp(call, at)
				if got, ok := stampOf(call); got != at || !ok {
					t.Errorf("stamped with %d, read %d, %v", at, got, ok)
				}
			}
		})
	}
	for _, text := range []string{"", "@", "@0123", "@0123456789abcdeX@", "@0123456789abcdef", "no stamp in here at all, really"} {
		if at, ok := stampOf([]byte(text)); ok {
			t.Errorf("%q holds the stamp %d", text, at)
		}
	}
	if got := len(payload(5, 100)); got != 100 {
		t.Errorf("a text of 100 bytes has %d", got)
	}
}

// heard is what a client hears of a message.
func heard(d dialect, message string) (events []string, err error) {
	s := &Swarm{
		dialect:     d,
		onCompleted: func(_ *client, slot int, _ []byte) { events = append(events, fmt.Sprint("completed ", slot)) },
		onDelivered: func(*client, []byte) { events = append(events, "delivered") },
	}
	err = d.parse(&client{swarm: s}, []byte(message))
	return events, err
}

func TestParse(t *testing.T) {
	mp := func(m string) string { return string(lengthPrefixed([]byte(m))) }
	rows := []struct {
		name    string
		dialect dialect
		message string
		want    []string
		err     string
	}{
		{"json", jsonHub{}, "{\"type\":6}\x1e{\"type\":1,\"target\":\"Receive\",\"arguments\":[\"x\"]}\x1e" +
			"{\"type\":3,\"invocationId\":\"8\",\"result\":\"x\"}\x1e", []string{"delivered", "completed 7"}, ""},
		{"json, refused", jsonHub{}, "{\"type\":3,\"invocationId\":\"1\",\"error\":\"no\"}\x1e", nil, "refused"},
		{"json, closed", jsonHub{}, "{\"type\":7,\"error\":\"bye\"}\x1e", nil, "bye"},
		{"json, unfinished", jsonHub{}, `{"type":6}`, nil, "record separator"},
		{"json, unknown call", jsonHub{}, "{\"type\":3,\"invocationId\":\"0\"}\x1e", nil, "not made"},
		{"json, no type", jsonHub{}, "{}\x1e", nil, "without type"},
		{"messagepack", msgpackHub{}, mp("\x91\x06") + mp("\x96\x01\x80\xc0\xa7Receive\x91\xa1x\x90") + mp("\x95\x03\x80\xa18\x03\xa1x"),
			[]string{"delivered", "completed 7"}, ""},
		{"messagepack, refused", msgpackHub{}, mp("\x95\x03\x80\xa11\x01\xa2no"), nil, "refused"},
		{"messagepack, closed", msgpackHub{}, mp("\x92\x07\xa3bye"), nil, "bye"},
		{"messagepack, cut", msgpackHub{}, mp("\x95\x03\x80\xa11\x03\xa1x")[:5], nil, "odd"},
		{"messagepack, odd completion", msgpackHub{}, mp("\x95\x03\x80\xc0"), nil, "odd"},
		{"centrifuge", centrifuge{}, `{"push":{"channel":"all","pub":{"data":"x"}}}` + "\n" + `{"id":3,"rpc":{"data":"x"}}` + "\n",
			[]string{"delivered", "completed 2"}, ""},
		{"centrifuge, refused", centrifuge{}, `{"id":3,"error":{"code":104}}`, nil, "refused"},
		{"socket.io", socketIO{}, `42["Receive","x"]`, []string{"delivered"}, ""},
		{"socket.io, acknowledged", socketIO{}, `435["x"]`, []string{"completed 4"}, ""},
		{"socket.io, closed", socketIO{}, `41`, nil, "closed"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := heard(row.dialect, row.message)
			if !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
			if (err == nil) != (row.err == "") || err != nil && !strings.Contains(err.Error(), row.err) {
				t.Errorf("got error %v, want one about %q", err, row.err)
			}
		})
	}
	if _, err := heard(jsonHub{}, "{\"type\":3,\"invocationId\":\"1\",\"error\":\"no\"}\x1e"); !errors.Is(err, errRefused) {
		t.Errorf("got %v, want errRefused", err)
	}
}

// TestInvocations holds what is sent to what the protocols say.
func TestInvocations(t *testing.T) {
	rows := []struct {
		dialect string
		slot    int
		want    string
	}{
		{"json", 0, "{\"type\":1,\"invocationId\":\"1\",\"target\":\"Echo\",\"arguments\":[\"a\\\"b\",\"c\"]}\x1e"},
		{"json", -1, "{\"type\":1,\"target\":\"Echo\",\"arguments\":[\"a\\\"b\",\"c\"]}\x1e"},
		{"messagepack", 0, "\x12\x96\x01\x80\xa11\xa4Echo\x92\xa3a\"b\xa1c\x90"},
		{"messagepack", -1, "\x11\x96\x01\x80\xc0\xa4Echo\x92\xa3a\"b\xa1c\x90"},
		{"centrifuge", 0, `{"id":1,"rpc":{"method":"Echo","data":["a\"b","c"]}}`},
		{"socketio", 0, `421["Echo","a\"b","c"]`},
		{"socketio", -1, `42["Echo","a\"b","c"]`},
	}
	for _, row := range rows {
		if got := dialects[row.dialect].invoke(row.slot, "Echo", `a"b`, "c"); string(got) != row.want {
			t.Errorf("%s: got %q, want %q", row.dialect, got, row.want)
		}
	}
}
