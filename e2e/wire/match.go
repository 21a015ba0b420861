package wire

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// wildcard is the placeholder that matches anything within one record and is not kept.
const wildcard = "any"

var placeholder = regexp.MustCompile(`\{([a-zA-Z][a-zA-Z0-9_.]*)\}`)

// bindings holds the values that the placeholders of a transcript have taken so far.
type bindings map[string]string

// expand replaces the placeholders that have a value. The values pass through escape unless it is nil.
func (b bindings) expand(text string, escape func(string) string) string {
	return placeholder.ReplaceAllStringFunc(text, func(match string) string {
		value, ok := b[match[1:len(match)-1]]
		switch {
		case !ok:
			return match
		case escape != nil:
			return escape(value)
		default:
			return value
		}
	})
}

// match reports whether got is what want describes. Placeholders without a value take the one that stands in got;
// nothing is bound unless the whole text matches.
func (b bindings) match(want, got string) bool {
	captured := bindings{}
	if !b.matchPattern(splitPattern(expandRepetitions(want)), got, captured) {
		return false
	}
	maps.Copy(b, captured)
	return true
}

// patternPart is a piece of literal text, or a placeholder when name is not empty.
type patternPart struct{ literal, name string }

func splitPattern(want string) []patternPart {
	var parts []patternPart
	end := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(want, -1) {
		parts = append(parts, patternPart{literal: want[end:at[0]]}, patternPart{name: want[at[2]:at[3]]})
		end = at[1]
	}
	return append(parts, patternPart{literal: want[end:]})
}

// matchPattern matches all of got against parts, trying the shortest value of a placeholder first.
func (b bindings) matchPattern(parts []patternPart, got string, captured bindings) bool {
	if len(parts) == 0 {
		return got == ""
	}
	part, rest := parts[0], parts[1:]
	literal, known := part.literal, true
	if part.name != "" {
		if literal, known = b[part.name]; !known {
			literal, known = captured[part.name]
		}
	}
	switch {
	case part.name == wildcard:
		return b.matchWildcard(rest, got, captured)
	case !known:
		return b.matchCapture(part.name, rest, got, captured)
	}
	tail, ok := strings.CutPrefix(got, literal)
	return ok && b.matchPattern(rest, tail, captured)
}

func (b bindings) matchWildcard(rest []patternPart, got string, captured bindings) bool {
	for i, r := range got {
		if b.matchPattern(rest, got[i:], captured) {
			return true
		}
		if r == '␞' { // a wildcard ends with its record
			return false
		}
	}
	return b.matchPattern(rest, "", captured)
}

func (b bindings) matchCapture(name string, rest []patternPart, got string, captured bindings) bool {
	for i := 0; i < len(got) && isValueByte(got[i]); i++ {
		captured[name] = got[:i+1]
		if b.matchPattern(rest, got[i+1:], captured) {
			return true
		}
	}
	delete(captured, name)
	return false
}

// isValueByte reports whether c may stand in the value of a placeholder: what ids and tokens are made of.
func isValueByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("_-.~=+/", c) >= 0
}

// matchJSON is like match for two JSON texts, compared by value: white space, the order of properties and the
// spelling of strings and numbers are free.
func (b bindings) matchJSON(want, got string) bool {
	wanted, err := decodeJSON(want)
	if err != nil {
		return false
	}
	value, err := decodeJSON(got)
	return err == nil && b.matchValue(wanted, value)
}

func decodeJSON(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber() // integers beyond 2^53 must not be rounded
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return value, nil
}

func (b bindings) matchValue(want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok || len(object) != len(want) {
			return false
		}
		for key, value := range want {
			if other, ok := object[key]; !ok || !b.matchValue(value, other) {
				return false
			}
		}
		return true
	case []any:
		array, ok := got.([]any)
		if !ok || len(array) != len(want) {
			return false
		}
		for i := range want {
			if !b.matchValue(want[i], array[i]) {
				return false
			}
		}
		return true
	case string:
		text, ok := got.(string)
		return ok && b.match(want, text)
	case json.Number:
		number, ok := got.(json.Number)
		return ok && sameNumber(want.String(), number.String())
	default: // nil and bool
		return want == got
	}
}

// sameNumber compares integers exactly and everything else as the nearest double.
func sameNumber(a, b string) bool {
	x, okX := new(big.Int).SetString(a, 10)
	y, okY := new(big.Int).SetString(b, 10)
	if okX && okY {
		return x.Cmp(y) == 0
	}
	f, errF := strconv.ParseFloat(a, 64)
	g, errG := strconv.ParseFloat(b, 64)
	return errF == nil && errG == nil && f == g
}
