package differential_test

import (
	"fmt"
	"strconv"
	"strings"
)

// oddTexts are JSON strings, also some that are not well-formed.
func oddTexts() []string {
	return []string{
		`""`, `"a"`, `"Grüße"`, `"日本語"`, `"😀"`, `"\ud83d\ude00"`, `"\u0041\u00e9"`, `"a\/b"`, `"\b\f\n\r\t\"\\"`, `"<b>&'+</b>"`,
		`"\u001e"`, `"\u0000"`, `"\u2028\u2029"`, `"\u00a0\u3000"`, `"\ufeff"`, `"\ue000"`, `"\u007f\u0085"`, `"é"`, `"e\u0301"`,
		`"\u1f60"`, `"𝒳"`, `"אבג"`, `"🏳️‍🌈"`, `" lead and trail "`, `"null"`, `"1"`, `"{}"`, `"\u200b\u200d"`, `"\u00ad"`, `"ǅ"`,
	}
}

// brokenTexts are JSON strings that are not well-formed, or stand for no text.
func brokenTexts() []string {
	return []string{`"\ud83d"`, `"\ude00\ud83d"`, `"\x41"`, `"\u12"`, `"a`, `'a'`, `"\u00zz"`, `"`}
}

// oddNumbers are JSON numbers, most of which some integer type does not hold.
func oddNumbers() []string {
	return []string{
		"0", "-0", "1", "-1", "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807",
		"9223372036854775808", "1.0", "1.5", "1e2", "1E2", "1e-2", "1.0e1", "0.1", "123456789012345678901234567890", "1e308", "1e400",
		"-1e400", "0.30000000000000004", "5e-324", "1e21", "123456.789e3", "-0.0", "4294967296",
	}
}

// brokenNumbers are not JSON.
func brokenNumbers() []string {
	return []string{"01", "+1", ".5", "1.", "1e", "0x1", "-", "NaN", "Infinity", "1_000", "--1"}
}

// space returns white space that may stand between any two tokens, mostly none.
func (s *script) space() string {
	return pick(s, "", "", "", "", " ", "␉", "␍␊", "  ")
}

// text returns a JSON string.
func (s *script) text() string { return pick(s, oddTexts()...) }

// value returns any JSON value, not nested deeper than depth.
func (s *script) value(depth int) string {
	n := 7
	if depth <= 0 {
		n = 5
	}
	switch s.IntN(n) {
	case 0:
		return pick(s, "null", "true", "false")
	case 1, 2:
		return pick(s, oddNumbers()...)
	case 3, 4:
		return s.text()
	case 5:
		return s.list(s.IntN(4), func() string { return s.value(depth - 1) })
	default:
		var members []string
		for range s.IntN(4) {
			members = append(members, pick(s, "a", "A", "b", "name", "Name", "x y", "ключ", "")+`"`+s.space()+":"+s.space()+s.value(depth-1))
		}
		return `{` + s.join(members, `"`) + `}`
	}
}

// list returns a JSON array.
func (s *script) list(n int, item func() string) string {
	var items []string
	for range n {
		items = append(items, item())
	}
	return "[" + s.join(items, "") + "]"
}

// join writes items with commas and white space between, each behind a prefix.
func (s *script) join(items []string, prefix string) string {
	var b strings.Builder
	for i, item := range items {
		if i > 0 {
			b.WriteString(s.space() + ",")
		}
		b.WriteString(s.space() + prefix + item)
	}
	return b.String() + s.space()
}

// object returns a JSON object with its members in any order.
func (s *script) object(members ...string) string {
	s.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return s.space() + "{" + s.join(members, "") + "}" + s.space()
}

// member writes a member of an object.
func (s *script) member(key, value string) string {
	return `"` + key + `"` + s.space() + ":" + s.space() + value
}

// nested returns arrays within arrays.
func nested(depth int) string {
	return strings.Repeat("[", depth) + strings.Repeat("]", depth)
}

// person returns an argument for EchoPerson: sound, odd or unfit.
func (s *script) person() string {
	name, age := pick(s, "name", "Name", "NAME", "nAmE"), pick(s, "age", "Age", "AGE")
	var members []string
	members = append(members, s.member(name, pick(s, s.text(), "null", s.text())), s.member(age, strconv.Itoa(s.IntN(100))))
	switch s.IntN(8) {
	case 0:
		members = append(members, s.member("extra", s.value(2)))
	case 1:
		members = append(members, s.member(name, s.text())) // twice, the last counts
	case 2:
		members = members[:1]
	case 3:
		members[1] = s.member(age, pick(s, oddNumbers()...))
	case 4:
		members[s.IntN(2)] = s.member(pick(s, name, age), s.value(1))
	case 5:
		return s.value(2)
	}
	if len(members) > 2 { // the order decides which of two equal keys counts
		return "{" + s.join(members, "") + "}"
	}
	return s.object(members...)
}

// complexValue returns an argument for EchoComplex: sound, odd or unfit.
func (s *script) complexValue() string {
	fields := []string{
		s.member("text", s.text()), s.member("ints", s.list(s.IntN(4), func() string { return strconv.Itoa(s.IntN(2000) - 1000) })),
		s.member("d", pick(s, "0", "1.5", "-2.25", "1e3", "0.1", "1e21", "1e-7", "123456789.125")), s.member("flag", pick(s, "true", "false", "null")),
		s.member("child", pick(s, "null", `{"name":"inner","value":3}`, `{"VALUE":4}`, `{}`)), s.member("nul", "null"),
		s.member("enum", strconv.Itoa(s.IntN(5))),
	}
	for s.chance(2) {
		i := s.IntN(len(fields))
		switch s.IntN(3) {
		case 0:
			fields = append(fields[:i], fields[i+1:]...)
		case 1:
			key, _, _ := strings.Cut(fields[i], ":")
			fields[i] = key + ":" + s.value(2)
		case 2:
			key, value, _ := strings.Cut(fields[i], ":")
			fields[i] = strings.ToUpper(key) + ":" + value
		}
		if len(fields) == 0 {
			break
		}
	}
	return s.object(fields...)
}

// mapValue returns an argument for EchoMap with keys in sorted order, as a Go map is written.
func (s *script) mapValue() string {
	var members []string
	for i := range s.IntN(5) {
		members = append(members, s.member(fmt.Sprintf("%c%s", 'a'+i, pick(s, "", "B", "é", "-", `\"`)), strconv.Itoa(s.IntN(9))))
	}
	switch {
	case len(members) == 0:
		return "{}"
	case s.chance(4):
		members[0] = s.member("a", s.value(1))
	case s.chance(4):
		members = append(members, members[len(members)-1]) // a key twice
	}
	return "{" + s.join(members, "") + "}"
}
