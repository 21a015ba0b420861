package main

import (
	"fmt"
	"strings"

	"signalbox"
)

// parseTopics reads topics as the flag gives them: NAME=everyone, NAME=role:A,B or NAME=user:A,B. A topic without a rule
// is refused, and with it the start of the server.
func parseTopics(list []string) (signalbox.Topics, error) {
	topics := make(signalbox.Topics, len(list))
	for _, item := range list {
		name, text, ok := strings.Cut(item, "=")
		if _, twice := topics[name]; twice {
			return nil, fmt.Errorf("topic %q is given twice", name)
		}
		var rule signalbox.TopicRule
		kind, who, _ := strings.Cut(text, ":")
		names := splitNames(who)
		switch {
		case !ok || text == "":
			return nil, fmt.Errorf("topic %q has no rule: say who may hear it, as in %s=everyone, %s=role:staff or %s=user:anna", name, name, name, name)
		case text == "everyone":
			rule.Everyone = true
		case kind == "role" && len(names) > 0:
			rule.Roles = names
		case kind == "user" && len(names) > 0:
			for _, name := range names {
				rule.Users = append(rule.Users, strings.ToLower(name)) // the id, whatever the user's spelling
			}
		default:
			return nil, fmt.Errorf("topic %q: the rule %q is none: want everyone, role:NAMES or user:NAMES", name, text)
		}
		topics[name] = rule
	}
	return topics, topics.Validate()
}

// splitNames returns the names in a list with commas. A name may have blanks inside: it must not become two.
func splitNames(list string) []string {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}
