package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signalbox/bench/load"
)

// recordedKey is the key of the servers whose conversations were recorded: two of ASP.NET Core 10 with its Redis backplane.
const recordedKey = "aspnetcore-recorded"

// recordingPath is the recording, below the repository's root.
const recordingPath = "signalr/redisbackplane/testdata/sequences.txt"

// recordedHub is the hub's name in it.
const recordedHub = "RefServer.TestHub"

// recording is what was recorded with MONITOR: conversations of servers A and B, each a list of events, in their order.
type recording struct{ events []recordedEvent }

// recordedEvent is a line of the recording. Kinds are A, an action that was asked for; S, U and P, a command; C, a message
// to a client.
type recordedEvent struct {
	conversation, kind, who string
	what                    string // the action, or the channel
	payload                 []byte
}

// readRecording reads the recording for servers whose names are as long as those that a machine of this name gives.
func readRecording(moduleRoot, machine string) (*recording, error) {
	b, err := os.ReadFile(filepath.Join(moduleRoot, "..", filepath.FromSlash(recordingPath)))
	if err != nil {
		return nil, fmt.Errorf("reading the recording: %w", err)
	}
	r, err := parseRecording(renameServers(string(b), machine))
	if err != nil {
		return nil, fmt.Errorf("reading the recording: %w", err)
	}
	return r, nil
}

// recordedServer is a server's own channel with its name: the machine's, an underscore, and 32 digits (F-163).
var recordedServer = regexp.MustCompile(`:internal:ack:([^\s_]+)(_[0-9a-f]{32})`)

// renameServers gives the servers the name of another machine, in channels and in payloads, where its length is one byte.
func renameServers(text, machine string) string {
	var pairs []string
	for _, m := range recordedServer.FindAllStringSubmatch(text, -1) {
		before, after := m[1]+m[2], machine+m[2]
		pairs = append(pairs, before, after, hex.EncodeToString([]byte(before)), hex.EncodeToString([]byte(after)))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func parseRecording(text string) (*recording, error) {
	r, conversation := &recording{}, ""
	for line := range strings.Lines(text) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if name, ok := strings.CutPrefix(columns[0], "@ "); ok {
			conversation = name
			continue
		}
		if len(columns) < 3 || !strings.Contains("ASUPC", columns[0]) {
			continue
		}
		e := recordedEvent{conversation: conversation, kind: columns[0], who: columns[1], what: columns[2]}
		if e.kind == "P" && len(columns) > 3 {
			var err error
			if e.payload, err = unhex(columns[3]); err != nil {
				return nil, fmt.Errorf("%s: %w", conversation, err)
			}
		}
		r.events = append(r.events, e)
	}
	return r, nil
}

// unhex reads bytes in hexadecimal; "78*300" is one of them 300 times.
func unhex(s string) ([]byte, error) {
	var b []byte
	for token := range strings.FieldsSeq(s) {
		digits, times, repeated := strings.Cut(token, "*")
		part, err := hex.DecodeString(digits)
		if err != nil {
			return nil, err
		}
		n := 1
		if repeated {
			if n, err = strconv.Atoi(times); err != nil {
				return nil, err
			}
		}
		b = append(b, bytes.Repeat(part, n)...)
	}
	return b, nil
}

// conversationPart is a part of the recording: a conversation, from an action on unless that is empty.
type conversationPart struct{ conversation, action string }

// use is what a part costs Redis: the commands as they were recorded, and the bytes that they, their replies, and the
// messages to those who have subscribed take in version 2 of the protocol, which the recorded servers speak. The number of
// a server's channels, in the reply to SUBSCRIBE and UNSUBSCRIBE, is taken to have one digit. Server A is the sender.
func (r *recording) use(part conversationPart) (load.RedisUse, error) {
	use := load.RedisUse{Messages: 1, Commands: make(map[string]int)}
	hearers := make(map[string][]string) // servers by channel
	within := false
	for _, e := range r.events {
		switch {
		case e.conversation != part.conversation:
			within = false
		case part.action == "" || e.kind == "A" && e.what == part.action:
			within = true
		}
		if e.kind == "S" && e.who == "A" && e.what == recordedHub+":all" { // servers that have just started
			clear(hearers)
		}
		switch e.kind {
		case "S":
			hearers[e.what] = append(hearers[e.what], e.who)
		case "U":
			hearers[e.what] = slices.DeleteFunc(hearers[e.what], func(s string) bool { return s == e.who })
		}
		if within {
			e.addTo(&use, hearers[e.what])
		}
	}
	if len(use.Commands) == 0 && use.Deliveries == 0 {
		return use, fmt.Errorf("nothing was recorded of %q", part.conversation)
	}
	return use, nil
}

// addTo adds an event to a use. hearers are the servers that have subscribed to its channel.
func (e recordedEvent) addTo(use *load.RedisUse, hearers []string) {
	switch e.kind {
	case "C":
		use.Deliveries++
	case "S":
		use.Commands["subscribe"]++
		use.To += bulks("SUBSCRIBE", e.what)
		use.From += bulks("subscribe", e.what) + int64(len(":1\r\n"))
	case "U":
		use.Commands["unsubscribe"]++
		use.To += bulks("UNSUBSCRIBE", e.what)
		use.From += bulks("unsubscribe", e.what) + int64(len(":1\r\n"))
	case "P":
		use.Commands["publish"]++
		use.To += bulks("PUBLISH", e.what, string(e.payload))
		use.From += int64(len(fmt.Sprintf(":%d\r\n", len(hearers))))
		for _, server := range hearers {
			use.From += bulks("message", e.what, string(e.payload))
			if server == "A" {
				use.Sender++
			} else {
				use.Other++
			}
		}
	}
}

// bulks is how long an array of bulk strings is. Replies to SUBSCRIBE, which hold a number too, have one string less than
// their array says, which makes no difference to its length.
func bulks(parts ...string) int64 {
	n := len(fmt.Sprintf("*%d\r\n", len(parts)))
	for _, p := range parts {
		n += len(fmt.Sprintf("$%d\r\n%s\r\n", len(p), p))
	}
	return int64(n)
}
