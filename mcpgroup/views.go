package mcpgroup

import (
	"cmp"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"sync"
)

// views remembers views. Making one takes milliseconds where there are thousands of tools, and most users of a registry see
// the same lists.
//
// There are at most maxViews, or more as long as they cost no more than maxViewCost together: that bounds the memory, and many
// kinds of users with few tools each are all remembered. Beyond that a random one goes. The one that was used longest ago
// would be the one that is needed next, if more kinds of users than are remembered take turns.
type views struct {
	mu    sync.Mutex         // guards all below; nothing that can block runs under it
	known map[uint64][]*view // by the hash of their lists
	all   []*view
	cost  int // of all together
	most  int // cost beyond which there are no more than maxViews; 0 is maxViewCost
}

const (
	maxViews    = 32
	maxViewCost = 160_000 // some 100 MB
)

// costOf is how many tools a view has, and as many as the memory is worth that it takes without any.
func costOf(v *view) int { return 50 + len(v.tools) }

func (vs *views) of(r *Registry, members []*member, lists []*toolList) *view {
	key := hashLists(lists)
	vs.mu.Lock()
	v := vs.find(key, members, lists)
	vs.mu.Unlock()
	if v != nil {
		return v
	}
	v = newView(r, members, lists)
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if other := vs.find(key, members, lists); other != nil { // somebody else was faster
		return other
	}
	vs.add(key, v)
	return v
}

// remembered returns the views that are remembered.
func (vs *views) remembered() []*view {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	return slices.Clone(vs.all)
}

// find returns a remembered view, or nil. It is called with mu held, as are add and forget.
func (vs *views) find(key uint64, members []*member, lists []*toolList) *view {
	for _, v := range vs.known[key] {
		if slices.Equal(v.lists, lists) && slices.Equal(v.order, members) { // a nil list is as good as another
			return v
		}
	}
	return nil
}

func (vs *views) add(key uint64, v *view) {
	for len(vs.all) >= maxViews && vs.cost+costOf(v) > cmp.Or(vs.most, maxViewCost) {
		vs.forget(rand.IntN(len(vs.all)))
	}
	if vs.known == nil {
		vs.known = map[uint64][]*view{}
	}
	vs.known[key] = append(vs.known[key], v)
	vs.all = append(vs.all, v)
	vs.cost += costOf(v)
}

func (vs *views) forget(i int) {
	v, last := vs.all[i], len(vs.all)-1
	vs.all[i], vs.all[last] = vs.all[last], nil
	vs.all = vs.all[:last]
	vs.cost -= costOf(v)
	key := hashLists(v.lists)
	if same := slices.DeleteFunc(vs.known[key], func(other *view) bool { return other == v }); len(same) > 0 {
		vs.known[key] = same
	} else {
		delete(vs.known, key)
	}
}

var viewSeed = maphash.MakeSeed()

func hashLists(lists []*toolList) uint64 {
	h := uint64(len(lists))
	for _, l := range lists {
		h = (h ^ maphash.Comparable(viewSeed, l)) * 0x9e3779b97f4a7c15
	}
	return h
}
