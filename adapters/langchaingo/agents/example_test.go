package agents_test

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	lcagents "github.com/tmc/langchaingo/agents"
	"github.com/tmc/langchaingo/chains"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo/agents"
	"github.com/mcpfleet/mcpfleet/adapters/langchaingo/internal/modeltest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// One agent answers two users, each with their own list.
func ExampleNew() {
	group, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "list"}, &mcpgroup.Options{
		NewServer: func(_ context.Context, key session.Key) (*mcp.Server, error) {
			s := mcp.NewServer(&mcp.Implementation{Name: "list", Version: "1"}, nil)
			mcp.AddTool(s, &mcp.Tool{Name: "read", Description: "Reads the shopping list."},
				func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
					return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "tea for " + key.User}}}, nil, nil
				})
			return s, nil
		},
	})
	if err != nil {
		panic(err)
	}
	defer group.Close()

	for _, user := range []string{"alice", "bob"} {
		ctx := session.NewContext(context.Background(), session.Key{Tenant: "acme", User: user})
		tools, err := group.Tools(ctx)
		if err != nil {
			panic(err)
		}
		model := modeltest.New(modeltest.Calls("", modeltest.ToolCall("1", "read", "{}")), modeltest.Text("It is tea."))
		agent, err := agents.New(model, tools, nil)
		if err != nil {
			panic(err)
		}
		answer, err := chains.Run(ctx, lcagents.NewExecutor(agent), "What is on my list?")
		if err != nil {
			panic(err)
		}
		fmt.Println(modeltest.Responses(model.Requests()[1].Messages)[0].Content, "->", answer)
	}
	// Output:
	// tea for alice -> It is tea.
	// tea for bob -> It is tea.
}
