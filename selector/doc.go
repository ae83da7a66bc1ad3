// Package selector finds, among thousands of tools, the few that fit a request and a token budget.
//
// A [Selector] holds documents, one for each tool, in memory. [Selector.Select] ranks them by their words (BM25F over
// several fields, and n-grams of characters for words with mistakes), by vectors of an [Embedder], and by what is known of
// their servers; completes them with the tools that they depend on; and chooses the best that fit a number of tools and a
// number of tokens. The default embedder is part of the package: nothing is downloaded and no service is asked.
//
//	sel, err := selector.New(nil)
//	_, err = sel.Add(ctx, docs...)
//	found, err := sel.Select(ctx, selector.Query{Steps: []string{"find the customer", "send an e-mail"}, TokenBudget: 2000})
//
// The package knows nothing of MCP; mcpgroup.Registry.Select brings the tools of a registry, with each user's view of them.
package selector
