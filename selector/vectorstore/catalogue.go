package vectorstore

import (
	"slices"
	"sync"
)

// A catalogue knows which documents of the store are current, and whose they are.
type catalogue struct {
	// mu guards everything below. Nothing that can block runs while it is held.
	mu      sync.RWMutex
	keys    map[string]string   // the document of each tool, by ID
	ids     map[string][]string // the tools of each document, by key
	orphans map[string]bool     // keys that were current and are not; nil if nobody asks for them
	pending map[string]*ticket  // the last upsert under way of each ID
}

// A ticket is one upsert. Whatever is done to an ID later takes it away, so that what comes last wins.
type ticket struct{ _ byte }

// newCatalogue returns an empty catalogue. Without sweeps it does not remember orphans.
func newCatalogue(sweeps bool) *catalogue {
	c := &catalogue{keys: map[string]string{}, ids: map[string][]string{}, pending: map[string]*ticket{}}
	if sweeps {
		c.orphans = map[string]bool{}
	}
	return c
}

func (c *catalogue) begin(ids []string) *ticket {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := new(ticket)
	for _, id := range ids {
		c.pending[id] = t
	}
	return t
}

func (c *catalogue) end(t *ticket, ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if c.pending[id] == t {
			delete(c.pending, id)
		}
	}
}

// commit makes the document with this key that of the tools, except where t has been overtaken.
func (c *catalogue) commit(t *ticket, key string, ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if c.pending[id] != t || c.keys[id] == key {
			continue
		}
		c.unlink(id)
		c.keys[id] = key
		c.ids[key] = append(c.ids[key], id)
		delete(c.orphans, key)
	}
}

func (c *catalogue) remove(ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		delete(c.pending, id)
		c.unlink(id)
	}
}

// unlink is called with c.mu held.
func (c *catalogue) unlink(id string) {
	key, ok := c.keys[id]
	if !ok {
		return
	}
	delete(c.keys, id)
	// Searches may still read the old slice.
	left := slices.DeleteFunc(slices.Clone(c.ids[key]), func(other string) bool { return other == id })
	if len(left) > 0 {
		c.ids[key] = left
		return
	}
	delete(c.ids, key)
	if c.orphans != nil {
		c.orphans[key] = true
	}
}

// of returns the tools of a document, none if it is not current.
func (c *catalogue) of(key string) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.ids[key]
}

// count returns how many tools keep accepts, at most k. It calls keep, which is quick, with c.mu held: a copy of all IDs would
// take longer, since most searches need to look at few of them.
func (c *catalogue) count(keep func(id string) bool, k int) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if keep == nil {
		return min(len(c.keys), k)
	}
	n := 0
	for id := range c.keys {
		if n >= k {
			break
		}
		if keep(id) {
			n++
		}
	}
	return n
}

func (c *catalogue) orphaned() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	keys := make([]string, 0, len(c.orphans))
	for key := range c.orphans {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (c *catalogue) forget(orphans []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range orphans {
		delete(c.orphans, key)
	}
}
