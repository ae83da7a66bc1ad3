package mcpgroup_test

import (
	"context"
	"fmt"
	"log"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// shop is a server of this process with three tools.
func shop() mcpgroup.ServerConfig {
	server := mcp.NewServer(&mcp.Implementation{Name: "shop", Version: "1"}, nil)
	for name, description := range map[string]string{
		"find_customer": "Finds a customer by name or e-mail address.",
		"refund_order":  "Pays the price of an order back.",
		"track_parcel":  "Tells where a parcel is.",
	} {
		server.AddTool(&mcp.Tool{Name: name, Description: description, InputSchema: map[string]any{"type": "object"}},
			func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: name + ": done"}}}, nil
			})
	}
	return mcpgroup.ServerConfig{Name: "shop", Server: server}
}

// The model gets the tools that fit the request, and no others.
func ExampleRegistry_Select() {
	ctx := session.NewContext(context.Background(), session.Key{Tenant: "acme", User: "alice"})
	reg, err := mcpgroup.LoadConfig(ctx, &mcpgroup.Config{Servers: []mcpgroup.ServerConfig{shop()}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer reg.Close()

	found, err := reg.Select(ctx, "where is my parcel?", &mcpgroup.SelectOptions{MaxTools: 1, TokenBudget: 2000})
	if err != nil {
		log.Fatal(err)
	}
	for _, tool := range found.Tools { // or langchaingo.Tools(found.Tools, nil)
		fmt.Println(tool.ID())
	}
	// Output: shop.track_parcel
}

// The model searches by itself, and calls what it finds.
func ExampleRegistry_MetaTools() {
	ctx := session.NewContext(context.Background(), session.Key{Tenant: "acme", User: "alice"})
	reg, err := mcpgroup.LoadConfig(ctx, &mcpgroup.Config{Servers: []mcpgroup.ServerConfig{shop()}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer reg.Close()

	tools, err := reg.MetaTools(&mcpgroup.MetaToolOptions{MaxTools: 1})
	if err != nil {
		log.Fatal(err)
	}
	search, call := tools[0], tools[1]
	for _, step := range []struct {
		tool *mcpgroup.Tool
		args string
	}{
		{search, `{"queries": ["find the customer"]}`},
		{call, `{"name": "find_customer"}`},
		{call, `{"name": "search_tools"}`},
	} {
		res, err := step.tool.Call(ctx, step.args)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(res.Text())
	}
	// Output:
	// {"tools":[{"name":"find_customer","server":"shop","description":"Finds a customer by name or e-mail address.","input_schema":{"type":"object"}}]}
	// find_customer: done
	// "search_tools" is called by itself, not with call_tool
}
