package langchaingo_test

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tmc/langchaingo/llms"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo"
	"github.com/mcpfleet/mcpfleet/adapters/langchaingo/internal/modeltest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// weather is an MCP server of this process with one tool.
func weather() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "weather", Version: "1"}, nil)
	type args struct {
		City string `json:"city" jsonschema:"name of a city"`
	}
	mcp.AddTool(s, &mcp.Tool{Name: "forecast", Description: "Tells tomorrow's weather."},
		func(_ context.Context, _ *mcp.CallToolRequest, in args) (*mcp.CallToolResult, any, error) {
			if in.City == "Atlantis" {
				return nil, nil, fmt.Errorf("no station in %s", in.City)
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "sunny in " + in.City}}}, nil, nil
		})
	return s
}

// weatherTools returns the tools of the server, and a context of the user for whom they act.
func weatherTools() (context.Context, []*mcpgroup.Tool, func() error) {
	group, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "weather", Server: weather()}, nil)
	if err != nil {
		panic(err)
	}
	ctx := session.NewContext(context.Background(), session.Key{Tenant: "acme", User: "alice"})
	tools, err := group.Tools(ctx)
	if err != nil {
		panic(err)
	}
	return ctx, tools, group.Close
}

// A model asks for two forecasts at once, one of which fails, and answers with what it was told.
func ExampleRun() {
	ctx, tools, done := weatherTools()
	defer done()
	model := modeltest.New( // stands for openai.New() or any other of langchaingo's models
		modeltest.Calls("", modeltest.ToolCall("1", "forecast", `{"city":"Rome"}`), modeltest.ToolCall("2", "forecast", `{"city":"Atlantis"}`)),
		modeltest.Text("Sunny in Rome; nobody knows about Atlantis."),
	)
	res, err := langchaingo.Run(ctx, model, tools, []llms.MessageContent{
		llms.TextParts(llms.ChatMessageTypeHuman, "What is the weather in Rome and in Atlantis?"),
	}, nil)
	if err != nil {
		panic(err)
	}
	for _, call := range res.Calls {
		fmt.Println(call.Name, call.Arguments, "->", call.Observation)
	}
	fmt.Println(res.Content)
	// Output:
	// forecast {"city":"Rome"} -> sunny in Rome
	// forecast {"city":"Atlantis"} -> Error: no station in Atlantis
	// Sunny in Rome; nobody knows about Atlantis.
}

// The same tool for agents that speak text: they are told the arguments in the description.
func ExampleTools() {
	ctx, tools, done := weatherTools()
	defer done()
	lc, err := langchaingo.Tools(tools, nil)
	if err != nil {
		panic(err)
	}
	for _, input := range []string{`{"city":"Rome"}`, "Paris", `{"town":"Rome"}`} {
		answer, err := lc[0].Call(ctx, input)
		if err != nil {
			panic(err) // only if ctx ended
		}
		fmt.Println(answer[:min(len(answer), 50)])
	}
	// Output:
	// sunny in Rome
	// sunny in Paris
	// Error: the arguments do not fit tool "forecast": /
}

// A schema as googleai's models take it, and what they are not told.
func ExampleParameters() {
	tool := &mcpgroup.Tool{Name: "find", InputSchema: map[string]any{
		"type":  "object",
		"$defs": map[string]any{"id": map[string]any{"type": []any{"string", "integer"}}},
		"properties": map[string]any{
			"id":    map[string]any{"$ref": "#/$defs/id"},
			"limit": map[string]any{"anyOf": []any{map[string]any{"type": "integer", "maximum": 50.0}, map[string]any{"type": "null"}}},
		},
	}}
	schema, losses := langchaingo.Parameters(tool, langchaingo.SchemaPortable)
	properties := schema["properties"].(map[string]any)
	fmt.Println(properties["id"])
	fmt.Println(properties["limit"])
	fmt.Println(losses)
	// Output:
	// map[description:(or integer) type:string]
	// map[description:(at most 50; may be null) type:integer]
	// [#/properties/id/type: string, integer told as string]
}

// LLMTools is for a loop of your own.
func ExampleLLMTools() {
	_, tools, done := weatherTools()
	defer done()
	definitions, err := langchaingo.LLMTools(tools, &langchaingo.Options{
		Schema: langchaingo.SchemaPortable,
		OnLoss: func(tool *mcpgroup.Tool, losses []string) { fmt.Println(tool.Name, "loses", losses) },
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(definitions[0].Function.Name, definitions[0].Function.Parameters)
	// Output:
	// forecast map[properties:map[city:map[description:name of a city type:string]] required:[city] type:object]
}

func ExampleText() {
	fmt.Println(langchaingo.Text(&mcpgroup.Result{CallToolResult: &mcp.CallToolResult{
		Content: []mcp.Content{
			&mcp.TextContent{Text: "Here it is:"},
			&mcp.ImageContent{MIMEType: "image/png", Data: make([]byte, 1234)},
		},
		StructuredContent: map[string]any{"width": 32},
	}}))
	// Output:
	// Here it is:
	// [image image/png, 1234 bytes]
	// {"width":32}
}
