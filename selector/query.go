package selector

// A Query asks for tools. Text or Steps is required; every other zero value selects the default its field names.
type Query struct {
	// Text is a request in the user's or the model's words; at most 100,000 bytes.
	Text string
	// Steps are short queries, one for each thing to be done, such as "find the customer" and "send an e-mail"; at most 64,
	// and at most 100,000 bytes together.
	// A tool is as good as it is for the step it fits best, and the best tool of each step is chosen before the second of any.
	// Steps find far more than one long Text; with both, Text is one more step.
	Steps []string

	// MaxTools bounds the tools. The default is 10; at most 1,000.
	MaxTools int
	// TokenBudget bounds what the tools cost together, in tokens of [Options.Counter]. The default is no bound.
	TokenBudget int
	// MinScore is the least [Selected.Score] of a tool that is neither pinned nor needed by another one, from 0 to 1. The
	// default is 0.
	MinScore float64
	// Servers, Categories and Labels leave only tools of one of these servers, of one of these categories, and with one of
	// these labels. There are as many results as without them if that many tools are left.
	Servers, Categories, Labels []string
	// Pinned are the Refs of tools that are always chosen, before all others. They count towards MaxTools and TokenBudget.
	Pinned []string
	// PerServer and PerCategory are how many tools of a server or category are chosen at least, as long as there is room and
	// there are that many that reach MinScore. Each has at most 1,000 entries.
	PerServer, PerCategory map[string]int
	// Within leaves only the tools of a subset, and makes the result what it would be if the others did not exist.
	Within *Subset

	// Tenant is whose observations count, see [Selector.Observe].
	Tenant string
	// Whole forbids compaction: a tool whose schema does not fit the budget is left out.
	Whole bool
	// Explain fills [Selected.Parts].
	Explain bool
}

// A Selection is the answer to a [Query].
type Selection struct {
	// Tools are the tools: pinned ones, then by score, each followed by what it needs; a tool that was declared to precede
	// another one stands before it.
	Tools []Selected
	// Tokens is what they cost together.
	Tokens int
	// Of and OfTokens count the tools that there were to choose from, and what they cost.
	Of, OfTokens int
	// Missing are the Refs of tools that should be here and are not: pinned ones that there are not, and pinned or needed ones
	// that did not fit.
	Missing []string
	// Unmatched are words of the query that occur in no tool, as they were written.
	Unmatched []string
	// Degraded says why vectors were not used, if the embedder failed, now or when tools were added. Now, all tools are ranked by
	// their words alone, for all steps; then, those tools are.
	Degraded error
}

// A Selected is one tool of a [Selection].
type Selected struct {
	// Document is the tool. It must not be changed.
	Document *Document
	// Score estimates how well the tool fits, from 0 to 1.
	Score float64
	// Tokens is what the tool costs as it was chosen.
	Tokens int
	// Reason says why it was chosen.
	Reason Reason
	// Step is the step it fits best, as an index of [Query.Steps]; -1 is Text.
	Step int
	// Compact is the tool with a smaller description and schema, if only that fitted the budget; else nil.
	Compact *Compact
	// Parts are the parts of the score, with [Query.Explain].
	Parts *Parts
}

// A Compact is a tool made smaller. What it describes can still be called: no parameter, type or bound is lost.
type Compact struct {
	Description string
	Schema      map[string]any
	// Lost says what was left out, such as "12 of 40 values of enum at /properties/country".
	Lost []string
}

// A Reason says why a tool was chosen.
type Reason string

const (
	Ranked      Reason = "ranked"      // its score
	Pinned      Reason = "pinned"      // [Query.Pinned]
	Needed      Reason = "needed"      // a better tool depends on it
	Represented Reason = "represented" // [Query.PerServer] or [Query.PerCategory]
)

// Parts are what a score is made of. All but Score are in standard deviations of that part over all tools.
type Parts struct {
	Lexical    float64 // BM25F; less if no tool has more than a few of the words
	Characters float64 // n-grams of characters
	Vector     float64 // cosine of the embeddings
	Sentence   float64 // the best single sentence
	Server     float64 // the best tool of the same server
	Intent     float64 // whether it reads, creates, changes or deletes, as the query asks
	Graph      float64 // observed use
}
