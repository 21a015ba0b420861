package redisbackplane

import "strings"

// channels makes and takes apart the names of channels (F-162, F-164).
type channels struct {
	// prefix is in front of names in Redis, and not of those in payloads (F-174).
	prefix string
	hub    string
}

// The kinds of channels: what is between the hub's name and a name of its own.
const (
	kindAll        = "all"
	kindConnection = "connection:"
	kindGroup      = "group:"
	kindUser       = "user:"
	kindGroups     = "internal:groups"
	kindAck        = "internal:ack:"
	kindReturn     = "internal:return:"
	kindFarm       = "internal:farm"  // ours; see farm.go
	kindFarmReply  = "internal:farm:" // ours
)

// name is a channel's name in Redis.
func (c channels) name(kind, own string) string { return c.prefix + c.hub + ":" + kind + own }

// bare is a channel's name in payloads.
func (c channels) bare(kind, own string) string { return c.hub + ":" + kind + own }

// split is the kind and the own name of a channel in Redis; ok is false when it is none of the hub's.
func (c channels) split(channel string) (kind, own string, ok bool) {
	rest, ok := strings.CutPrefix(channel, c.prefix)
	if ok {
		rest, ok = strings.CutPrefix(rest, c.hub+":")
	}
	if !ok {
		return "", "", false
	}
	for _, kind := range []string{kindConnection, kindGroup, kindUser, kindAck, kindReturn, kindFarmReply} {
		if own, ok := strings.CutPrefix(rest, kind); ok {
			return kind, own, true
		}
	}
	return rest, "", rest == kindAll || rest == kindGroups || rest == kindFarm
}
