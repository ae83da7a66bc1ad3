package embedding

import "sync/atomic"

// Stats count what a [Client] has done since it was made.
type Stats struct {
	Requests uint64 // sent to the embedder, repetitions included
	Retries  uint64 // of Requests, the repetitions
	Failures uint64 // of Requests, those that ended with an error, a panic, a timeout or the wrong number of vectors
	Texts    uint64 // sent in Requests
	Hits     uint64 // different texts of a call whose vector was in Dir or in memory
	Shared   uint64 // different texts of a call that another call had under way
	Refused  uint64 // requests that were not sent, with a CooldownError
	Rejected uint64 // vectors that failed a check
}

type counters struct {
	requests, retries, failures, texts, hits, shared, refused, rejected atomic.Uint64
}

// Stats returns the counts. They are read one after the other: while requests run, one may be ahead of another.
func (c *Client) Stats() Stats {
	s := &c.stats
	return Stats{
		Requests: s.requests.Load(), Retries: s.retries.Load(), Failures: s.failures.Load(), Texts: s.texts.Load(),
		Hits: s.hits.Load(), Shared: s.shared.Load(), Refused: s.refused.Load(), Rejected: s.rejected.Load(),
	}
}
