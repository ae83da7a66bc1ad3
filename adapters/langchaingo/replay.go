package langchaingo

import (
	"fmt"

	"github.com/tmc/langchaingo/llms"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo/internal/chat"
)

// Replay is the form in which rounds of tool calls are sent back to a model. What one of langchaingo's providers needs,
// another one refuses. Transcripts always have the form of ReplayWhole; only what is sent differs.
type Replay int

const (
	// ReplayAuto is what the model's provider needs if the model is one of langchaingo's own, else ReplayWhole. It
	// cannot look into a model that wraps another one: choose for it.
	ReplayAuto = Replay(chat.ShapeAuto)
	// ReplayWhole is one message with the model's text and all its calls, then one message per answer: openai, mistral,
	// bedrock and most others.
	ReplayWhole = Replay(chat.ShapeWhole)
	// ReplaySplit is one message per part: anthropic, which sends the first part of a message and drops the others.
	ReplaySplit = Replay(chat.ShapeSplit)
	// ReplayJoined is one message with all calls and one with all answers: googleai and vertex.
	ReplayJoined = Replay(chat.ShapeJoined)
)

// Messages returns messages in the form r, chosen for model if r is [ReplayAuto]. It changes none of them.
func (r Replay) Messages(model llms.Model, messages []llms.MessageContent) []llms.MessageContent {
	shape := chat.Shape(r)
	switch r {
	case ReplayAuto:
		shape = chat.ShapeOf(model)
	case ReplayWhole, ReplaySplit, ReplayJoined:
	default:
		panic(fmt.Sprintf("langchaingo: unknown Replay %d", int(r)))
	}
	return shape.Apply(messages)
}
