package main

import (
	"fmt"
	"io"
)

// A Compared is a task with what each system reached.
type Compared struct {
	Task                            Task
	Naive, Lexical, Embedder, Whole Result
}

// Compare runs all systems on a task.
func Compare(t Task) *Compared {
	return &Compared{
		Task:     t,
		Naive:    Run(t, naive(t.Set)),
		Lexical:  Run(t, whole(t.Set, lexicalOnly)),
		Embedder: Run(t, embedder(t.Set)),
		Whole:    Run(t, whole(t.Set, nil)),
	}
}

// Print writes the figures of a task as a Markdown table, and how the whole compares with each of the others.
func (c *Compared) Print(w io.Writer, before []float64) {
	fmt.Fprintf(w, "### %s: %d requests, %d tools\n\n", c.Task.Name, len(c.Task.Set.Requests), len(c.Task.Set.Tools))
	fmt.Fprintln(w, "| system | hit@1 | R@1 | R@3 | R@5 | R@10 | nDCG@10 [95 %] | all@5 | all@10 | server R@10 | p50 | p99 |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, s := range []struct {
		name string
		*Result
	}{{"naive BM25", &c.Naive}, {"lexical part", &c.Lexical}, {"embedder alone", &c.Embedder}, {"whole", &c.Whole}} {
		m, n := s.Mean, Bootstrap(s.NDCG)
		fmt.Fprintf(w, "| %s | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f [%.3f, %.3f] | %.3f | %.3f | %.3f | %v | %v |\n", s.name,
			m.Hit1, m.R1, m.R3, m.R5, m.R10, n.Mean, n.Low, n.High, m.Complete5, m.Complete10, s.Server,
			s.Quantile(.5).Round(10e3), s.Quantile(.99).Round(10e3))
	}
	fmt.Fprintln(w)
	difference := func(name string, values []float64) {
		d := Paired(c.Whole.NDCG, values)
		fmt.Fprintf(w, "- nDCG@10 against %s: %+.3f [%+.3f, %+.3f]\n", name, d.Mean, d.Low, d.High)
	}
	difference("naive BM25", c.Naive.NDCG)
	difference("the lexical part", c.Lexical.NDCG)
	difference("the embedder", c.Embedder.NDCG)
	switch {
	case len(before) == len(c.Whole.NDCG):
		difference("the baseline", before)
	case before != nil:
		fmt.Fprintf(w, "- the baseline has %d requests and is not compared\n", len(before))
	}
	fmt.Fprintln(w)
}
