package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
)

// A recipe is all that the training depends on besides its inputs.
type recipe struct {
	Name     string
	Seed     uint64
	Dim      int
	Buckets  int // rows for n-grams
	MinCount int // a word gets a row if it occurs that often,
	MaxRank  int // or occurs at all and is among that many most frequent ones

	Runs                      int // of the training, from the same start, whose results are averaged
	Batch                     int
	Siblings                  int     // tools of one server that come together
	ToolEpochs, MeaningEpochs float64 // how often each tool and each meaning is seen
	Rate, WeightRate          float64 // of learning, at the beginning; they fall to a tenth
	Temperature               float64 // of the softmax

	// Probabilities.
	DropRequest, DropTool float64 // that a word is left out
	Spoken                float64 // that a word is said as in phrases.go
	Synonyms              float64 // that a word is said by a synonym of WordNet
	Ngrams                float64 // that a word is seen as its n-grams only
	Apart                 float64 // that the part the request is made of is no part of the tool
	Chatter               float64 // that a request is wrapped in chatter
	About                 float64 // that a request is about the server as a whole
	Second                float64 // that a request is for another tool as well
}

// shipped is the recipe of the model in package static.
var shipped = recipe{
	Name: "mcpfleet-static-1", Seed: 2, Dim: 128, Buckets: 4096, MinCount: 5, MaxRank: 20000,
	Runs: 3, Batch: 512, Siblings: 3, ToolEpochs: 20, MeaningEpochs: 1.4, Rate: .5, WeightRate: .2, Temperature: .14,
	DropRequest: .15, DropTool: .15, Spoken: .3, Synonyms: .2, Ngrams: .05, Apart: .5, Chatter: .5, About: .2, Second: .2,
}

// Streams of random numbers: each part of the training has its own, so that a change to one does not change the others.
const (
	streamStart = iota + 1
	streamBatches
)

// runSeeds is how far the seeds of two runs are apart.
const runSeeds = 1000

// train trains a model. The same inputs give the same bits on every machine whose processor has AVX2 and FMA, with any
// number of processors: sums are taken in one order, and all chance comes from the seed.
func (r *recipe) train(ctx context.Context, tools []*tool, servers map[string]*server, wn *wordnet, glove string, log *slog.Logger) (*model, error) {
	c := newCorpus(r, tools, servers, wn)
	words, vectors, err := readGlove(glove, func(word string) bool {
		_, known := c.lex.ids[key(word)]
		return known
	})
	if err != nil {
		return nil, err
	}
	stems := c.lex.stems(words, vectors)
	c.lex.assign(r.Buckets, func(id int32) bool {
		s, ok := stems[c.lex.words[id]]
		return c.lex.count[id] >= r.MinCount || c.lex.count[id] > 0 && ok && s.rank < r.MaxRank
	})
	var mean *model
	for k := range r.Runs {
		m := newModel(c.lex, r.Dim, rand.New(rand.NewPCG(r.Seed, streamStart)))
		m.start(stems)
		if err := r.learn(ctx, m, c, k, log); err != nil {
			return nil, err
		}
		if mean == nil {
			mean = m.folded(1 / float32(r.Runs))
		} else {
			mean.add(m.folded(1 / float32(r.Runs)))
		}
	}
	return mean, nil
}

// learn is one run of the training. Runs differ in the order in which things are seen, and so in what they know by chance:
// their mean, of which that is a smaller part, is better than each (Wortsman et al., "Model soups", 2022).
func (r *recipe) learn(ctx context.Context, m *model, c *corpus, run int, log *slog.Logger) error {
	toolSteps, meaningSteps := c.steps()
	steps := toolSteps + meaningSteps
	log.Info("training", "run", run+1, "tools", len(c.definitions), "meanings", len(c.meanings), "words", len(c.lex.vocab), "steps", steps)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan *batch, 8)
	go func() { // making batches takes about as long as learning from them
		defer close(queue)
		for b := range c.batches(rand.New(rand.NewPCG(r.Seed+runSeeds*uint64(run), streamBatches))) {
			select {
			case queue <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	t := newTrainer(m, r)
	var loss float64
	done := 0
	for b := range queue {
		loss += t.step(b, 1-.9*float32(done)/float32(steps))
		if done++; done%100 == 0 {
			log.Info("trained", "steps", done, "loss", loss/100)
			loss = 0
		}
	}
	return ctx.Err()
}
