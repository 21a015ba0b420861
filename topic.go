package signalbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// TopicRule says who may hear a topic. Exactly one of its fields is set.
type TopicRule struct {
	Everyone bool
	Roles    []string
	Users    []string
}

// Topics are the topics that exist and their rules. A topic that is not in it does not exist.
type Topics map[string]TopicRule

// Validate checks that every topic has a name and exactly one rule. A topic without a rule must not start a server.
func (t Topics) Validate() error {
	for name, rule := range t {
		if name == "" || strings.TrimSpace(name) != name {
			return fmt.Errorf("topic %q: the name must not be empty or begin or end with a blank", name)
		}
		rules := 0
		for _, set := range []bool{rule.Everyone, len(rule.Roles) > 0, len(rule.Users) > 0} {
			if set {
				rules++
			}
		}
		if rules != 1 {
			return fmt.Errorf("topic %q: say who may hear it, by exactly one of everyone, roles or users", name)
		}
	}
	return nil
}

// Allows says whether u may hear the topic. Nobody may hear a topic that does not exist.
func (t Topics) Allows(topic string, u User) bool {
	rule, ok := t[topic]
	if !ok {
		return false
	}
	return rule.Everyone || slices.Contains(rule.Users, u.ID) ||
		slices.ContainsFunc(rule.Roles, func(role string) bool { return slices.Contains(u.Roles, role) })
}

// TopicService keeps who has subscribed to which topic. A subscription belongs to the user, not to a connection, and
// counts only while the topic's rule allows it.
type TopicService interface {
	// Subscribe stores that the user wants to hear the topic. It fails with ErrForbidden when the topic does not exist
	// or its rule does not allow the user, without telling which.
	Subscribe(ctx context.Context, userID, topic string) error
	// Unsubscribe takes that back; a subscription that does not exist is none.
	Unsubscribe(ctx context.Context, userID, topic string) error
	// Subscriptions returns the topics that the user has subscribed to and may hear, in order of name.
	Subscriptions(ctx context.Context, userID string) ([]string, error)
}
