package main

import (
	"iter"
	"math/rand/v2"
)

// A deck deals the numbers below n in random order, again and again.
type deck struct {
	n     int
	cards []int
}

func (d *deck) deal(rng *rand.Rand) int {
	if len(d.cards) == 0 {
		d.cards = rng.Perm(d.n)
	}
	c := d.cards[0]
	d.cards = d.cards[1:]
	return c
}

// toolBatch makes a batch of tools with some of their siblings: tools of one server are the hardest to tell apart.
func (c *corpus) toolBatch(rng *rand.Rand) *batch {
	b := &batch{}
	for len(b.tools) < c.recipe.Batch {
		siblings := c.siblings[rng.IntN(len(c.siblings))] // servers come in proportion to their tools
		n := min(c.recipe.Siblings, len(siblings), c.recipe.Batch-len(b.tools))
		for _, i := range rng.Perm(len(siblings))[:n] {
			d := siblings[i]
			if len(d.about) > 0 && chance(rng, c.recipe.About) {
				request, tool := c.aboutPair(d, rng)
				b.add(c.lex, request, tool, d.marks, d.server, true)
				continue
			}
			request, tool := c.toolPair(d, rng)
			b.add(c.lex, request, tool, d.marks, d.server, false)
		}
	}
	return b
}

func (c *corpus) meaningBatch(d *deck, rng *rand.Rand) *batch {
	b := &batch{}
	for len(b.tools) < c.recipe.Batch {
		i := d.deal(rng)
		one, other := c.meaningPair(c.meanings[i], rng)
		b.add(c.lex, one, other, [2]int32{int32(i), int32(i)}, int32(i), false)
	}
	return b
}

func (b *batch) add(lex *lexicon, request, tool []int32, marks [2]int32, server int32, about bool) {
	b.requests = append(b.requests, lex.bag(request, false))
	b.tools = append(b.tools, lex.bag(tool, true))
	b.marks = append(b.marks, marks)
	b.servers = append(b.servers, server)
	b.about = append(b.about, about)
}

// steps returns how many batches of tools and of meanings the training takes.
func (c *corpus) steps() (tools, meanings int) {
	r := c.recipe
	return int(r.ToolEpochs * float64(len(c.definitions)) / float64(r.Batch)),
		int(r.MeaningEpochs * float64(len(c.meanings)) / float64(r.Batch))
}

// batches yields all batches of the training, tools and meanings mixed evenly.
func (c *corpus) batches(rng *rand.Rand) iter.Seq[*batch] {
	return func(yield func(*batch) bool) {
		tools, meanings := c.steps()
		d := &deck{n: len(c.meanings)}
		for t, m := 0, 0; t < tools || m < meanings; {
			var b *batch
			if t < tools && t*meanings <= m*tools {
				t++
				b = c.toolBatch(rng)
			} else {
				m++
				b = c.meaningBatch(d, rng)
			}
			if !yield(b) {
				return
			}
		}
	}
}
