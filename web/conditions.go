package web

import (
	"net/http"
	"strconv"
	"strings"

	"signalbox"
)

// orderPrecondition returns what the headers If-Match and If-None-Match of a request demand of the order that it changes
// (RFC 9110 sections 13.1.1 and 13.1.2); nil is nothing. Of If-None-Match only * is understood: make, do not change.
func orderPrecondition(h http.Header) (*signalbox.OrderPrecondition, error) {
	match, noneMatch := h.Values("If-Match"), h.Values("If-None-Match")
	if len(match) == 0 && len(noneMatch) == 0 {
		return nil, nil
	}
	p := new(signalbox.OrderPrecondition)
	if len(noneMatch) > 0 {
		if len(noneMatch) > 1 || strings.TrimSpace(noneMatch[0]) != "*" {
			return nil, &signalbox.InvalidError{Field: "If-None-Match", Reason: "must be * in a request that changes something"}
		}
		p.Absent = true
	}
	if len(match) == 0 {
		return p, nil
	}
	list := strings.TrimSpace(strings.Join(match, ","))
	if list == "*" {
		p.Present = true
		return p, nil
	}
	tags, ok := strongTags(list)
	if !ok {
		return nil, &signalbox.InvalidError{Field: "If-Match", Reason: `must be * or entity tags in double quotes, such as "3"`}
	}
	p.Versions = []int64{}
	for _, tag := range tags {
		if version, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64); err == nil && orderTag(version) == tag {
			p.Versions = append(p.Versions, version)
		}
	}
	return p, nil
}

// strongTags returns the strong ones of a list of entity tags, with their quotes: weak ones never match where the strong
// comparison is asked for (RFC 9110 section 8.8.3.2). ok is false when it is no such list, or an empty one. There may be
// commas in a tag.
func strongTags(list string) (tags []string, ok bool) {
	for {
		list = strings.TrimLeft(list, ", \t")
		if list == "" {
			return tags, ok
		}
		rest, weak := strings.CutPrefix(list, "W/")
		if !strings.HasPrefix(rest, `"`) {
			return nil, false
		}
		length := strings.IndexByte(rest[1:], '"')
		if length < 0 {
			return nil, false
		}
		tag := rest[:length+2]
		if list = strings.TrimLeft(rest[len(tag):], " \t"); list != "" && list[0] != ',' {
			return nil, false
		}
		if !weak {
			tags = append(tags, tag)
		}
		ok = true
	}
}
