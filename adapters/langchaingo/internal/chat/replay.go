package chat

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/tmc/langchaingo/llms"
)

// Shape is the form in which a provider can read a round of tool calls.
type Shape int

const (
	// ShapeAuto is the shape of the model's provider, if it is one of langchaingo's own, else ShapeWhole.
	ShapeAuto Shape = iota
	// ShapeWhole is one message with the text and all calls, and one message per answer.
	ShapeWhole
	// ShapeSplit is one message per part. langchaingo's anthropic provider drops all parts but the first of a
	// message with calls; the service itself joins messages of one role.
	ShapeSplit
	// ShapeJoined is one message with the text and all calls, and one with all answers. Gemini refuses answers that
	// are spread over several messages.
	ShapeJoined
)

// ShapeOf returns the shape for a model. A model that wraps another one hides it.
func ShapeOf(model llms.Model) Shape {
	t := reflect.TypeOf(model)
	if t == nil {
		return ShapeWhole
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	const providers = "github.com/tmc/langchaingo/llms/"
	switch pkg, _ := strings.CutPrefix(t.PkgPath(), providers); {
	case pkg == "anthropic":
		return ShapeSplit
	case pkg == "googleai" || strings.HasPrefix(pkg, "googleai/"):
		return ShapeJoined
	}
	return ShapeWhole
}

// Apply returns messages in the given shape. It changes none of them.
func (s Shape) Apply(messages []llms.MessageContent) []llms.MessageContent {
	if s != ShapeSplit && s != ShapeJoined {
		return messages
	}
	out := make([]llms.MessageContent, 0, len(messages))
	for _, m := range messages {
		switch {
		case s == ShapeSplit && len(m.Parts) > 1 && (m.Role == llms.ChatMessageTypeAI || m.Role == llms.ChatMessageTypeTool):
			for _, p := range m.Parts {
				out = append(out, llms.MessageContent{Role: m.Role, Parts: []llms.ContentPart{p}})
			}
		case s == ShapeJoined && m.Role == llms.ChatMessageTypeTool && len(out) > 0 && out[len(out)-1].Role == llms.ChatMessageTypeTool:
			last := &out[len(out)-1]
			last.Parts = append(last.Parts[:len(last.Parts):len(last.Parts)], m.Parts...)
		default:
			out = append(out, m)
		}
	}
	return out
}

// maxName is the longest function name that the big providers accept.
const maxName = 64

// replayName makes a name that the model invented fit to be sent back. Providers refuse the whole request for one
// function name with a blank in it; names of real tools pass unchanged.
func replayName(name string) string {
	ok := func(r rune) bool {
		return r == '_' || r == '-' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	name = strings.Map(func(r rune) rune {
		if ok(r) {
			return r
		}
		return '_'
	}, name)
	if name == "" {
		return "unnamed"
	}
	return name[:min(len(name), maxName)]
}

// replayArguments makes arguments fit to be sent back. Providers decode them and fail the whole request for one call
// whose arguments were cut off; the answer to the call says what was wrong with them.
func replayArguments(args string) string {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(args), &object) != nil || object == nil {
		return "{}"
	}
	return args
}
