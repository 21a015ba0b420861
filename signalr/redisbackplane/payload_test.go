package redisbackplane

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/signalr"
)

// TestAck has the ids of .NET's tests and the borders of MessagePack's forms.
func TestAck(t *testing.T) {
	for id, want := range map[int32]string{
		0: "9100", 42: "912a", 127: "917f", 128: "91cc80", 180: "91ccb4", 255: "91ccff", 256: "91cd0100", 384: "91cd0180",
		70000: "91ce00011170", math.MaxInt32: "91ce7fffffff", -1: "91ff", -33: "91d0df", math.MinInt32: "91d280000000",
	} {
		b := appendAck(nil, id)
		if got := hex.EncodeToString(b); got != want {
			t.Errorf("%d is written as %s, want %s", id, got, want)
		}
		if got, err := parseAck(b); err != nil || got != id {
			t.Errorf("%s is read as %d, %v, want %d", want, got, err, id)
		}
	}
}

func TestGroupCommand(t *testing.T) {
	want := groupCommand{ID: 42, Server: "S", Action: actionAdd, Group: "G", ConnectionID: "C"} // F-170
	b := want.append(nil)
	if got := hex.EncodeToString(b); got != "952aa15301a147a143" {
		t.Errorf("written as %s", got)
	}
	if got, err := parseGroupCommand(b); err != nil || got != want {
		t.Errorf("read as %+v, %v", got, err)
	}
}

func TestInvocation(t *testing.T) {
	blobs := []signalr.EncodedMessage{{Protocol: "P1", Data: []byte{1, 2, 3, 4, 5, 6, 7, 8}}, {Protocol: "P2", Data: []byte{2}}}
	for name, v := range map[string]invocation{
		"no ids":         {Blobs: blobs},
		"one protocol":   {Blobs: blobs[:1]},
		"no protocols":   {},
		"excluded ids":   {Excluded: []string{"A", "BBB", ""}, Blobs: blobs},
		"wants a result": {Blobs: blobs, InvocationID: "id", ReturnChannel: "Hub:internal:return:S"},
	} {
		b := v.append(nil)
		if len(b) > v.size() {
			t.Errorf("%s: %d bytes, and room for %d", name, len(b), v.size())
		}
		got, err := parseInvocation(b)
		if diff := cmp.Diff(v, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: %v, read otherwise than written:\n%s", name, err, diff)
		}
	}
}

// TestOddForms has what .NET's reader takes though its writer does not write it, and what it refuses (F-166).
func TestOddForms(t *testing.T) {
	for name, row := range map[string]struct {
		hex string
		ok  bool
	}{
		"wide headers":                {"dd00000002dc0000de0001d90161c60000000101", true},
		"blob as fixstr":              {"929081a161a178", true},
		"blob as str 8":               {"929081a161d90178", false},
		"three elements":              {"939081a161c40101a178", true},
		"five elements":               {"959081a161c40101a178a179c0", true},
		"id and channel nil":          {"949081a161c40101c0c0", true},
		"id is no text":               {"949081a161c4010105c0", false},
		"excluded ids nil":            {"92c080", false},
		"excluded ids none":           {"929080", true},
		"blobs nil":                   {"9290c0", false},
		"a blob nil":                  {"929081a161c0", false},
		"one element":                 {"9190", false},
		"more ids than there are":     {"92dd7fffffff", false},
		"more blobs than there are":   {"9290df7fffffff", false},
		"a blob longer than the rest": {"929081a161c6ffffffff00", false},
		"nothing":                     {"", false},
		"a text":                      {"a568656c6c6f", false},
	} {
		b, err := hex.DecodeString(row.hex)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := parseInvocation(b); (err == nil) != row.ok {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func TestChannelNames(t *testing.T) {
	for _, c := range []channels{{hub: "H"}, {prefix: "app1:", hub: "A.B+C"}, {prefix: "x", hub: "{H}"}} {
		for _, kind := range []string{kindAll, kindGroups, kindFarm} {
			if k, own, ok := c.split(c.name(kind, "")); k != kind || own != "" || !ok {
				t.Errorf("%q: %q %q %v", c.name(kind, ""), k, own, ok)
			}
		}
		for _, kind := range []string{kindConnection, kindGroup, kindUser, kindAck, kindReturn, kindFarmReply} {
			for _, name := range []string{"", "x", "a:b", "internal:groups", "grüppe"} {
				if k, own, ok := c.split(c.name(kind, name)); k != kind || own != name || !ok {
					t.Errorf("%q: %q %q %v", c.name(kind, name), k, own, ok)
				}
			}
		}
		for _, other := range []string{
			"", "all", c.prefix + "Other:all", c.name("unknown", ""), c.name("allx", ""), c.prefix + c.hub,
		} {
			if _, _, ok := c.split(other); ok {
				t.Errorf("%q is taken for a channel of the hub", other)
			}
		}
	}
}

// TestGarbage cuts every payload short at each place and changes each byte: reading ends with an error or not, and takes
// no memory for what is only announced.
func TestGarbage(t *testing.T) {
	for _, line := range goldenLines(t, "payloads.txt") {
		whole := unhex(t, line[3])
		for i := range whole {
			if i >= 64 && i%16 > 0 { // the headers are in front; FuzzPayload looks at the rest more closely
				continue
			}
			readAll(whole[:i])
			if i < 24 {
				for _, c := range []byte{0xC0, 0xC1, 0xDD, 0xDF, 0xC6, 0xDB, 0xFF} {
					changed := append([]byte(nil), whole...)
					changed[i] = c
					readAll(changed)
				}
			}
		}
	}
}

// readAll reads b as everything that it could be, and checks what is always true of what was read.
func readAll(b []byte) {
	if v, err := parseInvocation(b); err == nil {
		written := v.append(nil)
		if again, err := parseInvocation(written); err != nil || !bytes.Equal(again.append(nil), written) {
			panic("an invocation was written otherwise than read")
		}
	}
	if c, err := parseGroupCommand(b); err == nil {
		if again, err := parseGroupCommand(c.append(nil)); err != nil || again != c {
			panic("a group command was written otherwise than read")
		}
	}
	if id, err := parseAck(b); err == nil {
		if again, err := parseAck(appendAck(nil, id)); err != nil || again != id {
			panic("an ack was written otherwise than read")
		}
	}
	if e, err := parseCompletion(b); err == nil {
		written := appendCompletion(nil, e)
		if again, err := parseCompletion(written); err != nil || !bytes.Equal(appendCompletion(nil, again), written) {
			panic("a completion was written otherwise than read")
		}
	}
}

// FuzzPayload reads anything. Its corpus are golden payloads, and what was injected into .NET servers.
func FuzzPayload(f *testing.F) {
	for _, line := range goldenLines(f, "payloads.txt") {
		f.Add(unhex(f, line[3]))
	}
	for _, line := range goldenLines(f, "injected.txt") {
		f.Add(unhex(f, line[2]))
	}
	f.Fuzz(func(_ *testing.T, b []byte) { readAll(b) })
}
