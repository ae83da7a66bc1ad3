package embedding

import "container/list"

// recent keeps the vectors of the queries that were asked last. Whoever uses it holds a lock.
type recent struct {
	max   int
	order *list.List // of recentEntry, the last used one in front
	byKey map[key]*list.Element
}

type recentEntry struct {
	key    key
	vector []float32
}

func newRecent(limit int) *recent {
	return &recent{max: limit, order: list.New(), byKey: make(map[key]*list.Element)}
}

func (r *recent) get(k key) ([]float32, bool) {
	e, ok := r.byKey[k]
	if !ok {
		return nil, false
	}
	r.order.MoveToFront(e)
	return e.Value.(recentEntry).vector, true
}

func (r *recent) put(k key, v []float32) {
	if e, ok := r.byKey[k]; ok {
		e.Value = recentEntry{k, v}
		r.order.MoveToFront(e)
		return
	}
	if r.max == 0 {
		return
	}
	if r.order.Len() >= r.max {
		delete(r.byKey, r.order.Remove(r.order.Back()).(recentEntry).key)
	}
	r.byKey[k] = r.order.PushFront(recentEntry{k, v})
}
