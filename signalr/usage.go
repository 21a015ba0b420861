package signalr

import (
	"cmp"
	"slices"

	"signalbox/signalr/transport"
)

// Usage is what one hub, or raw connection handler, has by one transport.
type Usage struct {
	// Hub is the hub's name ([HubOptions].Name), or the path of a raw connection handler.
	Hub       string
	Transport transport.Type
	// Connections counts those that are open; who has negotiated and not come yet is not among them.
	Connections int
	// QueuedBytes is how many bytes wait to be sent to all of them, what is being written included. It says how far
	// clients are behind: each one is bounded by [ConnectionOptions].SendQueueLimit.
	QueuedBytes int
}

// Usage returns what is in use now, by hub and transport, in their order; hubs without connections are left out. It is
// for monitoring: it looks at every connection, which takes some milliseconds for each ten thousand, and costs nothing
// between two calls. The numbers of different connections are not of the very same moment.
func (s *Server) Usage() []Usage {
	type key struct {
		hub string
		t   transport.Type
	}
	sums := make(map[key]Usage)
	used := s.conns.Usage()
	s.mu.Lock()
	for _, u := range used { // a hub may have several paths
		k := key{or(s.hubs[u.Path], u.Path), u.Transport}
		sum := sums[k]
		sum.Connections += u.Connections
		sum.QueuedBytes += u.QueuedBytes
		sums[k] = sum
	}
	s.mu.Unlock()
	all := make([]Usage, 0, len(sums))
	for k, sum := range sums {
		sum.Hub, sum.Transport = k.hub, k.t
		all = append(all, sum)
	}
	slices.SortFunc(all, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(a.Hub, b.Hub), cmp.Compare(a.Transport, b.Transport))
	})
	return all
}
