package selector

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"slices"

	"github.com/mcpfleet/mcpfleet/selector/internal/lexical"
	"github.com/mcpfleet/mcpfleet/selector/internal/rank"
)

// A writer is what only whoever writes needs to know.
type writer struct {
	rows    map[string]int              // of live documents, by ID
	dead    int                         // the size of documents that are gone, and whose rows are still there
	size    int                         // that of all
	servers map[string]int32            // the numbers of servers
	vectors map[[sha256.Size]byte]int32 // rows of snapshot.vectors or noVector, by the sum of the text, once it was embedded
	waiting map[string]*entry           // documents whose vectors could not be made, by ID
}

func newWriter() writer {
	return writer{
		rows:    map[string]int{},
		servers: map[string]int32{},
		vectors: map[[sha256.Size]byte]int32{},
		waiting: map[string]*entry{},
	}
}

// Rows of documents that are gone are left where they are, as long as they are few or less than a quarter of all, and of
// their bytes.
const (
	minDead      = 256
	minDeadBytes = 8 << 20
)

// crowded reports whether too much of a version is documents that are gone.
func (w *writer) crowded(sn *snapshot) bool {
	rows := len(sn.entries)
	dead := rows - len(w.rows)
	return dead > minDead && dead > rows/4 || w.dead > minDeadBytes && w.dead > w.size/4
}

// apply makes and publishes the next version of the catalogue: entries are added, in place of those with their IDs, and
// the documents with the IDs in gone are removed. It is called by whoever writes.
func (s *Selector) apply(ctx context.Context, entries []*entry, gone []string) (Changes, error) {
	old := s.current.Load()
	changes := Changes{Removed: len(gone)}
	entries = slices.DeleteFunc(entries, func(e *entry) bool {
		row, there := s.w.rows[e.doc.ID]
		switch {
		case !there:
			changes.Added++
		case old.entries[row].sum == e.sum:
			changes.Unchanged++
			return true
		default:
			changes.Updated++
		}
		return false
	})
	// From here on nothing fails: what is missing is left waiting.
	vectors, recovered, err := s.vectorize(ctx, old, entries, gone, &changes)
	if err != nil {
		return Changes{}, err
	}
	if len(entries)+len(gone)+len(recovered) == 0 {
		return changes, nil
	}

	next := old.next()
	next.vectors = vectors
	leave := func(row int) {
		drop(next.live, row)
		s.w.dead += next.entries[row].size
	}
	for _, id := range gone {
		leave(s.w.rows[id])
		delete(s.w.rows, id)
	}
	if len(recovered) > 0 {
		next.vrows = slices.Clone(next.vrows)
	}
	for _, e := range recovered {
		next.vrows[s.w.rows[e.doc.ID]] = s.w.vrow(e)
	}
	for _, e := range entries {
		if row, there := s.w.rows[e.doc.ID]; there {
			leave(row)
		}
	}
	s.append(next, entries)
	if s.w.crowded(next) {
		next = s.rebuild(next)
	}
	next.bare = nil
	for id := range s.w.waiting {
		next.bare = add(next.bare, s.w.rows[id])
	}
	next.finish()
	s.current.Store(next)
	return changes, nil
}

// append adds rows to a version that is not published yet.
func (s *Selector) append(sn *snapshot, entries []*entry) {
	docs := make([]lexical.Document, len(entries))
	for i, e := range entries {
		docs[i] = words(&e.doc)
	}
	sn.lexical = sn.lexical.Append(docs...)
	s.number(sn, entries)
}

// number adds what is known of rows but their words.
func (s *Selector) number(sn *snapshot, entries []*entry) {
	for _, e := range entries {
		number, there := s.w.servers[e.doc.Server]
		if !there {
			number = int32(len(s.w.servers))
			s.w.servers[e.doc.Server] = number
			sn.serverNames = append(sn.serverNames, e.doc.Server)
		}
		row := len(sn.entries)
		s.w.rows[e.doc.ID] = row
		s.w.size += e.size
		sn.entries = append(sn.entries, e)
		sn.servers = append(sn.servers, number)
		sn.intents = append(sn.intents, rank.IntentOf(e.doc.Name))
		sn.vrows = append(sn.vrows, s.w.vrow(e))
		sn.live = add(sn.live, row)
	}
}

// rebuild lays a catalogue out anew, without the documents that are gone. The others stay in their order: sums are rounded as
// they are added up, and what somebody sees must not change in its last bit because documents that they do not see came and
// went.
func (s *Selector) rebuild(old *snapshot) *snapshot {
	entries := make([]*entry, 0, len(s.w.rows))
	used := make([]uint64, len(old.live))
	each(old.live, func(row int) {
		entries = append(entries, old.entries[row])
		if v := old.vrows[row]; v != noVector {
			used = add(used, int(v))
		}
	})
	w := newWriter()
	w.waiting = s.w.waiting
	next := newSnapshot(old.declared, old.weights)
	if old.vectors != nil {
		next.vectors = old.vectors.Keep(used)
	}
	to := ranks(used)
	for _, e := range entries {
		switch v, known := s.w.vectors[e.textSum]; {
		case !known:
		case v == noVector:
			w.vectors[e.textSum] = noVector // the embedder need not say again that it knows no word of it
		default:
			w.vectors[e.textSum] = to(int(v))
		}
	}
	s.w = w
	next.lexical = old.lexical.Keep(old.live)
	s.number(next, entries)
	return next
}

func (s *Selector) warn(what string, err error) {
	if s.opts.Logger != nil {
		s.opts.Logger.Warn("selector: "+what, slog.Any("error", err))
	}
}
