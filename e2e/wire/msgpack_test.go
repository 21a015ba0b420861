package wire_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"signalbox/e2e/hosttest"
	"signalbox/e2e/wire"
)

// loadMessagePack returns the MessagePack recordings of testdata.
func loadMessagePack(t *testing.T) ([]wire.FrameVector, []wire.Conversation) {
	t.Helper()
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	vectors, err := wire.ParseFrameVectors(read("testdata/msgpack/live-frames.txt"))
	if err != nil {
		t.Fatal(err)
	}
	conversations, err := wire.ParseConversations(read("testdata/msgpack/live.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return vectors, conversations
}

// TestMessagePackTranscripts plays the recordings of the MessagePack hub protocol.
func TestMessagePackTranscripts(t *testing.T) {
	vectors, conversations := loadMessagePack(t)
	skipWithoutMessagePack(t, vectors[0])
	var scenarios []scenario
	for _, v := range vectors {
		s := scenario{
			name: v.Name,
			skip: notReplayed(v.Name, v.Sent),
			play: func(ctx context.Context, r *wire.Replayer) error { return r.PlayFrame(ctx, v, *detail) },
		}
		if *detail {
			s.options = "DETAILED=1"
		}
		scenarios = append(scenarios, s)
	}
	for _, c := range conversations {
		var sent []byte
		for _, e := range c.Events {
			if e.Sign == ">" {
				sent = append(sent, e.Data...)
			}
		}
		scenarios = append(scenarios, scenario{
			name:    c.Name,
			options: strings.TrimPrefix(c.Options, "DETAILED=0"), // the default
			skip:    notReplayed(c.Name, sent),
			play:    func(ctx context.Context, r *wire.Replayer) error { return r.PlayConversation(ctx, c) },
		})
	}
	playScenarios(t, scenarios)
}

// notReplayed returns why a recording is not replayed, or "".
func notReplayed(name string, sent []byte) string {
	for _, method := range []string{"EchoObject", "EchoColour", "EchoGuid", "EchoDecimal", "CountUpload", "BadResult", "SendBad", "LazyResult", "StreamBad"} {
		if bytes.Contains(sent, []byte(method)) {
			return "only the recorded server has the method " + method
		}
	}
	if reason := knownMessagePackDifferences()[name]; reason != "" {
		return reason
	}
	switch {
	case strings.HasPrefix(name, "stateful-"):
		return "the connection was negotiated, which the recording leaves out"
	case regexp.MustCompile(`^(unknown-type-stalls|type-(0|10|99-then-ping|neg|127))$`).MatchString(name):
		return "the recorded server stalls at an unknown message type; a server that skips it is right (F-071)"
	}
	return ""
}

// skipWithoutMessagePack skips the test when another server than ours does not offer MessagePack.
func skipWithoutMessagePack(t *testing.T, v wire.FrameVector) {
	t.Helper()
	if len(hosttest.Reference()) == 0 {
		return
	}
	address, err := startServer(t, hosttest.Reference(), "")
	if err != nil {
		t.Fatal(err)
	}
	err = (&wire.Replayer{Address: address, Timeout: *answer}).PlayFrame(t.Context(), v, false)
	if mismatch := (*wire.MismatchError)(nil); errors.As(err, &mismatch) && strings.Contains(mismatch.Got, "'messagepack' is not supported") {
		t.Skipf("the server that %s names does not offer MessagePack: %s", hosttest.ReferenceVariable, mismatch.Got)
	}
}
