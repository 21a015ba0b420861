package presence

import (
	"fmt"
	"maps"
	"slices"

	"signalbox"
)

// local is the connections of one node. Whoever owns it guards it.
type local struct {
	users map[string]map[string]struct{} // by user: connections
	owner map[string]string              // by connection: the user
}

func newLocal() local {
	return local{users: make(map[string]map[string]struct{}), owner: make(map[string]string)}
}

// add says whether the connection is new, and whether it is the user's first.
func (l *local) add(userID, connectionID string) (added, first bool, err error) {
	if owner, ok := l.owner[connectionID]; ok {
		if owner != userID {
			return false, false, fmt.Errorf("presence: connection %q is another user's", connectionID)
		}
		return false, false, nil
	}
	conns := l.users[userID]
	if conns == nil {
		conns = make(map[string]struct{})
		l.users[userID] = conns
	}
	conns[connectionID] = struct{}{}
	l.owner[connectionID] = userID
	return true, len(conns) == 1, nil
}

// remove says whether the connection was there, and whether it was the user's last.
func (l *local) remove(userID, connectionID string) (removed, last bool) {
	if owner, ok := l.owner[connectionID]; !ok || owner != userID {
		return false, false
	}
	delete(l.owner, connectionID)
	conns := l.users[userID]
	delete(conns, connectionID)
	if len(conns) > 0 {
		return true, false
	}
	delete(l.users, userID)
	return true, true
}

func (l *local) connections(userID string) []string {
	return slices.Sorted(maps.Keys(l.users[userID]))
}

func (l *local) counts() signalbox.PresenceCounts {
	return signalbox.PresenceCounts{Users: len(l.users), Connections: len(l.owner)}
}

func (l *local) online(after string, limit int) []signalbox.OnlineUser {
	var ids []string
	for id := range l.users {
		if id > after {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	list := make([]signalbox.OnlineUser, 0, min(max(limit, 0), len(ids)))
	for _, id := range ids[:cap(list)] {
		list = append(list, signalbox.OnlineUser{UserID: id, Connections: len(l.users[id])})
	}
	return list
}
