// Package modeltest has a model that answers from a script and keeps what it was sent.
package modeltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tmc/langchaingo/llms"
)

// Answer is one answer of a [Model].
type Answer func(ctx context.Context, req Request) (*llms.ContentResponse, error)

// Request is what a [Model] was sent.
type Request struct {
	Messages []llms.MessageContent
	Options  llms.CallOptions
}

// Model gives its answers in order and then fails. It is safe for concurrent use.
type Model struct {
	mu       sync.Mutex
	script   []Answer
	requests []Request
}

// New returns a model that gives the answers of script.
func New(script ...Answer) *Model { return &Model{script: script} }

// GenerateContent gives the next answer.
func (m *Model) GenerateContent(ctx context.Context, messages []llms.MessageContent, options ...llms.CallOption) (*llms.ContentResponse, error) {
	var req Request
	for _, message := range messages {
		req.Messages = append(req.Messages, llms.MessageContent{Role: message.Role, Parts: slices.Clone(message.Parts)})
	}
	for _, option := range options {
		option(&req.Options)
	}
	m.mu.Lock()
	m.requests = append(m.requests, req)
	n := len(m.requests)
	m.mu.Unlock()
	if n > len(m.script) {
		return nil, fmt.Errorf("modeltest: asked %d times, the script has %d answers", n, len(m.script))
	}
	return m.script[n-1](ctx, req)
}

// Call is not scripted: nothing of ours uses it.
func (m *Model) Call(context.Context, string, ...llms.CallOption) (string, error) {
	return "", errors.New("modeltest: Call is not scripted")
}

// Requests returns what the model was sent so far.
func (m *Model) Requests() []Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.requests)
}

// Text answers with text.
func Text(text string) Answer { return Choices(&llms.ContentChoice{Content: text}) }

// Calls answers with text and tool calls.
func Calls(text string, calls ...llms.ToolCall) Answer {
	return Choices(&llms.ContentChoice{Content: text, ToolCalls: calls})
}

// Choices answers with choices.
func Choices(choices ...*llms.ContentChoice) Answer {
	return func(context.Context, Request) (*llms.ContentResponse, error) {
		return &llms.ContentResponse{Choices: choices}, nil
	}
}

// Fail answers with an error.
func Fail(err error) Answer {
	return func(context.Context, Request) (*llms.ContentResponse, error) { return nil, err }
}

// ToolCall is a call for an answer.
func ToolCall(id, name, arguments string) llms.ToolCall {
	return llms.ToolCall{ID: id, Type: "function", FunctionCall: &llms.FunctionCall{Name: name, Arguments: arguments}}
}

// Responses returns the answers to tool calls among messages, in order.
func Responses(messages []llms.MessageContent) (out []llms.ToolCallResponse) {
	for _, m := range messages {
		for _, p := range m.Parts {
			if r, ok := p.(llms.ToolCallResponse); ok {
				out = append(out, r)
			}
		}
	}
	return out
}
