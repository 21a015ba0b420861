package webtest

import (
	"context"
	"slices"
	"strings"

	"signalbox"
)

// Presence says what a test has decided. Its zero value knows nobody; it must not be changed while it is used.
type Presence struct {
	signalbox.ConnectionTracker // nobody asks for the rest

	// Users are the connections of those who are online, by user.
	Users map[string][]string
	// Err comes with every answer.
	Err error
}

// UserConnections implements [signalbox.ConnectionTracker].
func (p *Presence) UserConnections(_ context.Context, userID string) ([]string, error) {
	return p.Users[userID], p.Err
}

// Counts implements [signalbox.ConnectionTracker].
func (p *Presence) Counts(context.Context) (signalbox.PresenceCounts, error) {
	counts := signalbox.PresenceCounts{Users: len(p.Users)}
	for _, list := range p.Users {
		counts.Connections += len(list)
	}
	return counts, p.Err
}

// OnlineUsers implements [signalbox.ConnectionTracker].
func (p *Presence) OnlineUsers(_ context.Context, after string, limit int) ([]signalbox.OnlineUser, error) {
	var list []signalbox.OnlineUser
	for id, connections := range p.Users {
		if id > after {
			list = append(list, signalbox.OnlineUser{UserID: id, Connections: len(connections)})
		}
	}
	slices.SortFunc(list, func(a, b signalbox.OnlineUser) int { return strings.Compare(a.UserID, b.UserID) })
	return list[:min(limit, len(list))], p.Err
}
