package mcpgroup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/session"
)

// index holds the tools of a registry to choose among: a document for each tool as it is described to somebody. The id of
// a document stands for all of its content, so a tool that changes is a new document, and users who see different tools
// under one name have a document each.
type index struct {
	// start makes the selector, once.
	start func() (*selector.Selector, error)

	// mu guards all below. Nothing that can block runs while it is held.
	mu sync.Mutex
	// documents are those in the selector, by id, with nil, and those that are being added to it or removed from it.
	documents map[string]*transit
	// views are those whose documents are there: they stay for as long as somebody selects from the view, or the fleet
	// remembers it. It is not left to the garbage collector to say when that ends: it may not run for thousands of views.
	views map[weak.Pointer[view]]struct{}
	// limit is how many documents there are before those of no view are removed, and viewLimit how many views before those
	// that are gone are forgotten. Both grow with what stays, so that a sweep always has much to do.
	limit, viewLimit int

	// retry is when documents without a vector are to be embedded again, in Unix nanoseconds; zero if there are none.
	retry atomic.Int64
}

// transit is documents on their way into the selector or out of it. They have arrived when done is closed.
type transit struct {
	done chan struct{}
	err  error // why they could not be added; set before done is closed
}

const (
	// minDocuments stay whether or not a view has them: their users may be back soon.
	minDocuments = 4096
	// minIndexed views keep their documents whether or not the fleet remembers them.
	minIndexed = 2 * maxViews
	// maxNarrowed is how many parts of one view are remembered.
	maxNarrowed = 64
	// embedPause is the least time between two attempts to have documents embedded that an embedder failed at.
	embedPause = 30 * time.Second
)

func newIndex(opts *selector.Options) *index {
	var own selector.Options
	if opts != nil {
		own = *opts
	}
	return &index{
		start:     sync.OnceValues(func() (*selector.Selector, error) { return selector.New(&own) }),
		documents: map[string]*transit{},
		views:     map[weak.Pointer[view]]struct{}{},
		limit:     minDocuments,
		viewLimit: minIndexed,
	}
}

// viewIndex is what a view keeps for selections.
type viewIndex struct {
	// mu guards ids and parts. Nothing that can block runs while it is held.
	mu    sync.Mutex
	ids   []string // of the documents of the view's tools, in their order; immutable once set
	parts []*part  // the last used first

	// Both are guarded by index.mu.
	users int  // selections under way
	ready bool // the documents are in the selector
}

// hold keeps the documents of v, once they are in the selector, until release.
func (x *index) hold(v *view) {
	x.mu.Lock()
	defer x.mu.Unlock()
	v.index.users++
}

func (x *index) release(v *view) {
	x.mu.Lock()
	defer x.mu.Unlock()
	v.index.users--
}

// part is the tools of a view that may be selected from. It is immutable.
type part struct {
	bits   []uint64 // bit i%64 of word i/64 is tool i of the view; nil is all tools
	subset *selector.Subset
}

func (p *part) has(tool int) bool { return p.bits == nil || p.bits[tool/64]&(1<<(tool%64)) != 0 }

// part returns the tools of v that bits says, which are in the selector then. v must be held.
func (x *index) part(ctx context.Context, r *Registry, v *view, bits []uint64) (*part, *selector.Selector, error) {
	sel, err := x.start()
	if err != nil {
		return nil, nil, err
	}
	vi := &v.index
	vi.mu.Lock()
	if vi.ids == nil {
		vi.ids = v.documentIDs()
	}
	vi.mu.Unlock()
	x.mu.Lock()
	ready := vi.ready
	x.mu.Unlock()
	if !ready {
		if err := x.add(ctx, r, sel, v); err != nil {
			return nil, nil, err
		}
	}
	x.mend(r, sel)
	vi.mu.Lock()
	defer vi.mu.Unlock()
	for i, p := range vi.parts {
		if slices.Equal(p.bits, bits) {
			copy(vi.parts[1:], vi.parts[:i])
			vi.parts[0] = p
			return p, sel, nil
		}
	}
	p := &part{bits: bits}
	var ids []string
	for i, id := range vi.ids {
		if p.has(i) {
			ids = append(ids, id)
		}
	}
	p.subset = selector.NewSubset(ids)
	vi.parts = append([]*part{p}, vi.parts[:min(len(vi.parts), maxNarrowed-1)]...)
	return p, sel, nil
}

// add puts the documents of v into the selector, unless they are there. Of those that others are adding it waits for them.
func (x *index) add(ctx context.Context, r *Registry, sel *selector.Selector, v *view) error {
	x.mu.Lock()
	x.views[weak.Make(v)] = struct{}{} // first: from now on nothing of it is removed
	x.mu.Unlock()
	for {
		own := &transit{done: make(chan struct{})}
		wait := map[*transit]bool{}
		var missing []int
		x.mu.Lock()
		for i, id := range v.index.ids {
			t, there := x.documents[id]
			switch {
			case !there:
				x.documents[id] = own
				missing = append(missing, i)
				wait[own] = true
			case t != nil:
				wait[t] = true
			}
		}
		v.index.ready = len(wait) == 0
		x.mu.Unlock()
		if len(wait) == 0 {
			x.sweep(r, sel)
			return nil
		}
		// It goes on when its caller has gone: others may wait for it, and the next caller needs it too.
		if len(missing) > 0 && !r.background(func() { x.fill(ctx, r, sel, v, missing, own) }) {
			x.arrive(v, missing, own, ErrClosed)
		}
		for t := range wait {
			select {
			case <-t.done:
				// What others failed at may be about documents that only they have: those of v are tried again.
				if t == own && t.err != nil {
					return t.err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// fill adds the documents of tools of v to the selector.
func (x *index) fill(ctx context.Context, r *Registry, sel *selector.Selector, v *view, tools []int, t *transit) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	docs := make([]selector.Document, len(tools))
	for i, tool := range tools {
		docs[i] = v.document(tool)
	}
	var changes selector.Changes
	var err error
	if e := protect("indexing tools", func() { changes, err = sel.Add(ctx, docs...) }); e != nil { // a counter is not our code
		err = e
	}
	if err != nil && r.life.Err() != nil {
		err = ErrClosed
	}
	x.noteEmbedded(changes.Degraded)
	x.arrive(v, tools, t, err)
}

// noteEmbedded notes whether documents were left without vectors.
func (x *index) noteEmbedded(err error) {
	if err != nil {
		x.retry.Store(time.Now().Add(embedPause).UnixNano())
	}
}

// mend has documents embedded in the background that an embedder failed at a while ago. They may be anybody's, so nobody's
// context goes with them.
func (x *index) mend(r *Registry, sel *selector.Selector) {
	due := x.retry.Load()
	if due == 0 || time.Now().UnixNano() < due || !x.retry.CompareAndSwap(due, 0) {
		return
	}
	r.background(func() { x.noteEmbedded(sel.Embed(r.life)) })
}

// arrive ends t, which was about tools of v.
func (x *index) arrive(v *view, tools []int, t *transit, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, tool := range tools {
		if id := v.index.ids[tool]; err == nil {
			x.documents[id] = nil
		} else {
			delete(x.documents, id)
		}
	}
	t.err = err
	close(t.done)
}

// sweep forgets views that nobody can select from any more, and removes the documents that no view has, once there are
// many of them.
func (x *index) sweep(r *Registry, sel *selector.Selector) {
	remembered := r.fleet.Load().views.remembered()
	x.mu.Lock()
	full := len(x.documents) > x.limit
	if !full && len(x.views) <= x.viewLimit {
		x.mu.Unlock()
		return
	}
	held := map[string]bool{}
	for p := range x.views {
		v := p.Value()
		switch {
		case v == nil:
			delete(x.views, p)
		case v.index.users == 0 && !slices.Contains(remembered, v):
			v.index.ready = false
			delete(x.views, p)
		case full:
			for _, id := range v.index.ids {
				held[id] = true
			}
		}
	}
	x.viewLimit = max(2*len(x.views), minIndexed)
	if !full {
		x.mu.Unlock()
		return
	}
	x.limit = max(2*len(held), minDocuments)
	t := &transit{done: make(chan struct{})}
	var gone []string
	for id, busy := range x.documents {
		if busy == nil && !held[id] {
			x.documents[id] = t
			gone = append(gone, id)
		}
	}
	x.mu.Unlock()
	if len(gone) == 0 {
		return
	}
	remove := func() {
		_, err := sel.Remove(r.life, gone...)
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, id := range gone {
			if err == nil {
				delete(x.documents, id)
			} else {
				x.documents[id] = nil
			}
		}
		close(t.done)
	}
	if !r.background(remove) { // it may wait for an embedder
		remove()
	}
}

// observe notes that the user of ctx has called a tool.
func (x *index) observe(ctx context.Context, t *Tool) {
	if sel, err := x.start(); err == nil {
		key, _ := session.FromContext(ctx)
		sel.Observe(key.Tenant, key.User+"\x00"+key.Conversation, t.ID())
	}
}

// documentIDs returns the ids of the documents of the view's tools.
func (v *view) documentIDs() []string {
	ids := make([]string, len(v.tools))
	servers := make(map[string][]byte, len(v.members))
	for name, m := range v.members {
		h := sha256.New()
		for _, s := range append([]string{v.about[name], m.cfg.Category}, labelsOf(&m.cfg)...) {
			digest := sha256.Sum256([]byte(s)) // of a fixed length, so that no two lists of texts are written alike
			h.Write(digest[:])
		}
		servers[name] = h.Sum(nil)
	}
	var text []byte
	for i, t := range v.tools {
		text = append(append(append(text[:0], t.sum[:]...), servers[t.Server]...), t.Name...)
		sum := sha256.Sum256(text)
		ids[i] = t.id + "#" + hex.EncodeToString(sum[:16])
	}
	return ids
}

// document returns the document of a tool.
func (v *view) document(tool int) selector.Document {
	t := v.tools[tool]
	cfg := &v.members[t.Server].cfg
	return selector.Document{
		ID: v.index.ids[tool], Ref: t.id, Server: t.Server, ServerDescription: v.about[t.Server], Category: cfg.Category,
		Name: t.Name, Title: t.Title, Description: t.Description, Schema: t.InputSchema, Labels: labelsOf(cfg),
	}
}

func labelsOf(cfg *ServerConfig) []string {
	var labels []string
	for _, name := range slices.Sorted(maps.Keys(cfg.Labels)) {
		labels = append(labels, name+"="+cfg.Labels[name])
	}
	return labels
}

// allowed returns which tools of v are the user's of ctx to choose among, as in a part. The registry's own are not among them.
func (v *view) allowed(ctx context.Context, scope *AgentView) []uint64 {
	whole := scope == nil
	for _, m := range v.members {
		whole = whole && m.group.opts.Filter == nil && !m.own
	}
	if whole {
		return nil
	}
	bits := make([]uint64, (len(v.tools)+63)/64)
	whole = true
	for i, t := range v.tools {
		if m := v.members[t.Server]; !m.own && m.group.visible(ctx, t) && scope.allows(t) {
			bits[i/64] |= 1 << (i % 64)
		} else {
			whole = false
		}
	}
	if whole {
		return nil
	}
	return bits
}

// servers returns the names of the servers that fit, sorted.
func (v *view) servers(fit func(*member) bool) []string {
	var names []string
	for name, m := range v.members {
		if fit(m) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// pins returns the ids of tools that are given by id or name, and those that are not in p.
func (v *view) pins(names []string, p *part) (ids, missing []string) {
	for _, name := range names {
		switch i := v.find(name); {
		case i >= 0 && v.members[v.tools[i].Server].own: // which is there in any case
		case i < 0 || !p.has(i):
			missing = append(missing, name)
		case !slices.Contains(ids, v.tools[i].id):
			ids = append(ids, v.tools[i].id)
		}
	}
	return ids, missing
}

// find returns the place of a tool by its id or name, or -1.
func (v *view) find(name string) int {
	if strings.Contains(name, ".") { // no name has a dot
		return slices.IndexFunc(v.tools, func(t *Tool) bool { return t.id == name })
	}
	i, ok := slices.BinarySearchFunc(v.tools, name, func(t *Tool, name string) int { return strings.Compare(t.Name, name) })
	if !ok {
		return -1
	}
	return i
}
