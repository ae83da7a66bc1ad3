package lexical

import "sync/atomic"

// A table maps keys to posting lists. One goroutine adds to it while any number of others read: slots, lists and lengths
// are each published by one atomic store, and what has been published is never changed. Postings are only ever added for
// rows that no older version knows, so that a version sees what it should by stopping at its own length.
type table[K comparable, P any] struct {
	slots atomic.Pointer[[]atomic.Pointer[entry[K, P]]] // a power of two, at least a third of them free
	size  int                                           // entries; for the writer only
}

type entry[K comparable, P any] struct {
	key  K
	hash uint64
	list atomic.Pointer[list[P]] // never nil
}

// A list is filled from the front; when it is full, a longer one takes its place.
type list[P any] struct {
	n     atomic.Int32
	items []P
}

// find returns the entry of a key, or nil.
func (t *table[K, P]) find(key K, hash uint64) *entry[K, P] {
	slots := t.slots.Load()
	if slots == nil {
		return nil
	}
	mask := uint64(len(*slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		e := (*slots)[i].Load()
		if e == nil || e.hash == hash && e.key == key {
			return e
		}
	}
}

// postings returns the newest list of a key, or nil.
func (t *table[K, P]) postings(key K, hash uint64) []P {
	e := t.find(key, hash)
	if e == nil {
		return nil
	}
	l := e.list.Load()
	return l.items[:l.n.Load()]
}

// add appends a posting to the list of a key. A new key is kept as own returns it.
func (t *table[K, P]) add(key K, hash uint64, own func(K) K, posting P) {
	e := t.find(key, hash)
	if e == nil {
		e = &entry[K, P]{key: own(key), hash: hash}
		e.list.Store(&list[P]{items: make([]P, 1)})
		e.push(posting)
		t.link(e)
		return
	}
	e.push(posting)
}

// link adds an entry with a new key.
func (t *table[K, P]) link(e *entry[K, P]) {
	if slots := t.slots.Load(); slots == nil || 3*(t.size+1) > 2*len(*slots) {
		t.grow()
	}
	insert(*t.slots.Load(), e)
	t.size++
}

func (e *entry[K, P]) push(posting P) {
	l := e.list.Load()
	n := int(l.n.Load())
	if n < len(l.items) {
		l.items[n] = posting
		l.n.Store(int32(n + 1))
		return
	}
	// A third of room: lists are many, and most are short.
	grown := &list[P]{items: make([]P, n+n/3+1)}
	copy(grown.items, l.items)
	grown.items[n] = posting
	grown.n.Store(int32(n + 1))
	e.list.Store(grown)
}

func (t *table[K, P]) grow() {
	old := t.slots.Load()
	size := 1 << 8
	if old != nil {
		size = 2 * len(*old)
	}
	slots := make([]atomic.Pointer[entry[K, P]], size)
	if old != nil {
		for i := range *old {
			if e := (*old)[i].Load(); e != nil {
				insert(slots, e)
			}
		}
	}
	t.slots.Store(&slots)
}

func insert[K comparable, P any](slots []atomic.Pointer[entry[K, P]], e *entry[K, P]) {
	mask := uint64(len(slots) - 1)
	i := e.hash & mask
	for slots[i].Load() != nil {
		i = (i + 1) & mask
	}
	slots[i].Store(e)
}
