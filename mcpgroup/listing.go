package mcpgroup

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	fits := make([]bool, len(v.order))
	for i, m := range v.order {
		fits[i] = f.matchesServer(&m.cfg)
	}
	all := make([]*Tool, 0, len(v.tools))
	kept := make([]bool, len(v.tools))
	for i, t := range v.tools {
		m := v.order[v.places[i]]
		if !fits[v.places[i]] || !matchesWords(t, words) || !m.group.visible(ctx, t) || !scope.allows(t) {
			continue
		}
		kept[i] = true
		all = append(all, scope.adopt(t))
	}
	for server := range unavailable {
		if m := v.members[server]; m == nil || !f.matchesServer(&m.cfg) {
			delete(unavailable, server)
		}
	}
	l.Total, l.Hash = len(all), v.hash(kept)
	l.Tools = slices.Clip(all)
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
