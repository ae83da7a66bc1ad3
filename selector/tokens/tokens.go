// Package tokens estimates what a tool costs a language model to read, and makes tools cheaper.
//
// [Function] is the text that a provider is sent for a tool, and what is counted. [Estimate] counts without a vocabulary,
// within a few percent for tools; the nested module selector/o200k counts exactly. [Compact] shortens a tool without making
// it impossible to call.
package tokens

// A Counter counts the tokens of a text. It must be safe for concurrent use, and return the same for the same text.
type Counter interface {
	Count(text string) int
}
