package embedding

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// A Client asks an [Embedder] with care. It is an Embedder itself. Make one with [New]; its methods are safe for concurrent use.
type Client struct {
	embedder Embedder
	cfg      Config
	slots    map[kind]*slots // queries do not wait for documents
	circuit  circuit
	dir      *directory   // nil = none
	dims     atomic.Int64 // 0 = not known yet
	stats    counters

	// mu guards what follows and the waiters of jobs. Nothing that can block runs while it is held.
	mu      sync.Mutex
	closed  bool
	flights map[key]flight
	jobs    map[*job]struct{}
	recent  *recent
}

// New returns a client of e. cfg may be nil. The error is about cfg, or about its Dir, which must be a directory that can be
// read. New panics if e is nil.
func New(e Embedder, cfg *Config) (*Client, error) {
	if e == nil {
		panic("embedding: New with a nil Embedder")
	}
	if cfg == nil {
		cfg = &Config{}
	}
	full, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{
		embedder: e,
		cfg:      full,
		slots:    map[kind]*slots{document: newSlots(full.Concurrency), query: newSlots(full.Concurrency)},
		circuit:  circuit{rest: full.Cooldown},
		flights:  make(map[key]flight),
		jobs:     make(map[*job]struct{}),
		recent:   newRecent(full.QueryCache),
	}
	c.dims.Store(int64(full.Dimensions))
	if full.Dir != "" {
		if c.dir, err = openDirectory(full.Dir, full.MaxDirBytes, full.Logger); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Close ends the requests under way and closes the files of [Config.Dir]. All that follows is [ErrClosed]. A client without
// Dir need not be closed.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	for j := range c.jobs {
		j.cancel(ErrClosed)
	}
	c.mu.Unlock()
	if c.dir != nil {
		return c.dir.close()
	}
	return nil
}

// Dimensions returns how long the vectors are: [Config.Dimensions], or the length of the first one, or 0 before that.
func (c *Client) Dimensions() int { return int(c.dims.Load()) }

// check returns why v is of no use, or nil. The first vector that is of use decides how long all have to be.
func (c *Client) check(v []float32) *Error {
	if n := len(v); c.dims.Load() == 0 && n <= maxDimensions {
		if fault := check(v, n); fault != nil {
			return fault
		}
		c.dims.CompareAndSwap(0, int64(n))
	}
	return check(v, c.Dimensions())
}

// EmbedDocuments returns the vectors of texts, one for each, in their order. The caller may change them.
//
// If a text has no vector, its place is nil and the error is the [*Error] of the first such text; the other vectors are
// returned all the same, and are kept in [Config.Dir] if there is one, so that a repetition costs only what is missing. With
// the error of ctx or [ErrClosed] there may be no vectors at all. A request that several callers wait for has the values of
// the context of the first, and goes on until none of them waits.
func (c *Client) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	return c.embed(ctx, document, texts)
}

// EmbedQuery returns the vector of a text to search with, within [Config.QueryTimeout]. The caller may change it. The last
// [Config.QueryCache] vectors are kept in memory. The error is an [*Error], that of ctx, or [ErrClosed].
func (c *Client) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	vectors, err := c.embed(ctx, query, []string{text})
	if err != nil {
		return nil, err
	}
	return vectors[0], nil
}

func (c *Client) embed(ctx context.Context, k kind, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a := c.newAnswer(k, texts)
	if k == document && c.dir != nil {
		c.fromDirectory(a)
	}
	flights, jobs, err := c.join(ctx, a)
	if err != nil {
		return nil, err
	}
	for i, j := range jobs {
		select {
		case <-j.done:
			c.leave(j)
		case <-ctx.Done():
			for _, j := range jobs[i:] {
				c.leave(j)
			}
			return nil, ctx.Err()
		}
	}
	for key, f := range flights {
		if v := f.job.vectors[f.i]; v != nil {
			a.set(key, v)
		} else {
			a.fail(key, f.job.errs[f.i])
		}
	}
	if a.err != nil && errors.Is(a.err.err, ErrClosed) {
		return a.vectors, ErrClosed
	} else if a.err != nil {
		return a.vectors, a.err
	}
	return a.vectors, nil
}

// An answer is what one caller gets.
type answer struct {
	kind    kind
	vectors [][]float32
	places  map[key][]int // of the texts without a vector, so far
	order   []key         // of places, each once
	texts   []string      // of order, as they are sent
	err     *Error        // that of the least Index
}

func (c *Client) newAnswer(k kind, texts []string) *answer {
	a := &answer{kind: k, vectors: make([][]float32, len(texts)), places: make(map[key][]int, len(texts))}
	for i, text := range texts {
		if blank(text) {
			a.failAt(i, &Error{Reason: Empty, detail: "the text is empty"})
			continue
		}
		text = cut(text, c.cfg.MaxTextBytes)
		key := keyOf(k, c.cfg.Model, c.cfg.Dimensions, text)
		if a.places[key] == nil {
			a.order = append(a.order, key)
			a.texts = append(a.texts, text)
		}
		a.places[key] = append(a.places[key], i)
	}
	return a
}

func (a *answer) set(k key, v []float32) {
	for _, i := range a.places[k] {
		a.vectors[i] = slices.Clone(v) // others have the same vector
	}
	delete(a.places, k)
}

func (a *answer) fail(k key, err *Error) { a.failAt(a.places[k][0], err) }

func (a *answer) failAt(i int, err *Error) {
	if a.err == nil || i < a.err.Index {
		e := *err // texts that failed together share it
		e.Index = i
		a.err = &e
	}
}

// fromDirectory fills in what is in files.
func (c *Client) fromDirectory(a *answer) {
	c.dir.get(a.order, func(k key, v []float32) {
		// What the embedder once answered is held to the same rules: a Dir may outlive the model behind a name.
		if c.check(v) == nil {
			c.stats.hits.Add(1)
			a.set(k, v)
		}
	})
}

// join finds or starts a job for each text that a still lacks. The caller leaves each of jobs once.
func (c *Client) join(ctx context.Context, a *answer) (flights map[key]flight, jobs []*job, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, ErrClosed
	}
	flights = make(map[key]flight, len(a.places))
	joined := make(map[*job]bool)
	var keys []key
	var texts []string
	for i, key := range a.order {
		if a.places[key] == nil {
			continue
		}
		if a.kind == query {
			if v, ok := c.recent.get(key); ok {
				c.stats.hits.Add(1)
				a.set(key, v)
				continue
			}
		}
		if f, ok := c.flights[key]; ok {
			c.stats.shared.Add(1)
			flights[key] = f
			joined[f.job] = true
			continue
		}
		keys, texts = append(keys, key), append(texts, a.texts[i])
	}
	start := 0
	for _, end := range batches(texts, c.cfg.BatchSize, c.cfg.MaxBatchBytes) {
		j := c.newJob(ctx, a.kind, keys[start:end], texts[start:end])
		for i := start; i < end; i++ {
			flights[keys[i]] = flight{j, i - start}
		}
		joined[j] = true
		start = end
		go c.run(j)
	}
	for j := range joined {
		j.waiters++
		jobs = append(jobs, j)
	}
	return flights, jobs, nil
}
