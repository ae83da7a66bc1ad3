// Package budget chooses which of the ranked tools a model gets to see, under a bound on their number and on the tokens
// they cost.
//
// [Choose] goes by turns: pinned tools, then what they need, then the best tool of every step, then the floors of servers
// and categories, then everything by score. A tool that does not fit is skipped, and smaller ones after it may still come
// in. Every tool is taken at its smallest first, and what is left of the budget is spent on making tools whole again, best
// first: a tool with a shorter description is worth far more than no tool.
package budget

import (
	"cmp"
	"math"
	"slices"
)

// A Candidate is a tool that may be chosen.
type Candidate struct {
	// Score is how good the tool is, more being better. NaN is worse than any number.
	Score float64
	// Tokens is what the tool costs.
	Tokens int
	// Compact is what it costs when compacted. 0 means that it cannot be.
	Compact int
	// Server and Category are what [Limits.PerServer] and [Limits.PerCategory] count.
	Server, Category string
	// Step is the step of the query that the tool fits best, any number, and StepRank its rank in that step, 0 being the
	// best.
	Step, StepRank int
	// Covers are further steps whose best tool this is too: choosing it serves them as well.
	Covers []int
	// Pinned tools come before all others, in the order of their indexes.
	Pinned bool
	// Needs are the indexes of the tools that should come along, and theirs in turn.
	Needs []int
	// Class is the same number for tools that do the same on different servers. 0 means that the tool is alone of its kind.
	Class int
}

func (c *Candidate) least(whole bool) (tokens int, compact bool) {
	if !whole && c.Compact > 0 && c.Compact < c.Tokens {
		return c.Compact, true
	}
	return max(c.Tokens, 0), false
}

// Limits bound a choice.
type Limits struct {
	// Max bounds the number of tools. 0 means no bound.
	Max int
	// Tokens bounds their cost together. 0 means no bound; less than 0 means that only what costs nothing fits.
	Tokens int
	// PerServer and PerCategory are how many tools of a server or category are wanted at least, as long as there is room.
	PerServer, PerCategory map[string]int
	// Whole forbids compact tools.
	Whole bool
}

// A Choice is a tool that was chosen.
type Choice struct {
	Index   int  // of the candidate
	Compact bool // it was chosen at [Candidate.Compact]
	Tokens  int  // what it costs as it was chosen
	Reason  Reason
	For     int // with Needed, the index of the tool that needs it; else -1
}

// A Skip is a tool that did not fit, although it was pinned, needed by a tool that was chosen, or had its turn before one
// that was.
type Skip struct {
	Index  int // of the candidate
	Reason Reason
	For    int // with Needed, the index of the tool that needs it; else -1
}

// A Reason says whose turn a tool was chosen in, or skipped.
type Reason uint8

const (
	Ranked      Reason = iota // its score, over all or in its step
	Pinned                    // it was pinned
	Needed                    // a chosen tool needs it
	Represented               // it would not be here but for PerServer or PerCategory
)

// Choose returns the chosen tools in the order in which a model should read them: pinned ones, then by score, each followed
// by what it needs. Their cost never exceeds l.Tokens and their number never exceeds l.Max. The result is the same whenever
// the arguments are. An index in Needs that is out of range panics.
func Choose(c []Candidate, l Limits) ([]Choice, []Skip) {
	byScore := order(c)
	k := newChooser(c, l)
	k.choose(byScore)
	if k.represented {
		// Of the tools that a floor brought, most would have come anyway. Only a choice without floors tells them apart.
		free := newChooser(c, Limits{Max: l.Max, Tokens: l.Tokens, Whole: l.Whole})
		free.choose(byScore)
		for i := range k.chosen {
			if ch := &k.chosen[i]; ch.Reason == Represented && free.at[ch.Index] > 0 {
				ch.Reason = Ranked
			}
		}
	}
	chosen := k.sorted()
	k.makeWhole(chosen)
	return chosen, k.skipped[:k.kept]
}

// order returns the indexes of c, best first.
func order(c []Candidate) []int32 {
	idx := make([]int32, len(c))
	sorted := true
	for i := range c {
		idx[i] = int32(i)
		sorted = sorted && (i == 0 || c[i-1].Score >= c[i].Score)
	}
	if !sorted {
		slices.SortFunc(idx, func(a, b int32) int {
			return cmp.Or(cmp.Compare(c[b].Score, c[a].Score), cmp.Compare(a, b))
		})
	}
	return idx
}

type chooser struct {
	c []Candidate
	Limits
	slots, left int // what is left of Max and Tokens
	chosen      []Choice
	at          []int32 // 1 + position in chosen, by candidate; 0 if it was not chosen, -1 if it does not fit
	classes     map[int]bool
	covered     map[int]bool // steps whose best tool is a chosen one of another step
	represented bool         // a floor brought a tool

	skipped []Skip
	kept    int // of skipped; those behind are worse than all that was chosen
}

func newChooser(c []Candidate, l Limits) *chooser {
	k := &chooser{c: c, Limits: l, slots: l.Max, left: l.Tokens}
	if l.Max <= 0 {
		k.slots = math.MaxInt
	}
	if l.Tokens == 0 {
		k.left = math.MaxInt
	}
	k.at = make([]int32, len(c))
	k.chosen = make([]Choice, 0, min(len(c), k.slots, 64))
	k.classes = make(map[int]bool)
	k.covered = make(map[int]bool)
	return k
}

// take chooses a tool if it fits, and what it needs as far as that fits. It reports whether the tool is chosen.
func (k *chooser) take(i int, why Reason, whose int) bool {
	if k.at[i] > 0 {
		return true
	}
	if !k.place(i, why, whose) {
		return false
	}
	k.bring(i)
	return true
}

// bring chooses what a tool needs as far as that fits.
func (k *chooser) bring(i int) {
	for _, n := range k.c[i].Needs {
		k.take(n, Needed, i)
	}
}

// place chooses a tool alone, if it fits.
func (k *chooser) place(i int, why Reason, whose int) bool {
	c := &k.c[i]
	tokens, compact := c.least(k.Whole)
	if k.slots == 0 || tokens > 0 && tokens > k.left {
		k.skip(i, why, whose)
		return false
	}
	k.slots--
	k.left -= tokens
	k.kept = len(k.skipped)
	k.chosen = append(k.chosen, Choice{i, compact, tokens, why, whose})
	k.at[i] = int32(len(k.chosen))
	if c.Class != 0 {
		k.classes[c.Class] = true
	}
	for _, s := range c.Covers {
		k.covered[s] = true
	}
	return true
}

// skip records that a tool does not fit. It will not fit later either, for the budget only shrinks.
func (k *chooser) skip(i int, why Reason, whose int) {
	if why == Pinned || why == Needed {
		k.skipped = append(k.skipped, Skip{i, why, whose})
		k.kept = len(k.skipped)
	} else if k.at[i] == 0 && k.slots > 0 {
		k.skipped = append(k.skipped, Skip{i, why, whose})
	}
	k.at[i] = -1
}

// sorted returns the chosen tools in the order of reading.
func (k *chooser) sorted() []Choice {
	heads := make([]Choice, 0, len(k.chosen))
	for _, ch := range k.chosen {
		if ch.Reason != Needed {
			heads = append(heads, ch)
		}
	}
	slices.SortStableFunc(heads, func(a, b Choice) int {
		if a.Reason == Pinned || b.Reason == Pinned {
			return cmp.Compare(b2i(b.Reason == Pinned), b2i(a.Reason == Pinned))
		}
		return cmp.Or(cmp.Compare(k.c[b.Index].Score, k.c[a.Index].Score), cmp.Compare(a.Index, b.Index))
	})
	if len(heads) == len(k.chosen) {
		return heads
	}
	out := make([]Choice, 0, len(k.chosen))
	var put func(ch Choice)
	put = func(ch Choice) {
		out = append(out, ch)
		for _, n := range k.c[ch.Index].Needs {
			if p := k.at[n]; p > 0 && k.chosen[p-1].Reason == Needed && k.chosen[p-1].For == ch.Index {
				put(k.chosen[p-1])
				k.at[n] = 0
			}
		}
	}
	for _, ch := range heads {
		put(ch)
	}
	return out
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// makeWhole spends what is left of the budget on making compact tools whole.
func (k *chooser) makeWhole(chosen []Choice) {
	for i := range chosen {
		ch := &chosen[i]
		if more := k.c[ch.Index].Tokens - ch.Tokens; ch.Compact && more <= k.left {
			k.left -= more
			ch.Tokens += more
			ch.Compact = false
		}
	}
}
