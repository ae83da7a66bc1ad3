package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/viterin/vek/vek32"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/selector/vector"
)

// speed compares one search at a time with each rival that there is a goal for.
func speed(t *figures.Table) {
	for _, c := range []struct {
		rows, dim, rounds int
		load              float64 // at most that many times a load-only pass; 0: no goal
		loop, chromem     float64 // at least that many times as fast; 0: no goal
	}{
		{1_000, 384, 201, 1.25, 10, 20},
		{3_000, 384, 101, 0, 10, 20},
		{10_000, 384, 101, 1.15, 10, 20},
		{10_000, 1536, 61, 0, 0, 10},
		{100_000, 384, 61, 1.15, 0, 0},
	} {
		rows := clustered(c.rows, c.dim)
		queries := queriesFor(rows, 16)
		x := index(rows)
		engines := []func(){ours(x, queries), memory(x)}
		if c.loop > 0 {
			engines = append(engines, loop(x, queries))
		}
		if c.chromem > 0 {
			engines = append(engines, chromemGo(rows, queries))
		}
		res := race{c.rounds, engines}.run()
		size := fmt.Sprintf("%s x %d", thousands(c.rows), c.dim)
		if c.load > 0 {
			t.Row(fmt.Sprintf("at most %.2f times a load-only pass, %s", c.load, size), res.got(0, 1), res.ratio(0, 1) <= c.load)
		}
		if c.loop > 0 {
			t.Row(fmt.Sprintf("at least %v times as fast as a plain loop, %s", c.loop, size), res.got(2, 0), res.ratio(2, 0) >= c.loop)
		}
		if c.chromem > 0 {
			last := len(engines) - 1
			t.Row(fmt.Sprintf("at least %v times as fast as chromem-go, %s", c.chromem, size), res.got(last, 0), res.ratio(last, 0) >= c.chromem)
		}
	}
	t.Note("the load-only pass reads the same slab with loads of %d bits and does nothing else", loadBits())
	t.Note("searches are exact, for the best %d; the plain loop reads the same slab, chromem-go v0.7.0 has documents without text", k)
}

// exactness looks for searches that allocate, or that find something else than float64 does.
func exactness(t *figures.Table) {
	allocated, found, wanted := 0.0, 0, 0
	for _, size := range []struct{ rows, dim int }{{1_000, 384}, {3_000, 384}, {10_000, 384}, {10_000, 1536}} {
		rows := clustered(size.rows, size.dim)
		queries := queriesFor(rows, 50)
		x := index(rows)
		allocated += testing.AllocsPerRun(100, ours(x, queries))
		for _, query := range queries {
			hits, err := x.Search(nil, query, k, nil)
			check(err)
			for i, row := range twin(rows, query) {
				wanted++
				if i < len(hits) && hits[i].Row == row {
					found++
				}
			}
		}
	}
	t.Row("a search into the caller's slice allocates nothing", fmt.Sprintf("%v allocations", allocated), allocated == 0)
	t.Row("recall@10 against float64 is 1: the same rows in the same order",
		fmt.Sprintf("%.4f (%d of %d)", float64(found)/float64(wanted), found, wanted), found == wanted)
}

// scaling notes what has no goal.
func scaling(t *figures.Table) {
	for _, n := range []int{100, 300, 1_000, 3_000, 10_000, 30_000, 100_000} {
		rows := clustered(n, 384)
		queries := queriesFor(rows, 16)
		x := index(rows)
		tenth := make([]uint64, (n+63)/64)
		for row := 0; row < n; row += 10 {
			tenth[row/64] |= 1 << (row % 64)
		}
		run := make([]uint64, n/10/64+1)
		for row := range n / 10 {
			run[row/64] |= 1 << (row % 64)
		}
		var found [][]vector.Hit
		hits := make([]vector.Hit, 0, k)
		allowed := func(set []uint64) func() {
			return func() {
				var err error
				hits, err = x.Search(hits, queries[0], k, set)
				check(err)
			}
		}
		res := race{11, []func(){
			ours(x, queries),
			memory(x),
			allowed(tenth),
			allowed(run),
			func() {
				var err error
				found, err = x.SearchBatch(found, queries, k, nil)
				check(err)
			},
		}}.run()
		one := res.typical(0)
		t.Note("%s x 384: %v, %.0f GB/s, %.2f times a load-only pass; every tenth row allowed %v, the first tenth %v; 16 queries in one batch %v each",
			thousands(n), short(one), float64(n)*384*4/float64(one.Nanoseconds()), res.typicalRatio(0, 1),
			short(res.typical(2)), short(res.typical(3)), short(res.typical(4)/time.Duration(len(queries))))
	}
	appending(t)
}

// appending notes what a version costs that has one more row.
func appending(t *figures.Table) {
	rows := clustered(5_000, 384)
	x := index(rows)
	y := x
	res := race{11, []func(){func() {
		if y.Len() > 6_000 {
			y = x.Keep(nil)
		}
		var err error
		y, err = y.Append(rows[0])
		check(err)
	}}}.run()
	t.Note("one more row in an index of 5,000 x 384: %v, with the copies that make room", short(res.typical(0)))
}

// fallback returns how many times as fast the search is as a search with vek's Dot, in a process that has no AVX2.
func fallback() float64 {
	rows := clustered(1_000, 384)
	queries := queriesFor(rows, 16)
	x := index(rows)
	slab, dim := slabOf(x), x.Dim()
	next := turns(queries)
	scores := make([]float32, x.Len())
	res := race{31, []func(){ours(x, queries), func() {
		query := next()
		for row := range scores {
			scores[row] = vek32.Dot(slab[row*dim:(row+1)*dim], query)
		}
	}}}.run()
	return res.ratio(1, 0)
}

// short rounds a time to three figures.
func short(d time.Duration) time.Duration {
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
