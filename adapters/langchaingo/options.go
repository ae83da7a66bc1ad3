package langchaingo

import (
	"context"
	"time"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// Options changes how tools are shown to a model and called for it. nil selects all defaults; the struct is copied.
type Options struct {
	// Timeout bounds each call. The default is the group's own bound, [mcpgroup.ServerConfig.CallTimeout].
	Timeout time.Duration
	// MaxObservationBytes bounds what a model gets to read of one answer: its head and its tail are kept, with a note of
	// what was left out. The default is 64 KiB; negative means no bound.
	MaxObservationBytes int
	// MaxDescriptionBytes bounds the description of one tool. The default is 1024, which is what OpenAI's models
	// accept (they refuse the whole request for one longer description); negative means no bound.
	MaxDescriptionBytes int
	// Schema is the form in which [LLMTools] gives input schemas. The default is [SchemaFull].
	Schema SchemaMode

	// OnLoss is called by [LLMTools] for each tool of which a model will see less than the server says: a schema that
	// could not be told in full, a description that was cut. Each loss names the place and what happened to it.
	OnLoss func(tool *mcpgroup.Tool, losses []string)
	// OnResult is called after each call with what the tool returned, before it is turned into text: for logs, and for
	// images and structured content that a text cannot carry. Exactly one of result and err is nil. It may be called
	// concurrently and must not panic.
	OnResult func(ctx context.Context, tool *mcpgroup.Tool, result *mcpgroup.Result, err error)
	// ErrorText replaces the text that tells a model about a failed call, for example for the errors of a middleware,
	// of which the model otherwise only learns that the call was refused. Empty selects the default text. The text
	// must not hold a secret: it leaves the process.
	ErrorText func(ctx context.Context, tool *mcpgroup.Tool, err error) string
}

const (
	defaultObservation = 64 << 10
	defaultDescription = 1024
)

func (o *Options) resolved() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.MaxObservationBytes == 0 {
		r.MaxObservationBytes = defaultObservation
	}
	if r.MaxDescriptionBytes == 0 {
		r.MaxDescriptionBytes = defaultDescription
	}
	return r
}
