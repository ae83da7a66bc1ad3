package mcpgroup

import (
	"context"
	"errors"
	"time"
)

// gather returns the tools of all servers that ctx may use, and why those of some are not known. It is about all of them
// whatever the filter: the name of a tool depends on the others.
func (r *Registry) gather(ctx context.Context, scope *AgentView) (*view, map[string]error) {
	v, unavailable := r.gatherUnseen(ctx, scope)
	r.names.saw(readerOf(ctx, scope), v.names())
	return v, unavailable
}

// gatherUnseen is gather where nobody is shown what it returns.
func (r *Registry) gatherUnseen(ctx context.Context, scope *AgentView) (*view, map[string]error) {
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
		if err != nil {
			if errors.Is(err, ErrClosed) && r.fleet.Load() != f {
				return nil, nil, true
			}
			unavailable[m.cfg.Name] = err
			continue
		}
		switch failed := t.failed.Load(); {
		case good:
		case failed != nil && time.Since(failed.at) < minRefresh: // as often as a list is fetched, and no more
			if known == nil {
				unavailable[m.cfg.Name] = failed.err
			}
		case t.lagging.Load():
			if known == nil {
				unavailable[m.cfg.Name] = lags(m, t)
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
			unavailable[m.cfg.Name] = lags(m, t)
		}
		if err == nil && !good && ctx.Err() == nil {
			t.lagging.Store(true)
		}
	}
	return f.views.of(r, members, lists), unavailable, false
}

// errGone is the error for a member that was taken out of the registry.
var errGone = errors.New("mcpgroup: the server was replaced or removed")

func lags(m *member, t *tracker) error {
	if failed := t.failed.Load(); failed != nil {
		return failed.err
	}
	return m.lags
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
	l, err := m.list(ctx, false)
	switch {
	case err == nil:
		t.lagging.Store(false)
		t.failed.Store(nil)
	case !personal(err): // what is one user's own is not told to others
		t.failed.Store(&failedListing{err, time.Now()})
	}
	return l, err
}
