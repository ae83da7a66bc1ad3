package budget

import (
	"cmp"
	"maps"
	"slices"
)

// twinDiscount is what the score of a tool counts when another of its class is chosen already. A tool that does the same as
// one before it gives way to others that are nearly as good, never to ones that are clearly worse.
const twinDiscount = 0.85

// choose gives everyone their turn. byScore are the candidates, best first.
func (k *chooser) choose(byScore []int32) {
	for i := range k.c {
		if k.c[i].Pinned {
			k.place(i, Pinned, -1)
		}
	}
	for _, ch := range slices.Clone(k.chosen) { // what one of them needs must not push another one out
		k.bring(ch.Index)
	}
	k.steps(byScore)
	k.floors(byScore, k.PerServer, func(c *Candidate) string { return c.Server })
	k.floors(byScore, k.PerCategory, func(c *Candidate) string { return c.Category })
	k.rest(byScore)
}

// steps chooses the best tool that fits of every step, the step with the best tool first. A step whose best tool is chosen
// already, for whatever reason, has had its turn.
func (k *chooser) steps(byScore []int32) {
	var all []int // steps in the order of their turns
	seen := make(map[int]bool)
	for _, i := range byScore {
		if s := k.c[i].Step; !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	if len(all) < 2 {
		return
	}
	of := make(map[int][]int32, len(all))
	for _, i := range byScore {
		of[k.c[i].Step] = append(of[k.c[i].Step], i)
	}
	for _, s := range all {
		if k.covered[s] || k.slots == 0 {
			continue
		}
		slices.SortStableFunc(of[s], func(a, b int32) int { return cmp.Compare(k.c[a].StepRank, k.c[b].StepRank) })
		for _, i := range of[s] {
			if k.take(int(i), Ranked, -1) {
				break
			}
		}
	}
}

// floors chooses the best tools of each group until it has as many as it should.
func (k *chooser) floors(byScore []int32, least map[string]int, group func(*Candidate) string) {
	for _, g := range slices.Sorted(maps.Keys(least)) {
		missing := least[g]
		for _, ch := range k.chosen {
			if group(&k.c[ch.Index]) == g {
				missing--
			}
		}
		for _, i := range byScore {
			if missing <= 0 || k.slots == 0 {
				break
			}
			if k.at[i] == 0 && group(&k.c[i]) == g && k.take(int(i), Represented, -1) {
				missing--
				k.represented = true
			}
		}
	}
}

// rest chooses by score. Tools whose class is represented already wait in a second queue at a discount; both queues are
// sorted, so the better head of the two is the next.
func (k *chooser) rest(byScore []int32) {
	var twins []int32
	for next, twin := 0, 0; k.slots > 0 && (next < len(byScore) || twin < len(twins)); {
		if next < len(byScore) {
			i := byScore[next]
			if c := &k.c[i]; k.at[i] != 0 {
				next++
				continue
			} else if c.Class != 0 && c.Score > 0 && k.classes[c.Class] {
				twins = append(twins, i)
				next++
				continue
			}
		}
		if next == len(byScore) || twin < len(twins) && k.c[twins[twin]].Score*twinDiscount > k.c[byScore[next]].Score {
			k.take(int(twins[twin]), Ranked, -1)
			twin++
		} else {
			k.take(int(byScore[next]), Ranked, -1)
			next++
		}
	}
}
