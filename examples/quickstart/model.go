package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/tmc/langchaingo/llms"
)

// model stands for a language model such as openai.New(): it asks for the planned calls, all in one answer, and then
// tells what the tools said.
type model []plannedCall

type plannedCall struct{ tool, args string }

func (m model) GenerateContent(_ context.Context, messages []llms.MessageContent, _ ...llms.CallOption) (*llms.ContentResponse, error) {
	var told []string
	for _, message := range messages {
		for _, part := range message.Parts {
			if r, ok := part.(llms.ToolCallResponse); ok {
				told = append(told, short(r.Content))
			}
		}
	}
	choice := &llms.ContentChoice{}
	if len(told) > 0 {
		choice.Content = "I was told: " + strings.Join(told, " | ")
	} else {
		for i, call := range m {
			choice.ToolCalls = append(choice.ToolCalls, llms.ToolCall{
				ID: strconv.Itoa(i), Type: "function", FunctionCall: &llms.FunctionCall{Name: call.tool, Arguments: call.args},
			})
		}
	}
	return &llms.ContentResponse{Choices: []*llms.ContentChoice{choice}}, nil
}

// Call is the old form of GenerateContent.
func (m model) Call(ctx context.Context, prompt string, options ...llms.CallOption) (string, error) {
	return llms.GenerateFromSinglePrompt(ctx, m, prompt, options...)
}

// short is the first sentence.
func short(s string) string {
	s, _, _ = strings.Cut(s, ". ")
	return s
}
