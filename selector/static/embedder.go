// Package static turns texts into vectors without a network, a model server or a GPU: it adds up the learned vectors of
// their words. A request takes microseconds. The vectors are trained on what tools of MCP servers say of themselves and on
// the explanations of a dictionary; PROVENANCE.md says how.
//
// It knows English. For other languages, or for the last bit of quality, use a neural model behind package
// selector/embedding.
package static

import (
	"cmp"
	"context"
	_ "embed"
	"math"
	"slices"
	"sync"

	"github.com/mcpfleet/mcpfleet/internal/text"
)

//go:embed model.bin
var embedded []byte

var loadDefault = sync.OnceValue(func() *Embedder {
	e, err := New(embedded)
	if err != nil {
		panic(err) // the model is part of the program, and a test loads it
	}
	return e
})

// Default returns the embedded model. The first call decodes it, which takes some milliseconds; all calls return the same.
func Default() *Embedder { return loadDefault() }

// An Embedder is a model. It never changes: all methods may be called from many goroutines at once, and return the same
// for the same text, within the rounding of the machine.
type Embedder struct {
	name    string
	dim     int
	known   int // words, which have the rows below; buckets have the rows from there on
	buckets uint32
	words   map[string]int32
	scales  []float32
	vectors []byte // int8, rows of dim
	scratch sync.Pool
}

// A scratch is the memory of one call.
type scratch struct {
	words []text.Word
	terms []Term
	grams []uint32
	hits  []hit
}

// A hit is an occurrence of a row. The n-grams of an unknown word share the count of a known one.
type hit struct {
	row   uint32
	count float32
}

// Dim returns the number of numbers of a vector.
func (e *Embedder) Dim() int { return e.dim }

// Model returns the model's name and the beginning of its checksum, such as "mcpfleet-static-1@0123456789abcdef". Vectors
// of models with the same name can be compared, and kept in one cache.
func (e *Embedder) Model() string { return e.name }

// Embed appends the vector of a request to dst, which is [Embedder.Dim] numbers, and returns it. The vector has length 1. It
// is all zeros if the model knows nothing of s, such as an empty text or numbers alone: then s has no vector, and is like
// nothing.
//
// Embed does not allocate if dst has room, s is lower-case ASCII and its words have been met lately.
func (e *Embedder) Embed(dst []float32, s string) []float32 { return e.appendVector(dst, s, false) }

// EmbedDocument is [Embedder.Embed] for a document, which begins with what matters most: the first word counts twice as
// much as the eleventh and eleven times as much as the hundred and first. Of a tool that is its server, its name and what it
// does.
func (e *Embedder) EmbedDocument(dst []float32, s string) []float32 {
	return e.appendVector(dst, s, true)
}

// DocumentWeight is how much the word at a place counts in a document, from 1 for the first, at place 0, downwards. It is
// for programs that train models.
func DocumentWeight(place int) float32 { return 10 / (10 + float32(place)) }

func (e *Embedder) appendVector(dst []float32, s string, document bool) []float32 {
	from := len(dst)
	dst = append(slices.Grow(dst, e.dim), make([]float32, e.dim)...)
	e.embed(dst[from:], s, document)
	return dst
}

func (e *Embedder) embed(v []float32, s string, document bool) {
	m := e.scratch.Get().(*scratch)
	defer e.scratch.Put(m)
	m.terms, m.words = appendTerms(m.terms[:0], m.words, s)
	m.hits = m.hits[:0]
	for place, t := range m.terms {
		count := float32(1)
		if document {
			count = DocumentWeight(place)
		}
		if row, ok := e.words[t.Key]; ok {
			m.hits = append(m.hits, hit{uint32(row), count})
		} else if t.Open && e.buckets > 0 {
			m.grams = e.grams(m.grams[:0], t.Key)
			count /= float32(len(m.grams))
			for _, row := range m.grams {
				m.hits = append(m.hits, hit{row, count})
			}
		}
	}
	// What the pool keeps must not keep texts alive.
	clear(m.terms)
	clear(m.words)
	// By count too, so that equal texts are always added up in the same order.
	slices.SortFunc(m.hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.count, b.count))
	})
	for i := 0; i < len(m.hits); {
		row, count := m.hits[i].row, float32(0)
		for ; i < len(m.hits) && m.hits[i].row == row; i++ {
			count += m.hits[i].count
		}
		if count > 1 {
			count = 1 + float32(math.Log(float64(count)))
		}
		e.add(v, row, count)
	}
	var square float64
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	if square < 1e-20 {
		clear(v)
		return
	}
	inverse := float32(1 / math.Sqrt(square))
	for i := range v {
		v[i] *= inverse
	}
}

// add adds weight times a row to v.
func (e *Embedder) add(v []float32, row uint32, weight float32) {
	r := e.vectors[int(row)*e.dim:][:len(v)]
	weight *= e.scales[row]
	for i := range v {
		v[i] += weight * float32(int8(r[i]))
	}
}

// EmbedQuery returns the vector of a request, as [Embedder.Embed] makes it. The error is that of ctx.
func (e *Embedder) EmbedQuery(ctx context.Context, s string) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return e.Embed(nil, s), nil
}

// EmbedDocuments returns the vectors of documents, in their order, as [Embedder.EmbedDocument] makes them. The error is that
// of ctx.
func (e *Embedder) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	slab := make([]float32, 0, len(texts)*e.dim)
	out := make([][]float32, len(texts))
	for i, s := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		slab = e.EmbedDocument(slab, s)
		out[i] = slab[i*e.dim : (i+1)*e.dim : (i+1)*e.dim]
	}
	return out, nil
}
