package mcpfleet_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// greeter is an MCP server of this process with one tool. It knows whom it talks to: the handlers of an in-memory
// server find the caller's key in their context.
func greeter() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "greeter", Version: "1"}, nil)
	type args struct {
		Greeting string `json:"greeting" jsonschema:"the word to greet with"`
	}
	mcp.AddTool(s, &mcp.Tool{Name: "greet", Description: "Greets the user."},
		func(ctx context.Context, _ *mcp.CallToolRequest, in args) (*mcp.CallToolResult, any, error) {
			key, _ := session.FromContext(ctx)
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: in.Greeting + ", " + key.User}}}, nil, nil
		})
	return s
}

// One server and two users: each call runs on the session of the user its context names.
func Example() {
	group, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "greeter", Server: greeter()}, nil)
	if err != nil {
		panic(err)
	}
	defer group.Close()

	for _, user := range []string{"alice", "bob"} {
		ctx := session.NewContext(context.Background(), session.Key{Tenant: "acme", User: user})
		res, err := group.Call(ctx, "greet", map[string]any{"greeting": "hello"})
		if err != nil {
			panic(err)
		}
		fmt.Println(res.Text())
	}
	fmt.Println("sessions:", group.Status().Sessions.Sessions)
	// Output:
	// hello, alice
	// hello, bob
	// sessions: 2
}

// What goes wrong comes back as a value that says what is known about it.
func Example_errors() {
	group, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "greeter", Server: greeter()}, nil)
	if err != nil {
		panic(err)
	}
	defer group.Close()
	ctx := session.NewContext(context.Background(), session.Key{Tenant: "acme", User: "alice"})

	_, err = group.Call(ctx, "greet", map[string]any{"greeting": 7})
	var args *mcpgroup.ArgumentsError
	if errors.As(err, &args) {
		fmt.Println("the model can mend", args.Violations[0].Path)
	}
	_, err = group.Call(context.Background(), "greet", nil)
	var identity *session.IdentityError
	fmt.Println("nobody may call:", errors.As(err, &identity))
	// Output:
	// the model can mend /greeting
	// nobody may call: true
}
