package redisbackplane

import (
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
)

// goldenLines reads a file of golden data: lines of columns, with comments.
func goldenLines(t testing.TB, name string) [][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && line[0] != '#' {
			lines = append(lines, strings.Split(line, "\t"))
		}
	}
	return lines
}

// unhex reads hex digits in words; xx*n is a byte n times, "" is nothing.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	var b []byte
	for word := range strings.FieldsSeq(strings.Trim(text, `"`)) {
		digits, count, repeated := strings.Cut(word, "*")
		part, err := hex.DecodeString(digits)
		n := 1
		if repeated && err == nil {
			n, err = strconv.Atoi(count)
		}
		if err != nil {
			t.Fatalf("%q is no golden hex: %v", word, err)
		}
		for range n {
			b = append(b, part...)
		}
	}
	return b
}

// TestGoldenPayloads reads everything that .NET servers have published, and writes it again (F-162 to F-175).
func TestGoldenPayloads(t *testing.T) {
	kinds := map[string]int{}
	for _, line := range goldenLines(t, "payloads.txt") {
		name, kind, channel, want := line[0], line[1], line[2], unhex(t, line[3])
		kinds[kind]++
		t.Run(name, func(t *testing.T) {
			var err error
			var got []byte
			var ok bool
			names := channels{hub: "RefServer.TestHub"}
			if strings.HasPrefix(channel, "app1:") {
				names.prefix = "app1:"
			}
			channelKind, own, split := names.split(channel)
			switch kind {
			case "invocation":
				var v invocation
				if v, err = parseInvocation(want); err == nil {
					got = v.append(nil)
				}
				ok = channelKind == kindAll || channelKind == kindConnection || channelKind == kindGroup || channelKind == kindUser
			case "group":
				var c groupCommand
				if c, err = parseGroupCommand(want); err == nil {
					got = c.append(nil)
				}
				ok = channelKind == kindGroups
			case "ack":
				var id int32
				if id, err = parseAck(want); err == nil {
					got = appendAck(nil, id)
				}
				ok = channelKind == kindAck
			case "completion":
				e, err2 := parseCompletion(want)
				if err = err2; err == nil {
					got = appendCompletion(nil, e)
				}
				ok = channelKind == kindReturn
			default:
				t.Fatalf("unknown kind %q", kind)
			}
			if err != nil || string(got) != string(want) {
				t.Errorf("read and written again: %x, %v\nwant %x", got, err, want)
			}
			if !split || !ok || names.name(channelKind, own) != channel {
				t.Errorf("channel %q is %q %q", channel, channelKind, own)
			}
		})
	}
	if len(kinds) != 4 {
		t.Errorf("the file has the kinds %v, want all four", kinds)
	}
}
