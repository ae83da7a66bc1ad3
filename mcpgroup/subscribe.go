package mcpgroup

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Change says that the tools of a registry, or its servers, may have changed since the last one.
type Change struct {
	Generation uint64 // counts changes; the next one is larger
}

// Generation counts the changes of servers and tools that the registry knows of. While it stays the same no list has
// changed; that it differs need not concern a certain user.
func (r *Registry) Generation() uint64 { return r.subscribers.generation.Load() }

// Subscribe returns a channel that gets a Change after servers or tools have changed, whether or not anybody lists them: while
// there are subscribers, a server that notifies of changes has a list fetched again, at most once a second. Changes that
// nobody has read yet are merged. The channel is closed by cancel and by [Registry.Close].
func (r *Registry) Subscribe() (changes <-chan Change, cancel func()) {
	changes, cancel = r.subscribers.add()
	for _, m := range r.fleet.Load().members {
		r.look(m)
	}
	return changes, cancel
}

func (r *Registry) changed() { r.subscribers.tell() }

// subscribers are those who want to know of changes.
type subscribers struct {
	generation atomic.Uint64

	mu     sync.Mutex // guards all below; nothing that can block runs under it
	all    map[int]chan Change
	next   int
	closed bool
}

func (s *subscribers) add() (<-chan Change, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := make(chan Change, 1)
	if s.closed {
		close(ch)
		return ch, func() {}
	}
	if s.all == nil {
		s.all = map[int]chan Change{}
	}
	id := s.next
	s.next++
	s.all[id] = ch
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.all[id] != nil {
			delete(s.all, id)
			close(ch)
		}
	}
}

func (s *subscribers) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all) > 0
}

func (s *subscribers) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Change{Generation: s.generation.Add(1)}
	for _, ch := range s.all {
		select {
		case <-ch: // an older one that nobody has read
		default:
		}
		ch <- c
	}
}

func (s *subscribers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for id := range maps.Clone(s.all) {
		close(s.all[id])
		delete(s.all, id)
	}
}
