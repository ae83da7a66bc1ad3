package mcpgroup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/selector/tokens"
	"github.com/mcpfleet/mcpfleet/session"
)

// Bounds of what can be asked for in one [Registry.Select].
const (
	maxQuery     = 100_000 // bytes of the query, and of all steps together
	maxSteps     = 64
	maxSelection = 1000 // tools
	maxNames     = 1000 // names in one list of options
)

// SelectOptions narrows a [Registry.Select]. nil selects all defaults.
type SelectOptions struct {
	// Steps are short queries, one for each thing to be done, such as "find the customer" and "send an e-mail"; at most 64.
	// They find far more than one long query. A tool counts for the step it fits best, and the best tool of each step is
	// chosen before the second of any. The query may then be empty; if it is not, it is one more step.
	Steps []string

	// MaxTools bounds the number of tools. The default is 10; at most 1,000.
	MaxTools int
	// TokenBudget bounds what the tools cost a model to read, all together, in tokens as [RegistryOptions.Selector] counts
	// them. A tool that does not fit may be made smaller: see Whole. The default is no bound.
	TokenBudget int
	// MinScore leaves out tools with a lower [SelectedTool.Score], from 0 to 1. The default is 0.
	MinScore float64
	// Pinned are tools, by id or name, that are chosen whatever the query is. They count towards MaxTools and TokenBudget.
	Pinned []string

	// Servers leaves only tools of these servers, Categories those of servers of one of these categories, without regard to
	// case, and Labels those of servers that have all of these labels. Pinned tools, and what a chosen tool needs, may be of
	// any server.
	Servers    []string
	Categories []string
	Labels     map[string]string

	// PerServer is how many tools of a server are chosen at least, as long as there are that many and there is room; at most
	// 1,000. PerCategory is the same for a category, as [ServerConfig.Category] spells it.
	PerServer, PerCategory map[string]int

	// Whole keeps every tool as it is. By default the description and the schema of a tool are shortened where only that
	// lets it fit TokenBudget; its arguments are checked against the server's own schema all the same.
	Whole bool
	// Explain fills [SelectedTool.Parts].
	Explain bool
}

// A SelectError reports a query or a field of [SelectOptions] that cannot be used.
type SelectError struct {
	Field  string // "query", or a field of SelectOptions, such as "MaxTools" or "Steps[2]"
	Reason string // what is wrong and how to mend it
}

// Error names the field and the reason.
func (e *SelectError) Error() string { return "mcpgroup: select: " + e.Field + " " + e.Reason }

// A Selection is the tools that fit a query.
type Selection struct {
	// Tools are the tools: pinned ones, then the best first, each followed by those that it needs. They can be called as any
	// other, and have the names of [Registry.List].
	Tools []*Tool
	// Details says more about each of Tools, in the same order.
	Details []SelectedTool
	// Tokens is what Tools cost together.
	Tokens int
	// Of and OfTokens count the tools that the user has, whatever Servers, Categories and Labels leave of them, and what they
	// cost.
	Of, OfTokens int

	// Unmatched are words of the query that occur in no tool.
	Unmatched []string
	// Missing are those of [SelectOptions.Pinned] that the user does not have.
	Missing []string
	// Unavailable are the servers whose tools are not known, with the reason: see [Listing.Unavailable].
	Unavailable map[string]error
	// Degraded says why tools were chosen by their words alone, if the embedder failed.
	Degraded error
}

// SelectedTool is how one tool of a [Selection] was chosen.
type SelectedTool struct {
	Score  float64         // how well it fits, from 0 to 1
	Tokens int             // what it costs
	Reason selector.Reason // why it was chosen
	Step   int             // the step it fits best, an index of [SelectOptions.Steps]; -1 is the query
	Lost   []string        // what its description and schema lack, if they were shortened
	Parts  *selector.Parts // of the score, with [SelectOptions.Explain]
}

// String gives the reduction, such as "8 of 4657 tools, 1950 of 1760000 tokens".
func (s *Selection) String() string {
	return fmt.Sprintf("%d of %d tools, %d of %d tokens", len(s.Tools), s.Of, s.Tokens, s.OfTokens)
}

// Select returns the few tools that fit a request, of those that the user of ctx may see. query is what the user or the
// model wants, in any words, at most 100,000 bytes.
//
// What others may see has no influence on the result, and the same request gives the same result while the tools are the
// same. Tools that change are followed: those of a new list are indexed by the first Select that meets them, which takes
// time in proportion to what is new; the others do not wait for it. Like [Registry.List] it waits at most
// [RegistryOptions.Patience] for servers that do not answer. For an embedder of yours it waits as long as ctx lets it: see
// package selector/embedding, which bounds that.
//
// How tools are described is in the hands of their servers. A word counts the less the more others there are, so that a tool
// with many words does not fit everything; but what a tool says of itself is believed. [Registry.ForAgent] rules servers out.
//
// With [RegistryOptions.Results] the tool that reads what was left out of a result is the last of every selection, beyond
// MaxTools, unless it would take more than a quarter of TokenBudget.
//
// The error is a [*SelectError] for a query or an option that cannot be used. That servers are down is in the selection.
func (r *Registry) Select(ctx context.Context, query string, opts *SelectOptions) (*Selection, error) {
	return r.selectTools(ctx, query, opts, nil, true)
}

// Select is [Registry.Select] for the agent.
func (v *AgentView) Select(ctx context.Context, query string, opts *SelectOptions) (*Selection, error) {
	return v.r.selectTools(ctx, query, opts, v, true)
}

// selectTools is Select for an agent, with or without the tool that reads results.
func (r *Registry) selectTools(ctx context.Context, query string, opts *SelectOptions, scope *AgentView, reader bool) (*Selection, error) {
	var o SelectOptions
	if opts != nil {
		o = *opts
	}
	q, err := o.query(query)
	if err != nil {
		return nil, err
	}
	if r.closed.Load() {
		return nil, &Error{Op: "select", Outcome: NotSent, Err: ErrClosed}
	}
	v, unavailable := r.gather(ctx, scope)
	res := &Selection{Unavailable: unavailable}
	fits := func(m *member) bool { return o.matchesServer(&m.cfg) }
	if o.narrows() {
		if q.Servers = v.servers(fits); len(q.Servers) == 0 {
			q.Servers = []string{"."} // none would mean all; no server has this name
		}
		maps.DeleteFunc(unavailable, func(server string, _ error) bool { return v.members[server] == nil || !fits(v.members[server]) })
	}

	r.index.hold(v)
	defer r.index.release(v)
	within, sel, err := r.index.part(ctx, r, v, v.allowed(ctx, scope))
	if err != nil {
		return nil, selectFailed(err)
	}
	q.Pinned, res.Missing = v.pins(o.Pinned, within)
	var own *Tool
	cost := 0
	if reader && r.results != nil {
		own, cost = r.reader(v, q.TokenBudget)
	}
	if q.TokenBudget > 0 {
		q.TokenBudget -= cost
	}
	key, _ := session.FromContext(ctx)
	q.Within, q.Tenant = within.subset, key.Tenant
	found, err := sel.Select(ctx, q)
	if err != nil {
		return nil, selectFailed(err)
	}
	res.Tokens, res.Of, res.OfTokens = found.Tokens, found.Of, found.OfTokens
	res.Unmatched = found.Unmatched
	if found.Degraded != nil {
		res.Degraded = &redactedError{found.Degraded} // it may hold the URL of a service
	}
	for _, s := range found.Tools {
		t := v.byName[s.Document.Name]
		d := SelectedTool{Score: s.Score, Tokens: s.Tokens, Reason: s.Reason, Step: s.Step, Parts: s.Parts}
		if s.Compact != nil {
			smaller := *t
			smaller.Description, smaller.InputSchema = s.Compact.Description, s.Compact.Schema
			t, d.Lost = &smaller, s.Compact.Lost
		}
		res.Tools = append(res.Tools, scope.adopt(t))
		res.Details = append(res.Details, d)
	}
	if own != nil && len(res.Tools) > 0 { // without another tool there is nothing to read
		res.Tools = append(res.Tools, scope.adopt(own))
		res.Details = append(res.Details, SelectedTool{Tokens: cost, Reason: selector.Needed, Step: -1})
		res.Tokens += cost
	}
	return res, nil
}

// reader returns the tool that reads what was left out of results, and what it costs, unless that is too much.
func (r *Registry) reader(v *view, budget int) (*Tool, int) {
	i := slices.IndexFunc(v.tools, func(t *Tool) bool { return v.members[t.Server].own })
	if i < 0 {
		return nil, 0
	}
	t := v.tools[i]
	text, err := tokens.Function(t.Name, t.Description, t.InputSchema)
	cost := r.counter().Count(text)
	if err != nil || budget > 0 && cost > budget/4 {
		return nil, 0
	}
	return t, cost
}

// counter returns what counts tokens.
func (r *Registry) counter() tokens.Counter {
	if o := r.opts.Selector; o != nil && o.Counter != nil {
		return o.Counter
	}
	return tokens.Estimate()
}

// selectFailed makes an error of Select of one of package selector.
func selectFailed(err error) error {
	var invalid *selector.InvalidError
	if errors.As(err, &invalid) {
		if field, ok := strings.CutPrefix(invalid.Field, "Query."); ok {
			return &SelectError{Field: field, Reason: invalid.Reason}
		}
	}
	return fmt.Errorf("mcpgroup: select: %w", &redactedError{err})
}

// query checks o and query and makes a query of package selector of them, but for what is about servers and tools.
func (o *SelectOptions) query(query string) (selector.Query, error) {
	fail := func(field, format string, args ...any) (selector.Query, error) {
		return selector.Query{}, &SelectError{Field: field, Reason: fmt.Sprintf(format, args...)}
	}
	q := selector.Query{
		Text: strings.TrimSpace(query), MaxTools: cmp.Or(o.MaxTools, defaultSelection), TokenBudget: o.TokenBudget, MinScore: o.MinScore,
		PerServer: o.PerServer, PerCategory: o.PerCategory, Whole: o.Whole, Explain: o.Explain,
	}
	size := 0
	for i, step := range o.Steps {
		if step = strings.TrimSpace(step); step == "" {
			return fail(fmt.Sprintf("Steps[%d]", i), "is empty; say what is to be done, or leave it out")
		}
		q.Steps = append(q.Steps, step)
		size += len(step)
	}
	switch {
	case q.Text == "" && len(q.Steps) == 0:
		return fail("query", "is empty; say what is to be done, or give Steps")
	case len(q.Text) > maxQuery:
		return fail("query", "has %d bytes; the most is %d", len(q.Text), maxQuery)
	case len(q.Steps) > maxSteps:
		return fail("Steps", "has %d entries; the most is %d", len(q.Steps), maxSteps)
	case size > maxQuery:
		return fail("Steps", "have %d bytes together; the most is %d", size, maxQuery)
	case o.MaxTools < 0 || o.MaxTools > maxSelection:
		return fail("MaxTools", "is %d; it must be 1 to %d, or 0 for %d", o.MaxTools, maxSelection, defaultSelection)
	case o.TokenBudget < 0:
		return fail("TokenBudget", "is %d; it must be positive, or 0 for no bound", o.TokenBudget)
	case math.IsNaN(o.MinScore) || o.MinScore < 0 || o.MinScore > 1:
		return fail("MinScore", "is %v; it must be 0 to 1", o.MinScore)
	}
	for _, list := range []struct {
		field string
		names []string
	}{{"Servers", o.Servers}, {"Categories", o.Categories}, {"Pinned", o.Pinned}} {
		if len(list.names) > maxNames {
			return fail(list.field, "has %d entries; the most is %d", len(list.names), maxNames)
		}
		if i := slices.Index(list.names, ""); i >= 0 {
			return fail(fmt.Sprintf("%s[%d]", list.field, i), "is empty; leave it out")
		}
	}
	for _, least := range []struct {
		field string
		of    map[string]int
	}{{"PerServer", o.PerServer}, {"PerCategory", o.PerCategory}} {
		if len(least.of) > maxNames {
			return fail(least.field, "has %d entries; the most is %d", len(least.of), maxNames)
		}
		for _, n := range least.of {
			if n < 0 || n > maxSelection {
				return fail(least.field, "holds the number %d; it must be 0 to %d", n, maxSelection)
			}
		}
	}
	return q, nil
}

const defaultSelection = 10

// narrows reports whether o leaves servers out.
func (o *SelectOptions) narrows() bool {
	return len(o.Servers) > 0 || len(o.Categories) > 0 || len(o.Labels) > 0
}

func (o *SelectOptions) matchesServer(cfg *ServerConfig) bool {
	if len(o.Servers) > 0 && !slices.Contains(o.Servers, cfg.Name) {
		return false
	}
	if len(o.Categories) > 0 && !slices.ContainsFunc(o.Categories, func(c string) bool { return strings.EqualFold(c, cfg.Category) }) {
		return false
	}
	f := Filter{Labels: o.Labels}
	return f.matchesServer(cfg)
}
