package live_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/contract/orderhub"
)

// told is a notification with something in every field.
var told = signalbox.Notification{
	ID: "n7", UserID: "ada", Sequence: 300, Topic: "news", CreatedAt: at,
	NotificationMessage: signalbox.NotificationMessage{
		Title: "Größe <b>", Message: "1 & 2", Type: signalbox.TypeOrderUpdate, Data: json.RawMessage(`{"status":"Shipped","orderId":"1","n":[1.5,true,null]}`),
	},
}

func TestJSON(t *testing.T) {
	s := newSite(t, order)
	ada := s.notified("ada", 0)
	if err := s.show(told); err != nil {
		t.Fatal(err)
	}
	ada.want(`{"type":1,"target":"ReceiveNotification","arguments":[{"id":"n7","sequence":300,` +
		`"title":"Größe <b>","message":"1 & 2","type":"OrderUpdate",` +
		`"data":{"status":"Shipped","orderId":"1","n":[1.5,true,null]},"topic":"news","createdAt":"2026-03-04T05:06:07.890123Z"}]}`)

	plain := signalbox.Notification{
		ID: "n8", UserID: "ada", Sequence: 301, CreatedAt: at.Truncate(time.Second),
		NotificationMessage: signalbox.NotificationMessage{Title: "t", Type: signalbox.TypeInfo},
	}
	if err := s.show(plain); err != nil {
		t.Fatal(err)
	}
	ada.want(`{"type":1,"target":"UnreadCountUpdated","arguments":[0]}`,
		`{"type":1,"target":"ReceiveNotification","arguments":[{"id":"n8","sequence":301,"title":"t","message":"","type":"Info",`+
			`"data":null,"topic":"","createdAt":"2026-03-04T05:06:07Z"}]}`)

	watcher := s.connect(orderhub.Path, "ada")
	if got, want := watcher.call("SubscribeToOrder", "1"), `{"type":3,"invocationId":"c","result":{"id":"1","status":"Processing",`+
		`"progress":50,"message":"Packing","version":4,"updatedAt":"2026-03-04T05:06:07.890123Z"}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.change(signalbox.OrderChange{ID: "1", Status: new(signalbox.StatusCompleted), Progress: new(100), Message: new("")})
	watcher.want(`{"type":1,"target":"OrderStatusUpdated","arguments":["1","Completed",null]}`,
		`{"type":1,"target":"OrderProgressUpdated","arguments":["1",100]}`,
		`{"type":1,"target":"OrderCompleted","arguments":["1"]}`,
		`{"type":1,"target":"OrderChanged","arguments":[{"id":"1","status":"Completed","progress":100,"message":"","version":5,`+
			`"updatedAt":"2026-03-04T05:06:07.890123Z"}]}`)
}

// show sends a notification, whether it is stored or not.
func (s *site) show(n signalbox.Notification) error {
	_, err := s.events.Deliver(s.t.Context(), []signalbox.Event{{UserID: n.UserID, Notification: &n}})
	return err
}

// created is [at] as a MessagePack timestamp of 64 bits: 890,123,000 ns in 30 bits, 1,772,600,767 s in 34.
const created = "\xd7\xff\xd4\x38\xcb\xe0\x69\xa7\xbd\xbf"

// What begins an invocation in MessagePack: an array of type 1, headers, no id, target, arguments, and the streams that
// follow the arguments (F-074).
const (
	invocation = "\x96\x01\x80\xc0"
	noStreams  = "\x90"
)

func TestMessagePack(t *testing.T) {
	s := newSite(t, order)
	ada := s.inMessagePack(notificationhub.Path)
	ada.wantBytes(invocation + "\xb2UnreadCountUpdated" + "\x91\x00" + noStreams)
	if err := s.show(told); err != nil {
		t.Fatal(err)
	}
	ada.wantBytes(invocation + "\xb3ReceiveNotification" + "\x91\x88" +
		"\xa2Id" + "\xa2n7" +
		"\xa8Sequence" + "\xcd\x01\x2c" +
		"\xa5Title" + "\xabGröße <b>" +
		"\xa7Message" + "\xa51 & 2" +
		"\xa4Type" + "\xabOrderUpdate" +
		"\xa4Data" + "\x83" + "\xa6status" + "\xa7Shipped" + "\xa7orderId" + "\xa11" + "\xa1n" + "\x93\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xc3\xc0" +
		"\xa5Topic" + "\xa4news" +
		"\xa9CreatedAt" + created +
		noStreams)

	snapshot := func(status string, progress, message, version string) string {
		return "\x86" + "\xa2Id" + "\xa11" + "\xa6Status" + status + "\xa8Progress" + progress + "\xa7Message" + message +
			"\xa7Version" + version + "\xa9UpdatedAt" + created
	}
	watcher := s.inMessagePack(orderhub.Path)
	// The call has no streams; the answer is an array of type 3, headers, id, 3 for "has a result", and the result.
	watcher.sendBytes("\x96\x01\x80\xa1c\xb0SubscribeToOrder\x91\xa11\x90")
	watcher.wantBytes("\x95\x03\x80\xa1c\x03" + snapshot("\xaaProcessing", "\x32", "\xa7Packing", "\x04"))
	s.change(signalbox.OrderChange{ID: "1", Status: new(signalbox.StatusCompleted), Progress: new(100), Message: new("")})
	watcher.wantBytes(invocation + "\xb2OrderStatusUpdated" + "\x93\xa11\xa9Completed\xc0" + noStreams)
	watcher.wantBytes(invocation + "\xb4OrderProgressUpdated" + "\x92\xa11\x64" + noStreams)
	watcher.wantBytes(invocation + "\xaeOrderCompleted" + "\x91\xa11" + noStreams)
	watcher.wantBytes(invocation + "\xacOrderChanged" + "\x91" + snapshot("\xa9Completed", "\x64", "\xa0", "\x05") + noStreams)
}

// inMessagePack connects ada to a hub.
func (s *site) inMessagePack(path string) *client {
	s.t.Helper()
	c := s.dial(path, "ada")
	c.send(`{"protocol":"messagepack","version":1}`)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if _, p, err := c.ws.Read(ctx); err != nil || string(p) != "{}\x1e" {
		s.t.Fatalf("the handshake was answered %q, %v", p, err)
	}
	return c
}

// sendBytes sends a message of less than 128 bytes, whose length is one byte.
func (c *client) sendBytes(msg string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageBinary, []byte(string(rune(len(msg)))+msg)); err != nil {
		c.t.Fatal(err)
	}
}

// wantBytes reads the message that must come next, which has less than 16384 bytes.
func (c *client) wantBytes(want string) {
	c.t.Helper()
	length := string([]byte{byte(len(want))})
	if len(want) > 127 {
		length = string([]byte{byte(len(want)) | 0x80, byte(len(want) >> 7)})
	}
	want = length + want
	if len(c.rest) == 0 {
		ctx, cancel := context.WithTimeout(c.t.Context(), patience)
		defer cancel()
		kind, p, err := c.ws.Read(ctx)
		if err != nil || kind != websocket.MessageBinary {
			c.t.Fatalf("reading a message: %v, %v", kind, err)
		}
		c.rest = []string{string(p)}
	}
	rest, ok := strings.CutPrefix(c.rest[0], want)
	if !ok {
		c.t.Fatalf("got  %q\nwant %q", c.rest[0], want)
	}
	c.rest[0] = rest
	if rest == "" {
		c.rest = nil
	}
}
