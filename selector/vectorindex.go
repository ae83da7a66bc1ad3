package selector

import "context"

// A VectorIndex finds tools by meaning. Without one the selector keeps all vectors in memory and compares every one of them,
// which is exact and the fastest there is up to about 100,000 tools. An index of its own pays when the vectors outgrow memory,
// or are to be shared by machines.
//
// Its methods are safe for concurrent use and return soon after ctx is done.
type VectorIndex interface {
	// Upsert makes the items findable, each in place of the item that had its ID before. An item that is there already with
	// the same text costs little: the selector upserts its whole catalogue when it starts. With an error, some of the items
	// may be findable and the others are as they were before; Upsert may be called again with all of them.
	Upsert(ctx context.Context, items []VectorItem) error

	// Delete makes the items with these IDs unfindable from the moment it returns, with an error too. IDs that are unknown are ignored.
	Delete(ctx context.Context, ids []string) error

	// Search returns the items nearest to query, nearest first: at most k of them, and only such as keep accepts. A nil keep
	// accepts all. An item that keep refuses does not take the place of one that it accepts: there are k results as long as the
	// index can find so many, and what they are does not depend on the refused ones. keep is quick, and is called from one
	// goroutine at a time. k below 1 finds nothing.
	Search(ctx context.Context, query string, k int, keep func(id string) bool) ([]Neighbour, error)
}

// A VectorItem is what a [VectorIndex] holds of a tool.
type VectorItem struct {
	ID   string // [Document.ID]
	Text string // what its vector is made of; not empty
}

// A Neighbour is an item near a query.
type Neighbour struct {
	ID string
	// Score grows with likeness. It is the cosine of the two vectors, from -1 to 1, unless the index says otherwise; results
	// of one search can be compared, those of two indexes can not.
	Score float32
}
