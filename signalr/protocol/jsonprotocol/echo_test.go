package jsonprotocol

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/signalr/protocol"
)

// differentEchoes are the arguments of echo.txt of which something else becomes here.
var differentEchoes = map[string]string{
	// A Go map is written in the order of its keys.
	`[{"b":1,"a":2}]`: `{"a":2,"b":1}`,
	// What the reference skips unseen, the library looks at.
	`[{"name":"a","age":1,"x":"\ud800"}]`:         "error",
	"[{\"name\":\"a\",\"age\":1,\"x\":\"\xff\"}]": "error",
	"[{\"\xff\":1,\"age\":1}]":                    "error",
}

// TestEcho decodes arguments and writes them back as the reference server does.
func TestEcho(t *testing.T) {
	local := time.Local
	time.Local = time.FixedZone("", 0) // that of the server: not UTC itself, but as far from it
	t.Cleanup(func() { time.Local = local })

	text, err := os.ReadFile("testdata/echo.txt")
	if err != nil {
		t.Fatal(err)
	}
	p := New(nil)
	rows := 0
	for line := range strings.Lines(string(text)) {
		if line[0] == '#' {
			continue
		}
		rows++
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		method, args, want := columns[0], unescapeColumn(t, columns[1]), unescapeColumn(t, columns[2])
		if other, ok := differentEchoes[args]; ok {
			want = other
		}
		if got := echoOnce(p, method, args); got != want {
			t.Errorf("%s(%s)\n got %s\nwant %s", method, args, got, want)
		}
	}
	if rows == 0 {
		t.Fatal("no rows")
	}
}

func unescapeColumn(t *testing.T, s string) string {
	t.Helper()
	out, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return out
}

// echoOnce calls method and returns the result as it is written, or what became of it instead.
func echoOnce(p *Protocol, method, args string) string {
	m := &protocol.Invocation{Target: method, RawArguments: protocol.RawValue(args)}
	server := referenceServer{p: p}
	result, ok, err := server.invoke(m)
	if method == "EchoTime" {
		result, ok, err = echo[time.Time](p, m)
	}
	if !ok {
		return "no such method"
	}
	if _, ok := errors.AsType[*protocol.ArgumentCountError](err); ok {
		return "count"
	}
	if err != nil {
		return "error"
	}
	out, err := p.appendValue(nil, result, 1)
	if err != nil {
		return "unwritable"
	}
	return string(out)
}
