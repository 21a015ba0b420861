package jsonprotocol

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/protocol"
)

// records are messages with the error that the reference server closes the connection with, or none.
var records = []struct{ record, want string }{
	{``, `InvalidDataException: Error reading JSON.`},
	{`{`, `InvalidDataException: Error reading JSON.`},
	{`{}`, `InvalidDataException: Missing required property 'type'.`},
	{` {"type":6}`, ""},
	{`{"type":6}garbage`, ""},
	{`{"type":6} {`, ""},
	{`{"type":6`, `InvalidDataException: Error reading JSON.`},
	{`{"type":null}`, `InvalidDataException: Expected 'type' to be of type Number.`},
	{`{"type":"1"}`, `InvalidDataException: Expected 'type' to be of type Number.`},
	{`{"type":1e0}`, `FormatException: Either the JSON value is not in a supported format, or is out of bounds for an Int32.`},
	{`{"type":-0}`, ""},
	{`{"type":6,"type":null}`, `InvalidDataException: Expected 'type' to be of type Number.`},
	{`{"type":01}`, `InvalidDataException: Error reading JSON.`},
	{`{"type":1,"headers":null,"target":"Void","arguments":[]}`, `InvalidDataException: Expected 'headers' to be of type StartObject.`},
	{`{"type":1,"headers":1,"target":"Void","arguments":[]}`, `InvalidDataException: Expected 'headers' to be of type StartObject.`},
	{`{"type":6,"headers":[]}`, `InvalidDataException: Expected 'headers' to be of type StartObject.`},
	{`{"type":6,"headers":{"a":null}}`, `InvalidDataException: Expected header 'a' to be of type String.`},
	{`{"type":6,"headers":{"a":{}}}`, `InvalidDataException: Expected header 'a' to be of type String.`},
	{`{"type":6,"headers":{"a":"b"`, `InvalidDataException: Error reading JSON.`},
	{`{"type":1}`, `InvalidDataException: Missing required property 'target'.`},
	{`{"type":1,"target":"","invocationId":"1"}`, `InvalidDataException: Missing required property 'target'.`},
	{`{"type":1,"target":"Nope","invocationId":"1"}`, `InvalidDataException: Missing required property 'arguments'.`},
	{`{"type":1,"arguments":[]}`, `InvalidDataException: Missing required property 'target'.`},
	{`{"type":4,"invocationId":"1"}`, `InvalidDataException: Missing required property 'target'.`},
	{`{"type":4}`, `InvalidDataException: Missing required property 'target'.`},
	{`{"type":4,"target":"x"}`, `InvalidDataException: Missing required property 'invocationId'.`},
	{`{"type":4,"target":"Counter","arguments":[1,1]}`, `InvalidDataException: Missing required property 'invocationId'.`},
	{`{"type":4,"invocationId":"1","arguments":[]}`, `InvalidDataException: Missing required property 'target'.`},
	{`{"type":4,"invocationId":"1","target":"Counter"}`, `InvalidDataException: Missing required property 'arguments'.`},
	{`{"type":2}`, `InvalidDataException: Missing required property 'invocationId'.`},
	{`{"type":2,"item":1}`, `InvalidDataException: Missing required property 'invocationId'.`},
	{`{"type":2,"invocationId":"1"}`, `InvalidDataException: Missing required property 'item'.`},
	{`{"type":2,"invocationId":""}`, `InvalidDataException: Missing required property 'invocationId'.`},
	{`{"type":2,"invocationId":"","item":1}`, `KeyNotFoundException: No stream with id '' could be found.`},
	{`{"type":2,"item":1,"invocationId":""}`, `KeyNotFoundException: No stream with id '' could be found.`},
	{`{"type":3}`, `InvalidDataException: Missing required property 'invocationId'.`},
	{`{"type":3,"invocationId":""}`, `InvalidDataException: Missing required property 'invocationId'.`},
	{`{"type":3,"invocationId":"","error":"x","result":1}`, `InvalidDataException: Missing required property 'invocationId'.`},
	{`{"type":3,"invocationId":"x","error":"","result":1}`, `InvalidDataException: The 'error' and 'result' properties are mutually exclusive.`},
	{`{"type":3,"invocationId":"x"}`, ""},
	{`{"type":3,"error":"x","result":1}`, `InvalidDataException: Missing required property 'invocationId'.`},
	{`{"type":5,"invocationId":null}`, `InvalidDataException: Expected 'invocationId' to be of type String.`},
	{`{"type":5,"invocationId":1}`, `InvalidDataException: Expected 'invocationId' to be of type String.`},
	{`{"type":8,"sequenceId":1.5}`, `FormatException: Either the JSON value is not in a supported format, or is out of bounds for an Int64.`},
	{`{"type":8,"sequenceId":9223372036854775808}`, `FormatException: Either the JSON value is not in a supported format, or is out of bounds for an Int64.`},
	{`{"type":8,"sequenceId":null}`, `InvalidDataException: Missing required property 'sequenceId'.`},
	{`{"type":8,"sequenceId":1}`, ""},
	{`{"type":9,"sequenceId":1}`, ""},
	{`{"type":1,"target":"Void","arguments":[],"streamIds":null}`, `InvalidDataException: Expected 'streamIds' to be of type Array.`},
	{`{"type":1,"target":"Void","arguments":[],"streamIds":[null]}`, `InvalidDataException: Null value for 'streamIds' is not valid.`},
	{`{"type":1,"target":"Void","arguments":[],"streamIds":[true]}`, `InvalidOperationException: Cannot get the value of a token type 'True' as a string.`},
	{`{"type":1,"target":"Void","arguments":[],"streamIds":[{}]}`, `InvalidOperationException: Cannot get the value of a token type 'StartObject' as a string.`},
	{`{"type":1,"target":"Void","arguments":[],"streamIds":[[]]}`, `InvalidOperationException: Cannot get the value of a token type 'StartArray' as a string.`},
	{`{"type":1,"target":"Void","arguments":[],"streamIds":["a"`, `InvalidDataException: Error reading JSON.`},
	{`{"type":1,"target":"Void","arguments":[],"streamIds":1}`, `InvalidDataException: Expected 'streamIds' to be of type Array.`},
	{`{"\u0074ype":1,"invocationId":"1","target":"Void","arguments":[]}`, ""},
	{`{"type":1,"invocationId":"1","target":"\u0056oid","arguments":[]}`, ""},
	{`{"type":1,"invocationId":"\ud800","target":"Void","arguments":[]}`, `InvalidOperationException: Cannot read incomplete UTF-16 JSON text as string with missing low surrogate.`},
	{`{"type":1,"invocationId":"1","target":"\ud800","arguments":[]}`, `InvalidOperationException: Cannot read incomplete UTF-16 JSON text as string with missing low surrogate.`},
	{`{"type":1,"invocationId":"1","target":"Void","arguments":[],"x":"\ud800"}`, ""},
	{`{"type":1,"invocationId":"1","target":"Void","arguments":[],"\ud800":1}`, `InvalidOperationException: Cannot read incomplete UTF-16 JSON text as string with missing low surrogate.`},
	{"{\"type\":1,\"invocationId\":\"\xff\",\"target\":\"Void\",\"arguments\":[]}", `InvalidOperationException: Cannot transcode invalid UTF-8 JSON text to UTF-16 string.`},
	{"{\"type\":1,\"invocationId\":\"1\",\"target\":\"Void\xff\",\"arguments\":[]}", `InvalidOperationException: Cannot transcode invalid UTF-8 JSON text to UTF-16 string.`},
	{"{\"type\":1,\"invocationId\":\"1\",\"target\":\"Void\",\"arguments\":[],\"x\":\"\xff\"}", ""},
	{"{\"type\":1,\"invocationId\":\"1\",\"target\":\"Void\",\"arguments\":[],\"\xff\":1}", ""},
	{"{\"type\":6,\"headers\":{\"\xff\":\"a\"}}", `InvalidOperationException: Cannot transcode invalid UTF-8 JSON text to UTF-16 string.`},
	{"{\"type\":6,\"headers\":{\"a\":\"\xff\"}}", `InvalidOperationException: Cannot transcode invalid UTF-8 JSON text to UTF-16 string.`},
	{"{\"type\":6,\"error\":\"\xff\"}", `InvalidOperationException: Cannot transcode invalid UTF-8 JSON text to UTF-16 string.`},
	{"{\"type\":6,\"streamIds\":[\"\xff\"]}", `InvalidOperationException: Cannot transcode invalid UTF-8 JSON text to UTF-16 string.`},
	{`{"type":7,"allowReconnect":null}`, `InvalidDataException: Expected 'allowReconnect' to be true or false.`},
	{`{"type":7,"error":null}`, `InvalidDataException: Expected 'error' to be of type String.`},
	{`{"type":6,"error":1}`, `InvalidDataException: Expected 'error' to be of type String.`},
	{`{"type":6,"target":1}`, `InvalidDataException: Expected 'target' to be of type String.`},
	{`{"type":99,"target":1}`, `InvalidDataException: Expected 'target' to be of type String.`},
	{`{"type":99,"arguments":1}`, `InvalidDataException: Expected 'arguments' to be of type Array.`},
	{`{"type":99,"allowReconnect":1}`, `InvalidDataException: Expected 'allowReconnect' to be true or false.`},
	{`{"type":6,"sequenceId":"a"}`, `InvalidDataException: Expected 'sequenceId' to be of type Number.`},
	{`{"type":6,"item":}`, `InvalidDataException: Error reading JSON.`},
	{`{"type":6,"item":nul}`, `InvalidDataException: Error reading JSON.`},
	{`1`, `InvalidDataException: Unexpected JSON Token Type 'Number'. Expected a JSON Object.`},
	{`true`, `InvalidDataException: Unexpected JSON Token Type 'True'. Expected a JSON Object.`},
	{`"x`, `InvalidDataException: Error reading JSON.`},
	{`{"type":6,}`, `InvalidDataException: Error reading JSON.`},
	{`{,"type":6}`, `InvalidDataException: Error reading JSON.`},
	{`{"type" 6}`, `InvalidDataException: Error reading JSON.`},
	{`{"type":6 "x":1}`, `InvalidDataException: Error reading JSON.`},
	{`{type:6}`, `InvalidDataException: Error reading JSON.`},
	{`{'type':6}`, `InvalidDataException: Error reading JSON.`},
	{"// x\x0a{\"type\":6}", `InvalidDataException: Error reading JSON.`},
	{`{"type":6}//`, ""},
	{`{"headers":{"a":{"a":}},"type":6}`, `InvalidDataException: Expected header 'a' to be of type String.`},
	{`{"type":3,"invocationId":"x","error":"a","error":null}`, `InvalidDataException: Expected 'error' to be of type String.`},
	{`{"type":3,"invocationId":"x","result":1,"error":"a"}`, `InvalidDataException: The 'error' and 'result' properties are mutually exclusive.`},
	{`{"a":"\x","type":6}`, `InvalidDataException: Error reading JSON.`},
	{`{"a":"\u12g4","type":6}`, `InvalidDataException: Error reading JSON.`},
	{`{"a":1.,"type":6}`, `InvalidDataException: Error reading JSON.`},
	{`{"a":.5,"type":6}`, `InvalidDataException: Error reading JSON.`},
	{`{"a":-,"type":6}`, `InvalidDataException: Error reading JSON.`},
	{`{"a":1e,"type":6}`, `InvalidDataException: Error reading JSON.`},
	{`{"a":+1,"type":6}`, `InvalidDataException: Error reading JSON.`},
	{`{"a":1.5e+3,"type":6}`, ""},
	{`{"a":-01,"type":6}`, `InvalidDataException: Error reading JSON.`},
	{`{"a":0123,"type":6}`, `InvalidDataException: Error reading JSON.`},
	{`{"a":tru,"type":6}`, `InvalidDataException: Error reading JSON.`},
	{`{"a":NaN,"type":6}`, `InvalidDataException: Error reading JSON.`},
	{"{\"a\":\"\x1f\",\"type\":6}", `InvalidDataException: Error reading JSON.`},
	{"{\"a\":\"\x7f\",\"type\":6}", ""},
	{"{\x0b\"type\":6}", `InvalidDataException: Error reading JSON.`},
	{"\x0c{\"type\":6}", `InvalidDataException: Error reading JSON.`},
	{`{"type":2,"invocationId":"1","item":null}`, ""},
	{`{"type":3,"invocationId":"1","result":null}`, ""},
	{`{"type":1e}`, `InvalidDataException: Error reading JSON.`},
	{`{"type":1`, `InvalidDataException: Error reading JSON.`},
	{`{"type":"1}`, `InvalidDataException: Error reading JSON.`},
	{`{"streamIds":[1,]}`, `InvalidOperationException: Cannot get the value of a token type 'Number' as a string.`},
	{`{"streamIds":["a",]}`, `InvalidDataException: Error reading JSON.`},
	{`{"streamIds":["a" "b"]}`, `InvalidDataException: Error reading JSON.`},
	{`{"streamIds":["a"`, `InvalidDataException: Error reading JSON.`},
	{`{"streamIds":[nul]}`, `InvalidDataException: Error reading JSON.`},
	{`{"headers":{"a"}}`, `InvalidDataException: Error reading JSON.`},
	{`{"headers":{"a":"b",}}`, `InvalidDataException: Error reading JSON.`},
	{`{"headers":{"a":"b" "c":"d"}}`, `InvalidDataException: Error reading JSON.`},
	{`{"headers":{"a":"b"`, `InvalidDataException: Error reading JSON.`},
	{`{"headers":{1:2}}`, `InvalidDataException: Error reading JSON.`},
	{`{"target":nul}`, `InvalidDataException: Error reading JSON.`},
	{`{"target":[`, `InvalidDataException: Expected 'target' to be of type String.`},
	{`{"arguments":nul}`, `InvalidDataException: Error reading JSON.`},
	{`{"arguments":{`, `InvalidDataException: Expected 'arguments' to be of type Array.`},
	{`{"allowReconnect":tru}`, `InvalidDataException: Error reading JSON.`},
	{`{"allowReconnect":{}}`, `InvalidDataException: Expected 'allowReconnect' to be true or false.`},
	{`{"invocationId":"a`, `InvalidDataException: Error reading JSON.`},
	{`{"sequenceId":"}`, `InvalidDataException: Error reading JSON.`},
	{`{"sequenceId":[]}`, `InvalidDataException: Expected 'sequenceId' to be of type Number.`},
	{`["a"`, `InvalidDataException: Unexpected JSON Token Type 'Array'. Expected a JSON Object.`},
	{`{"type":1e5`, `InvalidDataException: Error reading JSON.`},
	{`{"target":5`, `InvalidDataException: Error reading JSON.`},
	{`nul`, `InvalidDataException: Error reading JSON.`},
	{`{"type":6}}`, ""},
	{`{"type":6}"`, ""},
	{"\x09\x0d\x0a{\x09\"type\"\x0a:\x0d6 }", ""},
}

func TestParseErrors(t *testing.T) {
	p := New(nil)
	for _, row := range records {
		data := []byte(row.record + "\x1e")
		m, n, err := p.Parse(data)
		if row.want == "" {
			if err != nil || n != len(data) {
				t.Errorf("Parse(%q) = %T, %d, %v", row.record, m, n, err)
			}
			continue
		}
		e, ok := err.(*protocol.DataError)
		if !ok || n != 0 || m != nil {
			t.Errorf("Parse(%q) = %T, %d, %v; want %s", row.record, m, n, err, row.want)
			continue
		}
		if got := e.ErrorName() + ": " + e.Error(); got != row.want {
			t.Errorf("Parse(%q): %s; want %s", row.record, got, row.want)
		}
	}
}

// Nothing may be nested deeper than 64, the message included, wherever it stands (F-072).
func TestParseDepth(t *testing.T) {
	p := New(nil)
	for _, row := range []struct {
		property string
		most     int
	}{
		{`"x":`, 63}, {`"item":`, 63}, {`"result":`, 63}, {`"arguments":`, 63},
	} {
		for _, brackets := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
			if brackets[0] != "[" && row.property == `"arguments":` {
				continue
			}
			for _, depth := range []int{row.most, row.most + 1} {
				value := strings.Repeat(brackets[0], depth) + strings.Repeat(brackets[1], depth)
				value = strings.Replace(value, ":}", ":1}", 1)
				_, _, err := p.Parse([]byte(`{"type":6,` + row.property + value + "}\x1e"))
				if (err == nil) != (depth == row.most) {
					t.Errorf("%s %d deep in %s: %v", brackets[0], depth, row.property, err)
				}
			}
		}
	}
}

func TestParse(t *testing.T) {
	p := New(nil)
	for _, row := range []struct {
		name, record string
		want         protocol.Message
	}{
		{
			"everything in any order",
			` {"streamIds" : [ "s" , "\u0074" ] , "arguments":[ 1 , {"a":[]} ] ,"target":"T\u00e9\ud83d\ude00\n","x":{"type":[7]},` +
				`"invocationId":"1","headers":{"a":"b","\u0061":"c"},"type":1} behind`,
			&protocol.Invocation{
				Headers: protocol.Headers{"a": "c"}, InvocationID: "1", Target: "Té😀\n",
				RawArguments: protocol.RawValue(`[ 1 , {"a":[]} ]`), StreamIDs: []string{"s", "t"},
			},
		},
		{
			"the last of a property counts",
			`{"type":6,"type":4,"invocationId":"1","invocationId":"2","target":"a","target":"b","arguments":[1],"arguments":[2]}`,
			&protocol.Invocation{InvocationID: "2", Target: "b", RawArguments: protocol.RawValue("[2]"), Stream: true},
		},
		{"stream item", `{"type":2,"item": {"a" : 1} ,"invocationId":"1"}`, &protocol.StreamItem{InvocationID: "1", RawItem: protocol.RawValue(`{"a" : 1}`)}},
		{"result null", `{"type":3,"invocationId":"1","result":null}`, &protocol.Completion{InvocationID: "1", HasResult: true, RawResult: protocol.RawValue("null")}},
		{"empty error", `{"type":3,"invocationId":"1","error":""}`, &protocol.Completion{InvocationID: "1", HasError: true}},
		{"neither", `{"type":3,"invocationId":"1"}`, &protocol.Completion{InvocationID: "1"}},
		{"close", `{"type":7,"allowReconnect":true,"error":"x"}`, &protocol.Close{Error: "x", AllowReconnect: true}},
		{"no headers", `{"type":5,"headers":{},"invocationId":"1"}`, &protocol.CancelInvocation{InvocationID: "1"}},
		{"large number", `{"type":8,"sequenceId":9223372036854775807}`, &protocol.Ack{SequenceID: 1<<63 - 1}},
		{"no target, but an empty one", `{"type":1,"target":"","arguments":[]}`, &protocol.Invocation{RawArguments: protocol.RawValue("[]")}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, n, err := p.Parse([]byte(row.record + "\x1eand more"))
			if err != nil || n != len(row.record)+1 {
				t.Fatal(n, err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
