// Package graph knows how tools belong together: what was declared about them, and what was observed.
//
//   - graph.go: the declared edges, as an immutable [Graph].
//   - complete.go: [Graph.Complete] puts the tools that a chosen tool needs next to it.
//   - order.go: [Graph.Order] puts the tool that is called earlier first.
//   - observe.go, tenant.go: [Observations] counts, for each tenant, which tools were used in one session. Counts decay.
//   - couse.go: [Observations.CoUse] says which candidates are used together with the best ones.
//   - snapshot.go: observations as JSON, so that they survive a restart.
//   - pagerank.go: [PageRank] walks over all of it.
//
// Tools are known by their Refs. Nothing here looks at the words of a tool.
package graph
