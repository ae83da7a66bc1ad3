package selector

import (
	"math"

	"github.com/mcpfleet/mcpfleet/selector/internal/rank"
)

// Weights are how much the parts of a score count, next to the words, which count 1. Parts are standard scores: how many
// standard deviations a tool is above the mean of all tools. A weight of 0 leaves its part out.
type Weights struct {
	Characters float64 // n-grams of characters, for words with mistakes and words that no tool has
	Vector     float64 // cosine of the embeddings
	Sentence   float64 // the best single sentence of the query
	Server     float64 // the other tools of the same server
	Intent     float64 // whether the tool reads, creates, changes or deletes, as the query asks
	CoUse      float64 // tools that were used together with the best ones, see [Selector.Observe]
	Walk       float64 // a random walk over tools of the same server, declared edges, and tools that were used together
}

// DefaultWeights returns the weights that were measured to be best. That of Walk is 0: it costs as much as all the rest, and
// brought less than CoUse.
func DefaultWeights() Weights {
	d := rank.DefaultWeights()
	return Weights{
		Characters: float64(d.Characters),
		Vector:     float64(d.Vector),
		Sentence:   float64(d.Sentence),
		Server:     float64(d.Server),
		Intent:     float64(d.Intent),
		CoUse:      2,
	}
}

// fusion returns those of the parts that all rows have.
func (w *Weights) fusion() *rank.Weights {
	return &rank.Weights{
		Characters: float32(w.Characters),
		Vector:     float32(w.Vector),
		Sentence:   float32(w.Sentence),
		Server:     float32(w.Server),
		Intent:     float32(w.Intent),
	}
}

func (w *Weights) validate() error {
	for _, part := range []struct {
		name   string
		weight float64
	}{
		{"Characters", w.Characters}, {"Vector", w.Vector}, {"Sentence", w.Sentence}, {"Server", w.Server},
		{"Intent", w.Intent}, {"CoUse", w.CoUse}, {"Walk", w.Walk},
	} {
		if math.IsNaN(part.weight) || part.weight < 0 || part.weight > 1000 {
			return invalid("Options.Weights."+part.name, "is %v; it must be between 0 and 1000", part.weight)
		}
	}
	return nil
}
