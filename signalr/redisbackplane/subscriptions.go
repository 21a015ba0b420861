package redisbackplane

import (
	"slices"
	"sync"
)

// subscriptions are the channels that the server wants to hear, and those that Redis has confirmed on the present
// connection. Many goroutines say what they want; one, the link's, brings it about, as much as there is at a time: that
// makes a pipeline of what happens at once.
type subscriptions struct {
	mu       sync.Mutex
	channels map[string]subscription
	online   bool // there is a link
	next     *batch
	removing []string      // is being unsubscribed from
	wake     chan struct{} // has one place
}

// subscription is what is wanted of a channel and what is there. One that is neither is forgotten.
type subscription struct{ wanted, placed bool }

// batch is what the link does next: first the channels, then the publications.
type batch struct {
	channels     []string
	publications []publication
	done         chan struct{} // closed when the channels are confirmed, or the link is lost
}

// publication is a message for a channel.
type publication struct {
	channel string
	payload []byte
}

func newSubscriptions() *subscriptions {
	return &subscriptions{channels: make(map[string]subscription), next: newBatch(), wake: make(chan struct{}, 1)}
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// set says whether a channel is wanted. What is returned is closed when Redis has confirmed it. It is nil when there is
// nothing to wait for, as without a link: the next one brings about what is wanted before it is ready.
func (s *subscriptions) set(channel string, wanted bool) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.channels[channel]
	changed := sub.wanted != wanted
	sub.wanted = wanted
	switch {
	case !s.online && !wanted:
		delete(s.channels, channel)
		return nil
	case !s.online:
		s.channels[channel] = sub
		return nil
	case !changed && sub.placed == wanted:
		return nil
	}
	s.channels[channel] = sub
	s.next.channels = append(s.next.channels, channel)
	s.signal()
	return s.next.done
}

// publish has the link publish something behind the changes that were asked for before. Without a link it is lost.
func (s *subscriptions) publish(channel string, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.online {
		s.next.publications = append(s.next.publications, publication{channel, payload})
		s.signal()
	}
}

func (s *subscriptions) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// begin is called when there is a link: everything that is wanted is to be placed.
func (s *subscriptions) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.online = true
	for channel := range s.channels {
		s.next.channels = append(s.next.channels, channel)
	}
	s.signal()
}

// end is called when the link is lost: nobody waits for it any more.
func (s *subscriptions) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.online = false
	for channel, sub := range s.channels {
		if !sub.wanted {
			delete(s.channels, channel)
		} else if sub.placed {
			s.channels[channel] = subscription{wanted: true}
		}
	}
	close(s.next.done)
	s.next = newBatch()
}

// take returns the next batch, with what has to be subscribed to and unsubscribed from for it; nil when there is none.
func (s *subscriptions) take() (b *batch, add, remove []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.next.channels) == 0 && len(s.next.publications) == 0 {
		return nil, nil, nil
	}
	b, s.next = s.next, newBatch()
	seen := make(map[string]struct{}, len(b.channels))
	for _, channel := range b.channels {
		if _, twice := seen[channel]; twice {
			continue
		}
		seen[channel] = struct{}{}
		switch sub := s.channels[channel]; {
		case sub.wanted && !sub.placed:
			add = append(add, channel)
		case !sub.wanted && sub.placed:
			remove = append(remove, channel)
		case !sub.wanted:
			delete(s.channels, channel)
		}
	}
	s.removing = remove
	return b, add, remove
}

// isHeard says whether Redis has confirmed a channel.
func (s *subscriptions) isHeard(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channels[channel].placed
}

// isPlaced says whether Redis has confirmed a channel and was not asked to end it.
func (s *subscriptions) isPlaced(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channels[channel].placed && !slices.Contains(s.removing, channel)
}

// confirm is called when Redis has done what take said.
func (s *subscriptions) confirm(b *batch, add, remove []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, channel := range add {
		sub := s.channels[channel]
		sub.placed = true
		s.channels[channel] = sub
	}
	for _, channel := range remove {
		if sub := s.channels[channel]; sub.wanted {
			s.channels[channel] = subscription{wanted: true}
		} else {
			delete(s.channels, channel)
		}
	}
	close(b.done)
}

// count is how many channels are wanted.
func (s *subscriptions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, sub := range s.channels {
		if sub.wanted {
			n++
		}
	}
	return n
}
