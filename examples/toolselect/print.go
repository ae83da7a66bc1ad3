package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// printSelection prints the reduction and a table of the tools.
func printSelection(out io.Writer, s *mcpgroup.Selection, opts *mcpgroup.SelectOptions, took time.Duration) error {
	fmt.Fprintf(out, "%s tools, %s tokens -> %s tools, %s tokens", thousands(s.Of), thousands(s.OfTokens), thousands(len(s.Tools)), thousands(s.Tokens))
	if s.OfTokens > 0 {
		fmt.Fprintf(out, " (%.1f %% fewer)", 100*(1-float64(s.Tokens)/float64(s.OfTokens)))
	}
	fmt.Fprintf(out, ", %v\n", took.Round(time.Millisecond))
	if s.Degraded != nil {
		fmt.Fprintf(out, "chosen by words alone: %v\n", s.Degraded)
	}
	if len(s.Unmatched) > 0 {
		fmt.Fprintf(out, "no tool has the words: %s\n", strings.Join(s.Unmatched, ", "))
	}
	for _, server := range slices.Sorted(maps.Keys(s.Unavailable)) {
		fmt.Fprintf(out, "not asked: %s: %v\n", server, s.Unavailable[server])
	}
	if len(s.Tools) == 0 {
		return nil
	}

	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	header := []string{"SCORE", "TOKENS", "TOOL"}
	if len(opts.Steps) > 0 {
		header = append(header, "STEP")
	}
	if opts.Explain {
		header = append(header, "WHY", "WORDS", "CHARS", "VECTOR", "SENTENCE", "SERVER", "INTENT", "GRAPH")
	}
	fmt.Fprintln(table, strings.Join(append(header, "DESCRIPTION"), "\t"))
	for i, tool := range s.Tools {
		d := s.Details[i]
		row := []string{fmt.Sprintf("%.2f", d.Score), thousands(d.Tokens), tool.ID()}
		if len(d.Lost) > 0 {
			row[1] += "*"
		}
		if len(opts.Steps) > 0 {
			row = append(row, stepText(opts.Steps, d.Step))
		}
		if opts.Explain {
			row = append(row, string(d.Reason))
			if p := d.Parts; p != nil {
				for _, x := range []float64{p.Lexical, p.Characters, p.Vector, p.Sentence, p.Server, p.Intent, p.Graph} {
					row = append(row, strconv.FormatFloat(x, 'f', 1, 64))
				}
			} else {
				row = append(row, "", "", "", "", "", "", "")
			}
		}
		fmt.Fprintln(table, strings.Join(append(row, firstWords(tool.Description, 60)), "\t"))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("toolselect: %w", err)
	}
	for i, d := range s.Details {
		if opts.Explain && len(d.Lost) > 0 {
			fmt.Fprintf(out, "* %s without %s\n", s.Tools[i].ID(), strings.Join(d.Lost, "; "))
		}
	}
	return nil
}

// stepText is what a tool was chosen for.
func stepText(steps []string, step int) string {
	if step < 0 || step >= len(steps) {
		return "-"
	}
	return firstWords(steps[step], 30)
}

// firstWords is the first line of s, cut to limit characters.
func firstWords(s string, limit int) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	s = strings.ReplaceAll(s, "\t", " ")
	if runes := []rune(s); len(runes) > limit {
		return strings.TrimSpace(string(runes[:limit-1])) + "…"
	}
	return s
}

// thousands writes 1760000 as 1,760,000.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
