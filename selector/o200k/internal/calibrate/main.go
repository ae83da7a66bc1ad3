// Calibrate writes the figures that tokens.Estimate works with: what a piece of each class and length costs on average in
// the vocabulary o200k_base, and which letters often follow one another. It reads tool definitions, one JSON object with name, description and input_schema per line:
//
//	go run ./internal/calibrate -what "definitions of ..." tools.jsonl > ../tokens/figures.go
//
// With -check it prints how far the present figures are off for those tools instead:
//
//	go run ./internal/calibrate -check tools.jsonl
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/mcpfleet/mcpfleet/selector/internal/pieces"
	"github.com/mcpfleet/mcpfleet/selector/o200k"
	"github.com/mcpfleet/mcpfleet/selector/tokens"
)

const (
	lengths = 16  // pieces up to this long have figures of their own
	unit    = 256 // figures are in 1/256 token
	prior   = 4   // observations that a prior weighs as much as
)

// priors are tokens per character where little was observed, and least what a piece costs at least. beyond is the cost of
// each character of a piece after the first 16: words are not that long, so it is what random characters cost, or nearly.
var (
	priors = [pieces.Classes]float64{
		pieces.Lower: .4, pieces.Capital: .4, pieces.Upper: .45,
		pieces.SpaceLow: .4, pieces.SpaceCap: .4, pieces.SpaceUp: .45,
		pieces.MarkLow: .4, pieces.MarkCap: .4, pieces.MarkUp: .45,
		pieces.Escape: .4, pieces.Digits: .34, pieces.Syntax: .6, pieces.Marks: .6, pieces.Repeated: .1,
		pieces.Space: .1, pieces.Break: .3,
		pieces.Latin: 1, pieces.Greek: .4, pieces.Arabic: .45, pieces.Indic: .5, pieces.Kana: .8, pieces.Hangul: .75,
		pieces.Han: .85, pieces.RareHan: 3, pieces.Sign: 1.5, pieces.Emoji: 2.3, pieces.OtherRune: 2.7, pieces.Beyond: 4,
	}
	// Marks on Latin letters make the rest of their word, which is a piece of its own, dearer than an English word.
	least  = [pieces.Classes]float64{pieces.Latin: 2}
	beyond = [pieces.Classes]float64{
		pieces.Lower: .5, pieces.Capital: .5, pieces.Upper: .55,
		pieces.SpaceLow: .5, pieces.SpaceCap: .5, pieces.SpaceUp: .55,
		pieces.MarkLow: .5, pieces.MarkCap: .5, pieces.MarkUp: .55, pieces.Escape: .5,
		pieces.Greek: .9, pieces.Arabic: .9, pieces.Indic: 1, pieces.Kana: 1.1, pieces.Hangul: 2, pieces.Han: 1.7,
	}
)

type observed struct {
	n, tokens float64
}

func main() {
	what := flag.String("what", "tool definitions", "what the tools are, for the comment on the figures")
	check := flag.Bool("check", false, "print how far tokens.Estimate is off, instead of figures")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "calibrate: give one file of tool definitions")
		os.Exit(2)
	}
	if err := run(os.Stdout, flag.Arg(0), *what, *check); err != nil {
		fmt.Fprintln(os.Stderr, "calibrate:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, file, what string, check bool) error {
	counter, err := o200k.Counter()
	if err != nil {
		return err
	}
	tools, err := read(file)
	if err != nil {
		return err
	}
	if len(tools) == 0 {
		return fmt.Errorf("%s: holds no tools", file)
	}
	if check {
		return report(w, tools, counter)
	}
	src, err := figures(tools, what, counter)
	if err != nil {
		return err
	}
	_, err = w.Write(src)
	return err
}

// read returns what a provider is sent of every tool of a file.
func read(file string) (tools []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for dec := json.NewDecoder(bufio.NewReader(f)); ; {
		var tool struct {
			Name        string         `json:"name"`
			Description string         `json:"description"`
			InputSchema map[string]any `json:"input_schema"`
		}
		if err := dec.Decode(&tool); errors.Is(err, io.EOF) {
			return tools, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		text, err := tokens.Function(tool.Name, tool.Description, tool.InputSchema)
		if err != nil {
			return nil, err
		}
		tools = append(tools, text)
	}
}

// report prints the error of the estimate: of the sum, and of single tools.
func report(w io.Writer, tools []string, counter tokens.Counter) error {
	estimate := tokens.Estimate()
	var errs []float64
	exact, guessed, low := 0, 0, 0.0
	for _, text := range tools {
		is, guess := counter.Count(text), estimate.Count(text)
		exact += is
		guessed += guess
		off := float64(guess)/float64(is) - 1
		errs = append(errs, math.Abs(off))
		low = min(low, off)
	}
	slices.Sort(errs)
	at := func(p int) float64 { return 100 * errs[(len(errs)-1)*p/100] }
	_, err := fmt.Fprintf(w, "%d tools: %d tokens, estimated %d (%+.2f %%); error per tool: median %.1f %%, 95th percentile %.1f %%, most %.1f %%, lowest -%.1f %%\n",
		len(tools), exact, guessed, 100*(float64(guessed)/float64(exact)-1), at(50), at(95), at(100), -100*low)
	return err
}

// figures returns the Go source of the figures.
func figures(tools []string, what string, counter tokens.Counter) ([]byte, error) {
	seen := observe(tools, counter)
	var b strings.Builder
	fmt.Fprintf(&b, "// Code generated by selector/o200k/internal/calibrate. DO NOT EDIT.\n\npackage tokens\n\n")
	fmt.Fprintf(&b, "// figures are what pieces of 1 to %d characters and each further character cost, in 1/%d token, by class.\n", lengths, unit)
	fmt.Fprintf(&b, "// They are averages over %d %s.\n", len(tools), what)
	fmt.Fprintf(&b, "var figures = [...][%d]uint16{\n", lengths+1)
	for class := range pieces.Classes {
		b.WriteString("{")
		for n := 1; n <= lengths; n++ {
			o := seen[class][n]
			guess := max(1, priors[class]*float64(n))
			mean := (o.tokens + prior*guess) / (o.n + prior)
			fmt.Fprintf(&b, "%.0f, ", max(mean, least[class], 1)*unit)
		}
		fmt.Fprintf(&b, "%.0f},\n", max(priors[class], beyond[class])*unit)
	}
	b.WriteString("}\n\n")
	b.WriteString("// follows has a bit for each letter that often follows another one in words of the same definitions, by the first.\n")
	b.WriteString("var follows = [26]uint32{\n")
	for _, letters := range followers(tools) {
		fmt.Fprintf(&b, "%#08x,\n", letters)
	}
	b.WriteString("}\n")
	return format.Source([]byte(b.String()))
}

// often is from which part of all pairs of letters on a pair is no surprise: 300 of the 676 pairs, which are 99 percent of text.
const often = 1.5e-4

// followers returns which letters often follow another one, whatever their case, with a bit for each.
func followers(tools []string) (follow [26]uint32) {
	var pairs [26][26]float64
	total := 0.0
	for _, s := range tools {
		for i := 1; i < len(s); i++ {
			a, b := s[i-1]|0x20, s[i]|0x20
			if 'a' <= a && a <= 'z' && 'a' <= b && b <= 'z' && (s[i-1] <= 'Z' || s[i] > 'Z') { // aB is two words
				pairs[a-'a'][b-'a']++
				total++
			}
		}
	}
	for a := range pairs {
		for b, n := range pairs[a] {
			if n >= often*total {
				follow[a] |= 1 << b
			}
		}
	}
	return follow
}

// observe counts all pieces of the tools.
func observe(tools []string, counter tokens.Counter) (seen [pieces.Classes][lengths + 1]observed) {
	cost := make(map[string]int)
	for _, s := range tools {
		for i := 0; i < len(s); {
			class, n, end := pieces.Next(s, i)
			piece := s[i:end]
			if _, ok := cost[piece]; !ok {
				cost[piece] = counter.Count(piece)
			}
			if n <= lengths {
				seen[class][n].n++
				seen[class][n].tokens += float64(cost[piece])
			}
			i = end
		}
	}
	return seen
}
