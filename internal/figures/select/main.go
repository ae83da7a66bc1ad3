// The program select measures whole selections: how long one takes in a catalogue of thousands of tools and how that grows, what
// changing a tool costs, and what is embedded again.
//
// The catalogue is tools.jsonl of MCPFLEET_DATA/catalogue: lines of {"id", "server", "name", "description", "input_schema"}.
// Without it, all is measured on tools that the program makes up.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/selector"
)

func main() {
	log.SetFlags(0)
	docs, requests, from := catalogue(os.Getenv("MCPFLEET_DATA"))
	t := figures.New("select")
	t.Note("%s", from)
	speed(t, docs, requests)
	updates(t, docs)
	embedding(t, docs)
	growth(t, docs, requests)
	t.Exit()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func newSelector(opts *selector.Options, docs []selector.Document) *selector.Selector {
	s, err := selector.New(opts)
	check(err)
	_, err = s.Add(context.Background(), docs...)
	check(err)
	return s
}

// timed returns the median and the 99th percentile of f over the requests, each asked several times.
func timed(requests []string, rounds int, f func(request string)) (p50, p99 time.Duration) {
	var all []time.Duration
	for range rounds {
		for _, r := range requests {
			start := time.Now()
			f(r)
			all = append(all, time.Since(start))
		}
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100]
}

// The goals are for the catalogue that was measured when they were set.
const goalTools = 4657

func speed(t *figures.Table, docs []selector.Document, requests []string) {
	docs = sized(docs, goalTools)
	start := time.Now()
	s := newSelector(nil, docs)
	t.Note("indexing %d tools took %v", len(docs), time.Since(start).Round(time.Millisecond))
	query := func(budget int) func(string) {
		return func(request string) {
			_, err := s.Select(context.Background(), selector.Query{Text: request, TokenBudget: budget})
			check(err)
		}
	}
	for _, budget := range []int{0, 2000} {
		timed(requests, 1, query(budget)) // what is computed once
		p50, p99 := timed(requests, 9, query(budget))
		name := "without a budget"
		if budget > 0 {
			name = fmt.Sprintf("within %d tokens", budget)
		}
		t.Row(fmt.Sprintf("a selection among %d tools %s takes at most 1 ms in the median", len(docs), name), p50.String(), p50 <= time.Millisecond)
		t.Row(fmt.Sprintf("a selection among %d tools %s takes at most 3 ms in 99 of 100", len(docs), name), p99.String(), p99 <= 3*time.Millisecond)
	}
	length := 0
	for _, r := range requests {
		length += len(r)
	}
	t.Note("a selection embeds the request, ranks by words, characters and vectors, and chooses within the budget; %d requests of %d bytes in the mean, one goroutine",
		len(requests), length/len(requests))
}

// updates changes one tool at a time. That now and then the catalogue is laid out anew is told as the worst of all.
func updates(t *figures.Table, docs []selector.Document) {
	docs = sized(docs, 5000)
	s := newSelector(nil, docs)
	var all []time.Duration
	for i := range 3000 {
		d := docs[i%len(docs)]
		d.Description += " It is number " + strconv.Itoa(i) + "."
		start := time.Now()
		_, err := s.Add(context.Background(), d)
		check(err)
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	p50, p99 := all[len(all)/2], all[len(all)*99/100]
	t.Row("changing 1 tool among 5000 takes at most 2 ms in the median", p50.String(), p50 <= 2*time.Millisecond)
	t.Row("changing 1 tool among 5000 takes at most 2 ms in 99 of 100", p99.String(), p99 <= 2*time.Millisecond)
	t.Note("the longest of 3,000 changes took %v: the catalogue was laid out anew, without waiting readers", all[len(all)-1].Round(time.Millisecond))
}

// A counter counts the texts that an embedder is asked for.
type counter struct {
	selector.Embedder
	texts int
}

func (c *counter) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	c.texts += len(texts)
	return c.Embedder.EmbedDocuments(ctx, texts)
}

func embedding(t *figures.Table, docs []selector.Document) {
	docs = slices.Clone(sized(docs, 5000))
	c := &counter{Embedder: embedder()}
	s := newSelector(&selector.Options{Embedder: c}, docs)
	first := c.texts
	for i := range 3 {
		docs[100*i].Description += " It is new."
	}
	_, err := s.Replace(context.Background(), docs)
	check(err)
	t.Row("a reload in which 3 of 5000 tools changed embeds 3 texts", strconv.Itoa(c.texts-first), c.texts-first == 3)
}

// growth prints how a selection and the memory grow with the catalogue.
func growth(t *figures.Table, docs []selector.Document, requests []string) {
	for _, n := range []int{1000, 10_000, 100_000} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		grown := sized(docs, n)
		start := time.Now()
		s := newSelector(nil, grown)
		took := time.Since(start)
		runtime.GC()
		runtime.ReadMemStats(&after)
		rounds := max(1, 20_000/n)
		p50, p99 := timed(requests, rounds, func(request string) {
			_, err := s.Select(context.Background(), selector.Query{Text: request, TokenBudget: 2000})
			check(err)
		})
		t.Note("%d tools: a selection takes %v in the median and %v in 99 of 100; indexing took %v; %d MiB",
			n, p50.Round(time.Microsecond), p99.Round(time.Microsecond), took.Round(time.Millisecond), (after.HeapAlloc-before.HeapAlloc)>>20)
		runtime.KeepAlive(s)
	}
}

// sized returns n documents: the first of docs, or all of them several times, with words that tell them apart.
func sized(docs []selector.Document, n int) []selector.Document {
	all := make([]selector.Document, n)
	for i := range all {
		d := docs[i%len(docs)]
		if round := i / len(docs); round > 0 {
			suffix := strconv.Itoa(round)
			d.ID, d.Server = d.ID+"."+suffix, d.Server+suffix
			d.Description = strings.ReplaceAll(d.Description, "the ", "the v"+suffix+" ")
		}
		all[i] = d
	}
	return all
}
