// Package chat turns what a model answers into tool calls, and tool calls and their answers back into messages, in the
// form that the model's provider can read.
package chat

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tmc/langchaingo/llms"
)

// ErrNoAnswer is returned for a response without a choice.
var ErrNoAnswer = errors.New("langchaingo: the model's response holds no choice; check the provider's error and its safety settings")

// Read returns the text of a response and the tool calls it asks for. It takes all choices as parts of one answer, as
// langchaingo's anthropic provider returns one choice per content block; it is for requests of a single answer (see
// [OneAnswer]).
//
// Every call has a function, a type and an id of its own: some providers leave them out, and every provider needs them
// when the call is sent back. step goes into the ids that Read makes up and tells the rounds of one conversation apart.
func Read(resp *llms.ContentResponse, step int) (text string, calls []llms.ToolCall, err error) {
	if resp == nil {
		return "", nil, ErrNoAnswer
	}
	var texts []string
	choices := 0
	for _, c := range resp.Choices {
		if c == nil {
			continue
		}
		choices++
		if strings.TrimSpace(c.Content) != "" {
			texts = append(texts, c.Content)
		}
		calls = append(calls, c.ToolCalls...)
		if len(c.ToolCalls) == 0 && c.FuncCall != nil { // with ToolCalls, it repeats the first of them
			calls = append(calls, llms.ToolCall{FunctionCall: c.FuncCall})
		}
	}
	if choices == 0 {
		return "", nil, ErrNoAnswer
	}
	seen := make(map[string]bool, len(calls))
	for i := range calls {
		call := &calls[i]
		if call.ID == "" || seen[call.ID] {
			call.ID = fmt.Sprintf("call_%d_%d", step, i+1)
		}
		seen[call.ID] = true
		if call.Type == "" {
			call.Type = "function"
		}
		if call.FunctionCall == nil {
			call.FunctionCall = &llms.FunctionCall{}
		}
	}
	return strings.Join(texts, "\n"), calls, nil
}

// Assistant is the model's own message with its text and all its calls, to be sent back to it.
func Assistant(text string, calls []llms.ToolCall) llms.MessageContent {
	m := llms.MessageContent{Role: llms.ChatMessageTypeAI}
	if strings.TrimSpace(text) != "" {
		m.Parts = append(m.Parts, llms.TextContent{Text: text})
	}
	for _, call := range calls {
		m.Parts = append(m.Parts, llms.ToolCall{ID: call.ID, Type: call.Type, FunctionCall: &llms.FunctionCall{
			Name:      replayName(call.FunctionCall.Name),
			Arguments: replayArguments(call.FunctionCall.Arguments),
		}})
	}
	return m
}

// Response is the answer to one call. The openai provider takes exactly one per message; googleai needs the name.
func Response(call llms.ToolCall, content string) llms.MessageContent {
	return llms.MessageContent{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{llms.ToolCallResponse{
		ToolCallID: call.ID,
		Name:       replayName(call.FunctionCall.Name),
		Content:    content,
	}}}
}

// OneAnswer makes the options ask for a single answer: several would be alternatives, of which only one may be acted on.
func OneAnswer(o *llms.CallOptions) {
	o.N, o.CandidateCount = min(o.N, 1), min(o.CandidateCount, 1)
}
