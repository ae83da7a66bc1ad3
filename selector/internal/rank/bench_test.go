package rank

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// BenchmarkScore scores 5,000 tools and says how many times as long that takes as the look-ups in the lexical index alone,
// which is the work that cannot be saved. Cosines are not part of it.
func BenchmarkScore(b *testing.B) {
	tools := manyTools(5000)
	x := newIndex(tools)
	sc := x.Scope(nil)
	dst := make([]float32, len(tools))
	for _, c := range []struct{ name, request string }{
		{"step", "get " + strings.Join(strings.Fields(tools[7].description)[:6], " ")},
		{"request", strings.Join(strings.Fields(tools[77].description)[:12], " ") + ". Also " + tools[770].name + "?"},
		{"long", strings.Join([]string{tools[1].description, tools[2].description, tools[3].description, tools[4].description, tools[5].description}, ". ")},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Score(dst, sc, c.request, nil, nil)
			}
			whole := b.Elapsed()
			var q query
			q.analyse(c.request)
			start := time.Now()
			for range b.N {
				x.Lexical.BM25F(dst, q.terms, nil, sc.Stats)
				x.Lexical.Grams(dst, q.terms, nil, sc.Stats)
			}
			b.ReportMetric(float64(whole)/float64(time.Since(start)), "x-lexical")
		})
	}
}

// manyTools are tools whose words are as rare as those of real ones: a few are in many tools, most are in few.
func manyTools(n int) []tool {
	rng := rand.New(rand.NewPCG(9, 10))
	syllables := strings.Fields("ba co du fe gi ka lo mu ne pi ra so tu ve wi za")
	zipf := rand.NewZipf(rng, 1.2, 8, 5000)
	some := func(n int) string {
		var b strings.Builder
		for range n {
			for w := zipf.Uint64() + 16; w > 0; w /= 16 {
				b.WriteString(syllables[w%16])
			}
			b.WriteByte(' ')
		}
		return b.String()
	}
	tools := make([]tool, n)
	for i := range tools {
		tools[i] = tool{fmt.Sprint("server", i/40), "get " + some(2), some(15 + rng.IntN(60))}
	}
	return tools
}

func TestScoringARequestInLowerCaseDoesNotAllocate(t *testing.T) {
	tools := manyTools(500)
	x := newIndex(tools)
	sc := x.Scope(nil)
	dst := make([]float32, len(tools))
	// Two words of a request may share a place in the cache of stems, which is then of no use to them. Not so in all requests.
	least := math.Inf(1)
	for _, tool := range tools[7:17] {
		least = min(least, testing.AllocsPerRun(50, func() { x.Score(dst, sc, tool.description, nil, nil) }))
	}
	if least > 0 && !raceEnabled {
		t.Errorf("Score allocates %v times, want 0", least)
	}
}
