package main

import (
	"slices"
	"time"

	"github.com/mcpfleet/mcpfleet/selector"
)

// A Task is a set with one way to ask for its tools.
type Task struct {
	Name  string
	Set   *Set
	Texts func(*Request) []string
}

// raw asks with the request as the user wrote it.
func raw(set *Set) Task {
	return Task{set.Name, set, func(r *Request) []string { return []string{r.Text} }}
}

// steps asks with the queries that an agent sends for the request.
func steps(set *Set) Task {
	return Task{set.Name + " steps", set, func(r *Request) []string { return r.Steps }}
}

// tasks returns the ways in which a set can be asked.
func tasks(set *Set) []Task {
	all := []Task{raw(set)}
	if !slices.ContainsFunc(set.Requests, func(r Request) bool { return len(r.Steps) == 0 }) {
		all = append(all, steps(set))
	}
	return all
}

// A Result is what a system found for the requests of a task.
type Result struct {
	Mean    Metrics
	NDCG    []float64 // by request
	R10     []float64
	Server  float64 // share of groups with a tool of the right server within the first 10
	Elapsed []time.Duration
}

// Run measures a system.
func Run(t Task, s System) Result {
	servers := map[string]string{}
	for _, tool := range t.Set.Tools {
		servers[tool.ID] = tool.Server
	}
	var res Result
	var all []Metrics
	groups, right := 0, 0
	for i := range t.Set.Requests {
		r := &t.Set.Requests[i]
		texts := t.Texts(r)
		start := time.Now()
		found := s.Find(texts)
		res.Elapsed = append(res.Elapsed, time.Since(start))
		m := Measure(found, r.Groups)
		all = append(all, m)
		res.NDCG, res.R10 = append(res.NDCG, m.NDCG10), append(res.R10, m.R10)
		for _, group := range r.Groups {
			groups++
			if slices.ContainsFunc(group, func(id string) bool {
				return slices.ContainsFunc(found, func(f string) bool { return servers[f] == servers[id] })
			}) {
				right++
			}
		}
	}
	res.Mean = Mean(all)
	res.Server = float64(right) / float64(max(1, groups))
	slices.Sort(res.Elapsed)
	return res
}

// Quantile returns the time that a share of the requests takes at most.
func (r *Result) Quantile(q float64) time.Duration {
	if len(r.Elapsed) == 0 {
		return 0
	}
	return r.Elapsed[min(len(r.Elapsed)-1, int(q*float64(len(r.Elapsed))))]
}

// A Spending is what selections cost under a token budget, next to those without one.
type Spending struct {
	Tokens, OfTokens float64 // mean cost of a selection, and cost of all tools
	Most             int     // of the dearest selection
	Recall, Free     float64 // recall within the selection, and within the first 10 without a budget
	FreeTokens       float64
}

// Saved is the share of tokens that a selection does not cost.
func (s Spending) Saved() float64 { return 1 - s.Tokens/s.OfTokens }

// Spend measures selections under a budget. As many tools are chosen as fit, at most ten.
func Spend(t Task, f *Fleet, budget int) Spending {
	var out Spending
	for i := range t.Set.Requests {
		r := &t.Set.Requests[i]
		q := query(t.Texts(r))
		free := f.Select(q)
		q.TokenBudget = budget
		tight := f.Select(q)
		out.Tokens += float64(tight.Tokens)
		out.FreeTokens += float64(free.Tokens)
		out.Most = max(out.Most, tight.Tokens)
		out.OfTokens = float64(tight.OfTokens)
		out.Recall += Measure(ids(tight), r.Groups).R10
		out.Free += Measure(ids(free), r.Groups).R10
	}
	n := float64(max(1, len(t.Set.Requests)))
	out.Tokens, out.FreeTokens, out.Recall, out.Free = out.Tokens/n, out.FreeTokens/n, out.Recall/n, out.Free/n
	return out
}

// Closures returns mAP@10 of selections against all that the tools of a request need.
func Closures(set *Set, opts *selector.Options) float64 {
	f := whole(set, opts)
	sum := 0.0
	for i := range set.Requests {
		r := &set.Requests[i]
		sum += AveragePrecision(f.Find([]string{r.Text}), r.Closure, depth)
	}
	return sum / float64(len(set.Requests))
}

// Restrict returns the part of a set that is about some of its servers: their tools, and the requests that these alone can do.
func Restrict(set *Set, name string, servers []string) *Set {
	part := &Set{Name: name}
	known := map[string]bool{}
	for _, t := range set.Tools {
		if slices.Contains(servers, t.Server) {
			part.Tools = append(part.Tools, t)
			known[t.ID] = true
		}
	}
	for _, r := range set.Requests {
		groups := make([][]string, len(r.Groups))
		for i, group := range r.Groups {
			for _, id := range group {
				if known[id] {
					groups[i] = append(groups[i], id)
				}
			}
		}
		if !slices.ContainsFunc(groups, func(g []string) bool { return len(g) == 0 }) {
			r.Groups = groups
			part.Requests = append(part.Requests, r)
		}
	}
	return part
}
