package mcptest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// addContentTools adds a tool per kind of content.
func addContentTools(server *mcp.Server) {
	image, audio := decode64(pixel), decode64(silence)
	blocks := map[string]mcp.Content{
		"image":         &mcp.ImageContent{MIMEType: "image/png", Data: image},
		"audio":         &mcp.AudioContent{MIMEType: "audio/wav", Data: audio},
		"resource_link": &mcp.ResourceLink{URI: notesURI, Name: "notes.txt", MIMEType: "text/plain"},
		"resource":      &mcp.EmbeddedResource{Resource: notes(notesURI)},
	}
	for name, block := range blocks {
		addContentTool(server, name, block)
	}
	addContentTool(server, "mixed", &mcp.TextContent{Text: "mixed"}, blocks["image"], blocks["resource_link"])
	AddEcho(server, "echo")
	addTextTool(server, "fail", nil, func(struct{}) (string, error) { return "", errors.New("the tool failed") })

	type answer struct {
		Answer int `json:"answer"`
	}
	mcp.AddTool(server, &mcp.Tool{Name: "structured", Description: "Returns structured content"},
		func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, answer, error) {
			return nil, answer{42}, nil
		})
}

func addContentTool(server *mcp.Server, name string, blocks ...mcp.Content) {
	addRequestTool(server, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: blocks}, nil
	})
}

func decode64(text string) []byte {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic("mcptest: " + err.Error())
	}
	return data
}

// addRequestTool adds a tool that looks at the request.
func addRequestTool[In any](server *mcp.Server, tool *mcp.Tool, run func(context.Context, *mcp.CallToolRequest, In) (*mcp.CallToolResult, error)) {
	if tool.Description == "" {
		tool.Description = "The tool " + tool.Name
	}
	mcp.AddTool(server, tool, func(ctx context.Context, req *mcp.CallToolRequest, in In) (*mcp.CallToolResult, any, error) {
		result, err := run(ctx, req, in)
		return result, nil, err
	})
}

// addRequestTools adds the tools that use the request's header, progress or session.
func addRequestTools(server *mcp.Server) {
	addRequestTool(server, &mcp.Tool{Name: "whoami"}, func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, error) {
		var header http.Header
		if req.Extra != nil { // nil unless the transport is HTTP
			header = req.Extra.Header
		}
		return sdkText(string(encode(map[string]string{"authorization": header.Get("Authorization"),
			"user": header.Get("X-User"), "session": header.Get(headerSession)}))), nil
	})
	addRequestTool(server, &mcp.Tool{Name: "sleep"}, func(ctx context.Context, _ *mcp.CallToolRequest, in sleepArgs) (*mcp.CallToolResult, error) {
		pause(ctx, time.Duration(in.Ms)*time.Millisecond)
		return sdkText(fmt.Sprintf("slept %d ms", in.Ms)), nil
	})
	addRequestTool(server, &mcp.Tool{Name: "progress"}, func(ctx context.Context, req *mcp.CallToolRequest, in progressArgs) (*mcp.CallToolResult, error) {
		token := req.Params.GetProgressToken()
		for i := range in.Steps {
			if token == nil {
				break // nobody asked to be told
			}
			step := &mcp.ProgressNotificationParams{ProgressToken: token, Progress: float64(i + 1), Total: float64(in.Steps),
				Message: fmt.Sprintf("step %d", i+1)}
			if err := req.Session.NotifyProgress(ctx, step); err != nil {
				return nil, err
			}
		}
		return sdkText(fmt.Sprintf("done in %d steps", in.Steps)), nil
	})
	addRequestTool(server, &mcp.Tool{Name: "log"}, func(ctx context.Context, req *mcp.CallToolRequest, in textArgs) (*mcp.CallToolResult, error) {
		// deprecated in the protocol, but servers still log
		err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Logger: "mcptest", Data: in.Text})
		return sdkText("logged"), err
	})
	regional := &mcp.Tool{Name: "regional", InputSchema: map[string]any{"type": "object", "properties": map[string]any{
		"region": map[string]any{"type": "string", "x-mcp-header": "Region"}, "text": map[string]any{"type": "string"}}}}
	addRequestTool(server, regional, func(_ context.Context, req *mcp.CallToolRequest, _ map[string]any) (*mcp.CallToolResult, error) {
		if req.Extra == nil {
			return sdkText(""), nil
		}
		return sdkText(req.Extra.Header.Get("Mcp-Param-Region")), nil
	})
	addQuestionTools(server)
}

type (
	progressArgs struct {
		Steps int `json:"steps" jsonschema:"how many notifications to send"`
	}
	askArgs struct {
		Question string `json:"question" jsonschema:"what to ask the user"`
	}
	sampleArgs struct {
		Prompt string `json:"prompt" jsonschema:"what to ask the model"`
	}
)

// addQuestionTools adds the tools that need an answer from the client. They return what they need instead of asking
// (MCP 2026-07-28, multi round-trip requests); with older clients the SDK does the asking.
func addQuestionTools(server *mcp.Server) {
	const id = "answer"
	addRequestTool(server, &mcp.Tool{Name: "ask"}, func(_ context.Context, req *mcp.CallToolRequest, in askArgs) (*mcp.CallToolResult, error) {
		switch answer := req.Params.InputResponses[id].(type) {
		case nil:
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{id: &mcp.ElicitParams{
				Message: in.Question,
				RequestedSchema: map[string]any{"type": "object", "required": []string{"name"},
					"properties": map[string]any{"name": map[string]any{"type": "string"}}},
			}}}, nil
		case *mcp.ElicitResult:
			if answer.Action != "accept" {
				return sdkText("the user chose " + answer.Action), nil
			}
			return sdkText(fmt.Sprintf("hello %v", answer.Content["name"])), nil
		default:
			return nil, fmt.Errorf("not an answer to the question: %T", answer)
		}
	})
	addRequestTool(server, &mcp.Tool{Name: "sample"}, func(_ context.Context, req *mcp.CallToolRequest, in sampleArgs) (*mcp.CallToolResult, error) {
		switch answer := req.Params.InputResponses[id].(type) {
		case nil:
			// deprecated in the protocol, but servers still sample
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{id: &mcp.CreateMessageParams{MaxTokens: 100,
				Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: in.Prompt}}}}}}, nil
		case *mcp.CreateMessageWithToolsResult:
			return &mcp.CallToolResult{Content: answer.Content}, nil
		default:
			return nil, fmt.Errorf("not an answer of a model: %T", answer)
		}
	})
}

const notesURI = "file:///notes.txt"

func notes(uri string) *mcp.ResourceContents {
	return &mcp.ResourceContents{URI: uri, MIMEType: "text/plain", Text: "notes"}
}

// addResources adds a resource, a template and a prompt.
func addResources(server *mcp.Server) {
	server.AddResource(&mcp.Resource{Name: "notes.txt", URI: notesURI, MIMEType: "text/plain"},
		func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{notes(notesURI)}}, nil
		})
	server.AddResourceTemplate(&mcp.ResourceTemplate{Name: "file", URITemplate: "file:///{name}", MIMEType: "text/plain"},
		func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			contents := notes(req.Params.URI)
			contents.Text = "contents of " + strings.TrimPrefix(req.Params.URI, "file:///")
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{contents}}, nil
		})
	server.AddPrompt(&mcp.Prompt{Name: "greet", Arguments: []*mcp.PromptArgument{{Name: "name", Required: true}}},
		func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{
				{Role: "user", Content: &mcp.TextContent{Text: "Say hello to " + req.Params.Arguments["name"]}}}}, nil
		})
}
