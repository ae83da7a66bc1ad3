package mcpgroup

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Filter says which tools of a registry to list. The zero value lists all.
type Filter struct {
	Server   string            // of this server only
	Category string            // of servers of this category, without regard to case
	Labels   map[string]string // of servers that have all of these labels
	// Search keeps the tools that have each of its words, without regard to case, in their name, title or description.
	Search string

	Page  int // from 1; 0 is the first
	Limit int // tools per page; 0 is all of them on one page
}

// Listing is a part of the tools of a registry, as one user sees them.
type Listing struct {
	Tools []*Tool // sorted by name
	Total int     // how many tools fit the filter, on all pages
	Next  int     // the next page; 0 if this is the last
	// Hash is equal for equal lists of all tools that the filter lets pass: an agent that has seen it has seen them. It
	// covers names, descriptions and schemas.
	Hash string
	// Unavailable are the servers whose tools are not known, with the reason. Those of servers that are down but were
	// reached before are listed as they were last seen.
	Unavailable map[string]error
	// Problems are the tools, by id, that have no name here because others want the same. They can be called by id.
	Problems []Problem
}

// List returns the tools that the user of ctx may see. It waits at most [RegistryOptions.Patience] for servers that do not
// answer. Its error is about the filter; that servers are down is in the listing.
func (r *Registry) List(ctx context.Context, f Filter) (*Listing, error) { return r.list(ctx, f, nil) }

// Tools returns all tools that the user of ctx may see, under names that are unique in the registry.
func (r *Registry) Tools(ctx context.Context) ([]*Tool, error) {
	l, err := r.List(ctx, Filter{})
	if err != nil {
		return nil, err
	}
	return l.Tools, nil
}

func (r *Registry) list(ctx context.Context, f Filter, scope *AgentView) (*Listing, error) {
	if f.Page < 0 || f.Limit < 0 {
		return nil, fmt.Errorf("mcpgroup: list: Filter.Page and Filter.Limit must not be negative")
	}
	if r.closed.Load() {
		return nil, &Error{Op: "list tools", Outcome: NotSent, Err: ErrClosed}
	}
	v, unavailable := r.gather(ctx, scope)
	l := &Listing{Unavailable: unavailable}
	if scope == nil { // which of an agent's tools are withheld is not for the agent to know
		l.Problems = slices.Clone(v.problems)
	}
	words := strings.Fields(strings.ToLower(f.Search))
	digest := sha256.New()
	var all []*Tool
	for _, t := range v.tools {
		m := v.members[t.Server]
		if !f.matchesServer(&m.cfg) || !matchesWords(t, words) || !m.group.visible(ctx, t) {
			continue
		}
		if !scope.decide(t).Allowed {
			continue
		}
		all = append(all, scope.adopt(t))
		io.WriteString(digest, t.Name)
		digest.Write(t.sum[:]) // of a fixed length, so no two lists of tools are written alike
	}
	for server := range unavailable {
		if m := v.members[server]; m == nil || !f.matchesServer(&m.cfg) {
			delete(unavailable, server)
		}
	}
	l.Total, l.Hash = len(all), hex.EncodeToString(digest.Sum(nil)[:16])
	l.Tools = all
	if f.Limit > 0 {
		page := max(f.Page, 1)
		from := len(all)
		if page-1 <= len(all)/f.Limit { // or the product may be too large for an int
			from = min((page-1)*f.Limit, len(all))
		}
		to := from + min(f.Limit, len(all)-from)
		l.Tools = slices.Clip(all[from:to])
		if to < len(all) {
			l.Next = page + 1
		}
	}
	return l, nil
}

func (f *Filter) matchesServer(cfg *ServerConfig) bool {
	if f.Server != "" && f.Server != cfg.Name || f.Category != "" && !strings.EqualFold(f.Category, cfg.Category) {
		return false
	}
	for label, value := range f.Labels {
		if has, ok := cfg.Labels[label]; !ok || has != value {
			return false
		}
	}
	return true
}

func matchesWords(t *Tool, words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(t.Name + "\n" + t.Title + "\n" + t.Description)
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// gather returns the tools of all servers that ctx may use, and why those of some are not known. It is about all of them
// whatever the filter: the name of a tool depends on the others.
func (r *Registry) gather(ctx context.Context, scope *AgentView) (*view, map[string]error) {
	for {
		v, unavailable, changed := r.gatherFrom(r.fleet.Load(), ctx, scope)
		if !changed {
			return v, unavailable
		}
		// A server was taken out while it was asked: its successor is there by now.
	}
}

// gatherFrom is gather for one configuration. It reports whether a server of it was found to be gone.
func (r *Registry) gatherFrom(f *fleet, ctx context.Context, scope *AgentView) (_ *view, _ map[string]error, changed bool) { //nolint:revive // the configuration comes first
	type answer struct {
		i    int
		list *toolList
		err  error
	}
	ctx = scope.context(ctx)
	var members []*member
	all := f.members
	if r.service != nil {
		all = append([]*member{r.service}, all...) // first: its names are in texts that a model has read
	}
	for _, m := range all {
		if m.group != nil && m.open(ctx) && scope.knows(m.cfg.Name) {
			members = append(members, m)
		}
	}
	lists := make([]*toolList, len(members))
	unavailable := map[string]error{}
	answers := make(chan answer, len(members))
	waiting := 0
	for i, m := range members {
		t, known, good, err := m.group.peek(ctx)
		lists[i] = known
		failed := m.failure.Load()
		switch {
		case errors.Is(err, ErrClosed) && r.fleet.Load() != f:
			return nil, nil, true
		case err != nil:
			unavailable[m.cfg.Name] = err
		case good:
		case failed != nil && time.Since(failed.at) < minRefresh: // as often as a list is fetched, and no more
			if known == nil {
				unavailable[m.cfg.Name] = failed.err
			}
		case t.lagging.Load():
			if known == nil {
				unavailable[m.cfg.Name] = lags(m)
			}
			if t.fetching.CompareAndSwap(false, true) {
				r.background(func() {
					defer t.fetching.Store(false)
					_, _ = r.fetch(ctx, m, t) // the next listing finds what it brought
				})
			}
		default:
			// Whoever waits gives up after a while; the fetch goes on, for the next listing.
			if r.background(func() {
				l, err := r.fetch(ctx, m, t)
				answers <- answer{i, l, err}
			}) {
				waiting++
			}
		}
	}
	if waiting == 0 {
		return f.views.of(r, members, lists), unavailable, false
	}
	patience := time.NewTimer(r.opts.Patience)
	defer patience.Stop()
	answered := make([]bool, len(members))
	for waiting > 0 {
		select {
		case a := <-answers:
			waiting--
			answered[a.i] = true
			if a.err == nil {
				lists[a.i] = a.list
				delete(unavailable, members[a.i].cfg.Name)
			} else if (errors.Is(a.err, errGone) || errors.Is(a.err, ErrClosed)) && r.fleet.Load() != f {
				return nil, nil, true
			} else if lists[a.i] == nil {
				unavailable[members[a.i].cfg.Name] = a.err
			}
			continue
		case <-patience.C:
		case <-ctx.Done():
		}
		break
	}
	for i, m := range members {
		if answered[i] || waiting == 0 {
			continue
		}
		t, known, good, err := m.group.peek(ctx)
		switch {
		case err != nil && lists[i] == nil:
			unavailable[m.cfg.Name] = err
		case err == nil && known != nil:
			lists[i] = known // which may have come this very moment
		case err == nil:
			unavailable[m.cfg.Name] = lags(m)
		}
		if err == nil && !good && ctx.Err() == nil {
			t.lagging.Store(true)
		}
	}
	return f.views.of(r, members, lists), unavailable, false
}

// errGone is the error for a member that was taken out of the registry.
var errGone = errors.New("mcpgroup: the server was replaced or removed")

func lags(m *member) error {
	if failed := m.failure.Load(); failed != nil {
		return failed.err
	}
	return &Error{Op: "list tools", Server: m.cfg.Name, Outcome: NotSent, Err: errLagging}
}

var errLagging = errors.New("the server has not answered yet; its tools are listed once it has")

// fetch lists the tools of a member, for as long as that takes. t is the list.
func (r *Registry) fetch(ctx context.Context, m *member, t *tracker) (*toolList, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	if !m.use() {
		return nil, errGone
	}
	defer m.done()
	l, err := m.group.list(ctx, false)
	switch {
	case err == nil:
		t.lagging.Store(false)
		m.failure.Store(nil)
	case !personal(err): // what is one user's own is not told to others
		m.failure.Store(&failedListing{err, time.Now()})
	}
	return l, err
}

// A view is the tools of some members under names that are unique among them. It is immutable but for its index.
type view struct {
	lists   []*toolList // by which it is known
	members map[string]*member
	tools   []*Tool // sorted by name
	byName  map[string]*Tool

	problems []Problem

	about map[string]string // what servers are for, by name
	index viewIndex
}

// views remembers the last views. Making one takes milliseconds where there are thousands of tools, and most users of a
// registry see the same lists.
type views struct {
	mu   sync.Mutex // guards last; nothing that can block runs under it
	last []*view
}

const maxViews = 32

func (vs *views) of(r *Registry, members []*member, lists []*toolList) *view {
	vs.mu.Lock()
	v := vs.find(members, lists)
	vs.mu.Unlock()
	if v != nil {
		return v
	}
	v = newView(r, members, lists)
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if other := vs.find(members, lists); other != nil { // somebody else was faster
		return other
	}
	vs.last = append([]*view{v}, vs.last[:min(len(vs.last), maxViews-1)]...)
	return v
}

// all returns the views that are remembered.
func (vs *views) all() []*view {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	return slices.Clone(vs.last)
}

// find returns a remembered view, which it makes the first, or nil. It is called with mu held.
func (vs *views) find(members []*member, lists []*toolList) *view {
	for i, v := range vs.last {
		if slices.Equal(v.lists, lists) && v.of(members) {
			copy(vs.last[1:], vs.last[:i])
			vs.last[0] = v
			return v
		}
	}
	return nil
}

// of reports whether v is about the same members in the same order, which the lists alone do not tell: a nil list is as
// good as another.
func (v *view) of(members []*member) bool {
	if len(v.members) != len(members) {
		return false
	}
	for _, m := range members {
		if v.members[m.cfg.Name] != m {
			return false
		}
	}
	return true
}

func newView(r *Registry, members []*member, lists []*toolList) *view {
	v := &view{lists: lists, members: make(map[string]*member, len(members)), byName: map[string]*Tool{}, about: map[string]string{}}
	var requests []nameRequest
	var tools []*Tool
	for i, m := range members {
		v.members[m.cfg.Name] = m
		if lists[i] == nil {
			continue
		}
		v.about[m.cfg.Name] = cmp.Or(m.cfg.Description, lists[i].instructions)
		for _, t := range lists[i].tools {
			req := nameRequest{Original: t.Name, Server: t.Server}
			if m.cfg.Overrides[t.OriginalName].Alias == t.Name {
				req.Alias = t.Name
			}
			requests = append(requests, req)
			tools = append(tools, t)
		}
	}
	for i, name := range r.opts.Names.assign(requests) {
		t := *tools[i]
		t.id = t.Server + "." + t.Name
		t.via, t.base = r, tools[i]
		if name.Err == nil {
			t.Name = name.Exposed
			v.byName[t.Name] = &t
			v.tools = append(v.tools, &t)
		} else {
			v.problems = append(v.problems, Problem{Tool: t.id, Reason: name.Err.Error()})
		}
	}
	slices.SortFunc(v.tools, func(a, b *Tool) int { return strings.Compare(a.Name, b.Name) })
	return v
}

// Change says that the tools of a registry, or its servers, may have changed since the last one.
type Change struct {
	Generation uint64 // counts changes; the next one is larger
}

// Generation counts the changes of servers and tools that the registry knows of. While it stays the same no list has
// changed; that it differs need not concern a certain user.
func (r *Registry) Generation() uint64 { return r.subscribers.generation.Load() }

// Subscribe returns a channel that gets a Change after servers or tools have changed. Changes that nobody has read yet are
// merged. The channel is closed by cancel and by [Registry.Close].
func (r *Registry) Subscribe() (changes <-chan Change, cancel func()) { return r.subscribers.add() }

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
