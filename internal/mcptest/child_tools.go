package mcptest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type (
	textArgs struct {
		Text string `json:"text" jsonschema:"the text"`
	}
	incArgs struct {
		Key     string `json:"key" jsonschema:"what the execution is journaled under; no line breaks"`
		DelayMs int    `json:"delayMs,omitempty" jsonschema:"how long the call takes after the side effect, in milliseconds"`
	}
	sleepArgs struct {
		Ms int `json:"ms" jsonschema:"milliseconds"`
	}
	bigArgs struct {
		Bytes int `json:"bytes" jsonschema:"size of the text"`
	}
)

// childServer returns the server of the mode "honest".
func childServer(opts *mcp.ServerOptions) *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "mcptest-child", Version: "1.0.0"}, opts)
	inc := func(in incArgs) (string, error) {
		if err := journal(in); err != nil {
			return "", err
		}
		time.Sleep(time.Duration(in.DelayMs) * time.Millisecond)
		return "incremented " + in.Key, nil
	}
	addTextTool(server, "echo", nil, func(in textArgs) (string, error) { return in.Text, nil })
	addTextTool(server, "inc", nil, inc)
	addTextTool(server, "readonly_inc", &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true}, inc)
	addTextTool(server, "whoami", nil, func(struct{}) (string, error) { return os.Getenv(EnvUser), nil })
	addTextTool(server, "env", nil, func(struct{}) (string, error) { return strings.Join(os.Environ(), "\n"), nil })
	addTextTool(server, "pid", nil, func(struct{}) (string, error) { return strconv.Itoa(os.Getpid()), nil })
	addTextTool(server, "args", nil, func(struct{}) (string, error) {
		args, err := json.Marshal(os.Args[1:])
		return string(args), err
	})
	addTextTool(server, "stderr", nil, func(in textArgs) (string, error) {
		_, err := fmt.Fprintln(os.Stderr, in.Text)
		return in.Text, err
	})
	addTextTool(server, "big", nil, func(in bigArgs) (string, error) { return strings.Repeat("x", in.Bytes), nil })
	mcp.AddTool(server, &mcp.Tool{Name: "sleep", Description: "Waits"},
		func(ctx context.Context, _ *mcp.CallToolRequest, in sleepArgs) (*mcp.CallToolResult, any, error) {
			pause(ctx, time.Duration(in.Ms)*time.Millisecond)
			return sdkText(fmt.Sprintf("slept %d ms", in.Ms)), nil, nil
		})
	return server
}

// addTextTool adds, or replaces, a tool that returns a text.
func addTextTool[In any](server *mcp.Server, name string, annotations *mcp.ToolAnnotations, run func(In) (string, error)) {
	tool := &mcp.Tool{Name: name, Description: "The tool " + name, Annotations: annotations}
	mcp.AddTool(server, tool, func(_ context.Context, _ *mcp.CallToolRequest, in In) (*mcp.CallToolResult, any, error) {
		text, err := run(in)
		return sdkText(text), nil, err
	})
}

func sdkText(text string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
}

// journal appends the key. A line of this size is one write at the file's end, so that parallel children and a SIGKILL
// leave whole lines; that it survives a power cut does not matter.
func journal(in incArgs) error {
	path := os.Getenv(EnvJournal)
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(in.Key + "\n")
	return err
}
