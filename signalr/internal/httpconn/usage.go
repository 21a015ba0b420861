package httpconn

import "signalbox/signalr/transport"

// Usage is what one endpoint has by one transport.
type Usage struct {
	Path        string
	Transport   transport.Type
	Connections int
	// QueuedBytes wait to be sent to all of them, or are being written.
	QueuedBytes int
}

// Usage looks at every connection that has a transport. Nothing is counted meanwhile for its sake: it takes each
// connection's lock for a moment, one after the other.
func (m *Manager) Usage() []Usage {
	m.mu.Lock()
	conns := make([]*Conn, 0, len(m.conns))
	for _, c := range m.conns {
		conns = append(conns, c)
	}
	m.mu.Unlock()
	type key struct {
		ep *Endpoint
		t  transport.Type
	}
	places := make(map[key]int)
	var all []Usage
	for _, c := range conns {
		t, queued := c.usage()
		if t == 0 {
			continue
		}
		i, ok := places[key{c.ep, t}]
		if !ok {
			i = len(all)
			places[key{c.ep, t}] = i
			all = append(all, Usage{Path: c.ep.path, Transport: t})
		}
		all[i].Connections++
		all[i].QueuedBytes += queued
	}
	return all
}

// usage returns the transport, 0 when there is none yet or the connection is over, and how many bytes are in the queue.
func (c *Conn) usage() (t transport.Type, queued int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == stateOver {
		return 0, 0
	}
	return c.transport, c.queued + c.taken
}
