package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/selector/static"
)

// depth is how many tools are looked at: the metrics are about the first ten.
const depth = 10

// A System finds tools. texts are one request, or the steps of one.
type System interface {
	Find(texts []string) []string
}

// scorer is a System that gives every tool a score for a text, and takes the best score of a tool over several texts.
type scorer struct {
	ids    []string
	scores func(text string) []float64
}

func (s *scorer) Find(texts []string) []string {
	best := slices.Repeat([]float64{math.Inf(-1)}, len(s.ids))
	for _, text := range texts {
		for i, v := range s.scores(text) {
			best[i] = max(best[i], v)
		}
	}
	return Ranking(s.ids, best, depth)
}

// naive is plain BM25.
func naive(set *Set) System {
	x := NewNaive(set.Tools)
	return &scorer{x.ids, x.Scores}
}

// embedder is the embedded model alone.
func embedder(set *Set) System {
	e := static.Default()
	s := &scorer{}
	var texts []string
	for _, t := range set.Tools {
		s.ids = append(s.ids, t.ID)
		texts = append(texts, embedded(&t))
	}
	vectors, err := e.EmbedDocuments(context.Background(), texts)
	check(err)
	s.scores = func(text string) []float64 {
		query := e.Embed(nil, text)
		scores := make([]float64, len(vectors))
		for i, v := range vectors {
			for k, x := range v {
				scores[i] += float64(x) * float64(query[k])
			}
		}
		return scores
	}
	return s
}

// embedded is the text of a tool that package selector embeds.
func embedded(t *Tool) string {
	var parts []string
	for _, part := range []string{t.Server, t.Name, t.Title, t.Category, t.Description} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	properties, _ := t.Schema["properties"].(map[string]any)
	return strings.Join(append(parts, strings.Join(slices.Sorted(maps.Keys(properties)), ", ")), ". ")
}

// A Fleet is a [System] of package selector.
type Fleet struct {
	*selector.Selector
}

// whole is the selector as it comes, or with options.
func whole(set *Set, opts *selector.Options) *Fleet {
	s, err := selector.New(opts)
	check(err)
	docs := make([]selector.Document, len(set.Tools))
	for i, t := range set.Tools {
		docs[i] = selector.Document{
			ID: t.ID, Server: t.Server, ServerDescription: t.ServerDescription, Category: t.Category, Name: t.Name, Title: t.Title,
			Description: t.Description, Schema: t.Schema,
		}
	}
	_, err = s.Add(context.Background(), docs...)
	check(err)
	return &Fleet{s}
}

// edges are the dependencies that the tools of a set declare.
func edges(set *Set) []selector.Edge {
	known := map[string]bool{}
	for _, t := range set.Tools {
		known[t.ID] = true
	}
	var all []selector.Edge
	for _, t := range set.Tools {
		for _, d := range t.DependsOn {
			if known[d.Name] && d.Name != t.ID {
				all = append(all, selector.Edge{From: t.ID, To: d.Name, Kind: selector.DependsOn})
			}
		}
	}
	return all
}

// query is a request with one text, or one with steps.
func query(texts []string) selector.Query {
	q := selector.Query{MaxTools: depth}
	if len(texts) == 1 {
		q.Text = texts[0]
	} else {
		q.Steps = texts
	}
	return q
}

// Select is what Find does, with all that the selector says.
func (f *Fleet) Select(q selector.Query) *selector.Selection {
	found, err := f.Selector.Select(context.Background(), q)
	if err != nil {
		check(fmt.Errorf("eval: selecting for %q: %w", q.Text, err))
	}
	return found
}

func (f *Fleet) Find(texts []string) []string { return ids(f.Select(query(texts))) }

func ids(found *selector.Selection) []string {
	names := make([]string, len(found.Tools))
	for i, t := range found.Tools {
		names[i] = t.Document.ID
	}
	return names
}
