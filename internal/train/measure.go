package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"github.com/mcpfleet/mcpfleet/selector/static"
)

// A request is one line of a queries.jsonl file.
type request struct {
	Text   string     `json:"text"`
	Steps  []string   `json:"steps"`  // short queries, if there are any
	Groups [][]string `json:"groups"` // of tools: one of each is to be found
}

// A set is tools and labelled requests.
type set struct {
	name     string
	tools    []*tool
	servers  []int // number of a tool's server
	requests []request
	lexical  map[string][]float64 // by text: scores by words and characters
}

func readSet(dir string) (*set, error) {
	s := &set{name: filepath.Base(dir), lexical: map[string][]float64{}}
	var err error
	if s.tools, err = readTools(filepath.Join(dir, "tools.jsonl")); err != nil {
		return nil, err
	}
	numbers := numbering{}
	for _, t := range s.tools {
		s.servers = append(s.servers, int(numbers.of(t.Server)))
	}
	files, err := filepath.Glob(filepath.Join(dir, "queries*.jsonl"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("train: no queries*.jsonl in %s", dir)
	}
	for _, file := range files {
		err := eachLine(file, func(line string) error {
			var r request
			err := json.Unmarshal([]byte(line), &r)
			if err == nil && len(r.Groups) > 0 {
				s.requests = append(s.requests, r)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	byWords, byCharacters := newWords(s.tools), newCharacters(s.tools)
	for _, r := range s.requests {
		for _, q := range append(r.Steps, r.Text) {
			a, b := byWords.score(q), byCharacters.score(q)
			standardise(a)
			standardise(b)
			for i := range a {
				a[i] += .3 * b[i]
			}
			s.lexical[q] = a
		}
	}
	return s, nil
}

// figures are means over requests; a group of tools that do the same counts once.
type figures struct {
	ndcg10, recall5, recall10, hit1 float64
}

func (f figures) String() string {
	return fmt.Sprintf("%.3f/%.3f/%.3f/%.3f", f.ndcg10, f.recall5, f.recall10, f.hit1)
}

// judge rates the order of tools for one request.
func judge(order []string, groups [][]string) figures {
	var f figures
	found := make([]bool, len(groups))
	var ideal float64
	for i := range min(10, len(groups)) {
		ideal += 1 / math.Log2(float64(i)+2)
	}
	share := 1 / float64(len(groups))
	for rank, id := range order[:min(10, len(order))] {
		g := slices.IndexFunc(groups, func(ids []string) bool { return slices.Contains(ids, id) })
		if g < 0 || found[g] {
			continue
		}
		found[g] = true
		f.ndcg10 += 1 / math.Log2(float64(rank)+2) / ideal
		f.recall10 += share
		if rank < 5 {
			f.recall5 += share
		}
		if rank == 0 {
			f.hit1 = 1
		}
	}
	return f
}

// A mix says what counts how much: the model, words and characters, and the best tool of the same server.
type mix struct{ model, lexical, server float64 }

// vectors returns the vectors of all tools.
func (s *set) vectors(e *static.Embedder) [][]float32 {
	var out [][]float32
	for _, t := range s.tools {
		out = append(out, e.EmbedDocument(nil, t.text()))
	}
	return out
}

func dot(a, b []float32) float64 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return float64(sum)
}

// score rates all tools for one text.
func (s *set) score(e *static.Embedder, vectors [][]float32, text string, m mix) []float64 {
	q := e.Embed(nil, text)
	scores := make([]float64, len(s.tools))
	for i, v := range vectors {
		scores[i] = dot(q, v)
	}
	standardise(scores)
	best := make([]float64, len(s.tools)) // of servers, of which there are no more than tools
	for i := range best {
		best[i] = math.Inf(-1)
	}
	for i := range scores {
		scores[i] = m.model*scores[i] + m.lexical*s.lexical[text][i]
		best[s.servers[i]] = max(best[s.servers[i]], scores[i])
	}
	if slices.Max(s.servers) > 0 {
		for i := range scores {
			scores[i] += m.server * best[s.servers[i]]
		}
	}
	return scores
}

// measure returns the figures of a mix. With steps, a tool is as good as it is for the step it fits best.
func (s *set) measure(e *static.Embedder, vectors [][]float32, m mix, steps bool) figures {
	var sum figures
	for _, r := range s.requests {
		texts := []string{r.Text}
		if steps && len(r.Steps) > 0 {
			texts = r.Steps
		}
		best := s.score(e, vectors, texts[0], m)
		for _, t := range texts[1:] {
			for i, x := range s.score(e, vectors, t, m) {
				best[i] = max(best[i], x)
			}
		}
		rows := make([]int, len(s.tools))
		for i := range rows {
			rows[i] = i
		}
		slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(best[b], best[a]) })
		var order []string
		for _, i := range rows[:min(10, len(rows))] {
			order = append(order, s.tools[i].ID)
		}
		f := judge(order, r.Groups)
		n := float64(len(s.requests))
		sum.ndcg10 += f.ndcg10 / n
		sum.recall5 += f.recall5 / n
		sum.recall10 += f.recall10 / n
		sum.hit1 += f.hit1 / n
	}
	return sum
}

// report writes the figures of a model for all sets.
func report(w io.Writer, e *static.Embedder, sets []*set) {
	mixes := []mix{{1, 0, 0}, {0, 1, .4}, {1, 1, .4}, {1.5, 1, .4}}
	mean := make([]float64, len(mixes))
	fmt.Fprintf(w, "%s\n%-22s", e.Model(), "nDCG@10/R@5/R@10/hit@1")
	for _, m := range mixes {
		fmt.Fprintf(w, "  %-23s", fmt.Sprintf("%.1f model %.0f lexical", m.model, m.lexical))
	}
	fmt.Fprintln(w)
	for _, s := range sets {
		vectors := s.vectors(e)
		line := func(name string, steps bool) {
			fmt.Fprintf(w, "%-22s", name)
			for i, m := range mixes {
				f := s.measure(e, vectors, m, steps)
				fmt.Fprintf(w, "  %v", f)
				mean[i] += f.ndcg10
			}
			fmt.Fprintln(w)
		}
		line(s.name, false)
		if slices.ContainsFunc(s.requests, func(r request) bool { return len(r.Steps) > 0 }) {
			before := slices.Clone(mean)
			line(s.name+", by step", true)
			mean = before
		}
	}
	fmt.Fprintf(w, "%-22s", "mean nDCG@10")
	for i := range mixes {
		fmt.Fprintf(w, "  %-23.4f", mean[i]/float64(len(sets)))
	}
	fmt.Fprintln(w)
}
