package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		want, got string
		json      bool
		names     bindings // before
		captured  bindings // after, if it matches
		differs   bool
	}{
		"literal":               {want: `{"a":1}␞`, got: `{"a":1}␞`},
		"literal differs":       {want: `{"a":1}␞`, got: `{"a":2}␞`, differs: true},
		"longer":                {want: "ab", got: "abc", differs: true},
		"shorter":               {want: "abc", got: "ab", differs: true},
		"repetition":            {want: "{rep ab 3}c", got: "abababc"},
		"repetition too short":  {want: "{rep a 3}", got: "aa", differs: true},
		"any":                   {want: `[{any}]{any}`, got: `[[1]] x`},
		"any may be empty":      {want: "a{any}b", got: "ab"},
		"any ends with record":  {want: "a{any}c", got: "ab␞c", differs: true},
		"capture":               {want: `"{a.id}",{b}.`, got: `"x-_.~=+/9",y.`, captured: bindings{"a.id": "x-_.~=+/9", "b": "y"}},
		"capture is not empty":  {want: `"{x}"`, got: `""`, differs: true},
		"capture of no value":   {want: `"{x}"`, got: `"a b"`, differs: true},
		"bound":                 {want: `"{x}"`, got: `"1"`, names: bindings{"x": "1"}, captured: bindings{"x": "1"}},
		"bound differs":         {want: `"{x}"`, got: `"2"`, names: bindings{"x": "1"}, differs: true},
		"twice in one text":     {want: "{x},{x}", got: "ab,ab", captured: bindings{"x": "ab"}},
		"twice and not same":    {want: "{x},{x}", got: "ab,ac", differs: true},
		"backtracking":          {want: "{x}b{x}", got: "abbab", captured: bindings{"x": "ab"}},
		"json: spelling":        {want: `{"a":[1.0,"é"],"b":null}`, got: ` {"b":null, "a":[1,"\u00e9"]}`, json: true},
		"json: placeholder":     {want: `{"id":"{x}"}`, got: `{"id":"7"}`, json: true, captured: bindings{"x": "7"}},
		"json: missing":         {want: `{"a":1,"b":2}`, got: `{"a":1}`, json: true, differs: true},
		"json: other name":      {want: `{"a":1}`, got: `{"b":1}`, json: true, differs: true},
		"json: length":          {want: `[1,2]`, got: `[1]`, json: true, differs: true},
		"json: element":         {want: `[1,2]`, got: `[1,3]`, json: true, differs: true},
		"json: type":            {want: `1`, got: `"1"`, json: true, differs: true},
		"json: bool":            {want: `true`, got: `false`, json: true, differs: true},
		"json: large integers":  {want: `9007199254740993`, got: `9007199254740992`, json: true, differs: true},
		"json: fraction":        {want: `1.5`, got: `1.25`, json: true, differs: true},
		"json: not JSON":        {want: `{}`, got: `{`, json: true, differs: true},
		"json: something after": {want: `{}`, got: `{} }`, json: true, differs: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names := bindings{}
			for k, v := range row.names {
				names[k] = v
			}
			match := names.match
			if row.json {
				match = names.matchJSON
			}
			if match(row.want, row.got) == row.differs {
				t.Fatalf("match is %t", !row.differs)
			}
			want := row.captured
			if row.differs {
				want = row.names
			}
			if want == nil {
				want = bindings{}
			}
			if diff := cmp.Diff(want, names); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPayload(t *testing.T) {
	t.Parallel()
	names := bindings{"a.token": "T"}
	for name, row := range map[string]struct{ text, bytes, back string }{
		"pictures":    {"a␞␍␊␉␀é", "a\x1e\r\n\t\x00é", "a␞␍␊␉␀é"},
		"backslash":   {`\u0041`, `\u0041`, `\u0041`},
		"placeholder": {"{a.token}{b}", "T{b}", "T{b}"},
		"repetition":  {"{rep xy 3}", "xyxyxy", "xyxyxy"},
		"hex":         {"hex: 00 ff 61", "\x00\xffa", "hex: 00 ff 61"},
		"control":     {"hex: 61 01", "a\x01", "hex: 61 01"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := encodePayload(row.text, names)
			if err != nil {
				t.Fatal(err)
			}
			if string(data) != row.bytes {
				t.Errorf("%q instead of %q", data, row.bytes)
			}
			if back := decodePayload(data); back != row.back {
				t.Errorf("written as %q instead of %q", back, row.back)
			}
		})
	}
	if _, err := encodePayload("hex: 0g", nil); err == nil {
		t.Error("broken hex is accepted")
	}
}
