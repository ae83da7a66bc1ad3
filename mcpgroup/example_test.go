package mcpgroup_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

type number struct {
	N int `json:"n" jsonschema:"a number"`
}

// calculator is an MCP server of this process.
func calculator() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "calculator", Version: "1"}, nil)
	reply := func(format string, args ...any) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}, nil, nil
	}
	mcp.AddTool(s, &mcp.Tool{Name: "square", Description: "Squares a number."},
		func(_ context.Context, _ *mcp.CallToolRequest, in number) (*mcp.CallToolResult, any, error) {
			return reply("%d", in.N*in.N)
		})
	mcp.AddTool(s, &mcp.Tool{Name: "sqrt", Description: "Takes a root."},
		func(_ context.Context, _ *mcp.CallToolRequest, in number) (*mcp.CallToolResult, any, error) {
			if in.N < 0 {
				return nil, nil, errors.New("there is no root of a negative number")
			}
			return reply("about %d", in.N/2)
		})
	mcp.AddTool(s, &mcp.Tool{Name: "count", Description: "Counts."},
		func(ctx context.Context, req *mcp.CallToolRequest, in number) (*mcp.CallToolResult, any, error) {
			err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
				ProgressToken: req.Params.GetProgressToken(), Progress: 1, Total: 1, Message: "counted"})
			if err != nil {
				return nil, nil, err
			}
			return reply("done")
		})
	return s
}

func mustNew(cfg mcpgroup.ServerConfig, opts *mcpgroup.Options) *mcpgroup.MCPFunctionGroup {
	g, err := mcpgroup.New(cfg, opts)
	if err != nil {
		panic(err)
	}
	return g
}

func asUser(user string) context.Context {
	return session.NewContext(context.Background(), session.Key{Tenant: "acme", User: user})
}

func ExampleNew() {
	_, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "both", URL: "https://example.com/mcp", Command: "server"}, nil)
	fmt.Println(err)
	group := mustNew(mcpgroup.ServerConfig{
		Name:    "billing",
		URL:     "https://example.com/mcp",
		Include: []string{"list_*", "get_*"},
	}, &mcpgroup.Options{
		// Every HTTP request carries the credential of the user it is made for.
		Headers: func(_ context.Context, key session.Key) (http.Header, error) {
			return http.Header{"Authorization": {"Bearer " + tokenOf(key)}}, nil
		},
	})
	defer group.Close()
	fmt.Println(group.Name(), "connected:", group.Status().Connected)
	// Output:
	// mcpgroup: server "both": Command, URL, Server: exactly one must be set, 2 are
	// billing connected: false
}

func tokenOf(key session.Key) string { return "token-of-" + key.User }

func ExampleMCPFunctionGroup_Call() {
	group := mustNew(mcpgroup.ServerConfig{Name: "calc", Server: calculator()}, nil)
	defer group.Close()

	res, err := group.Call(asUser("alice"), "square", map[string]any{"n": 12}, mcpgroup.WithTimeout(5*time.Second))
	if err != nil {
		fmt.Println(err) // the call did not come about
		return
	}
	fmt.Println(res.Text(), res.Err())

	// What the tool itself calls a failure is a result, for the model to read.
	res, err = group.Call(asUser("alice"), "sqrt", `{"n": -1}`)
	fmt.Println(err, errors.Is(res.Err(), mcpgroup.ErrToolFailed))
	fmt.Println(res.Text())
	// Output:
	// 144 <nil>
	// <nil> true
	// there is no root of a negative number
}

func ExampleMCPFunctionGroup_Tools() {
	group := mustNew(mcpgroup.ServerConfig{
		Name: "calc", Server: calculator(),
		Exclude:   []string{"count"},
		Overrides: map[string]mcpgroup.Override{"square": {Alias: "power_of_two"}},
	}, nil)
	defer group.Close()
	tools, err := group.Tools(asUser("alice"))
	if err != nil {
		panic(err)
	}
	for _, t := range tools {
		fmt.Printf("%s: %s\n", t.Name, t.Description)
	}
	// Output:
	// power_of_two: Squares a number.
	// sqrt: Takes a root.
}

func ExampleMCPFunctionGroup_WithSession() {
	group := mustNew(mcpgroup.ServerConfig{Name: "calc", Server: calculator()}, nil)
	defer group.Close()
	err := group.WithSession(asUser("alice"), func(cs *mcp.ClientSession) error {
		fmt.Println("connected to", cs.InitializeResult().ServerInfo.Name)
		return nil
	})
	if err != nil {
		panic(err)
	}
	// Output: connected to calculator
}

func ExampleMCPFunctionGroup_CleanupSessions() {
	group := mustNew(mcpgroup.ServerConfig{Name: "calc", Server: calculator()}, nil)
	defer group.Close()
	for _, user := range []string{"alice", "bob"} {
		if _, err := group.Call(asUser(user), "square", map[string]any{"n": 2}); err != nil {
			panic(err)
		}
	}
	fmt.Println(group.CleanupSessions(context.Background(), time.Hour), "idle for an hour")
	fmt.Println(group.CleanupSessions(context.Background(), 0), "idle")
	// Output:
	// 0 idle for an hour
	// 2 idle
}

func ExampleMCPFunctionGroup_CloseSessions() {
	group := mustNew(mcpgroup.ServerConfig{Name: "calc", Server: calculator()}, nil)
	defer group.Close()
	if _, err := group.Call(asUser("alice"), "square", map[string]any{"n": 2}); err != nil {
		panic(err)
	}
	n := group.CloseSessions(func(k session.Key) bool { return k.User == "alice" }) // alice logged out
	fmt.Println(n, "session closed")
	// Output: 1 session closed
}

func ExampleOptions_middleware() {
	audit := func(next mcpgroup.CallFunc) mcpgroup.CallFunc {
		return func(ctx context.Context, req *mcpgroup.CallRequest) (*mcpgroup.Result, error) {
			res, err := next(ctx, req)
			fmt.Printf("%s called %s on %s\n", req.Key.User, req.Tool.Name, req.Tool.Server)
			return res, err
		}
	}
	group := mustNew(mcpgroup.ServerConfig{Name: "calc", Server: calculator()}, &mcpgroup.Options{
		Middleware: []func(mcpgroup.CallFunc) mcpgroup.CallFunc{audit},
		Filter: func(ctx context.Context, tools []*mcpgroup.Tool) []*mcpgroup.Tool {
			key, _ := session.FromContext(ctx)
			return slices.DeleteFunc(tools, func(t *mcpgroup.Tool) bool { return t.Name == "sqrt" && key.User != "alice" })
		},
	})
	defer group.Close()
	for _, user := range []string{"alice", "bob"} {
		_, err := group.Call(asUser(user), "sqrt", map[string]any{"n": 4})
		fmt.Println(user, errors.Is(err, mcpgroup.ErrToolNotFound))
	}
	// Output:
	// alice called sqrt on calc
	// alice false
	// bob true
}

func ExampleWithProgress() {
	group := mustNew(mcpgroup.ServerConfig{Name: "calc", Server: calculator()}, nil)
	defer group.Close()
	progress := make(chan string, 1)
	_, err := group.Call(asUser("alice"), "count", map[string]any{"n": 3},
		mcpgroup.WithProgress(func(_ context.Context, p *mcp.ProgressNotificationParams) { progress <- p.Message }),
		mcpgroup.WithMeta(map[string]any{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}))
	if err != nil {
		panic(err)
	}
	fmt.Println(<-progress)
	// Output: counted
}

func ExampleArgumentsError() {
	group := mustNew(mcpgroup.ServerConfig{Name: "calc", Server: calculator()}, nil)
	defer group.Close()
	_, err := group.Call(asUser("alice"), "square", map[string]any{"n": "twelve"})
	var bad *mcpgroup.ArgumentsError
	if errors.As(err, &bad) {
		for _, v := range bad.Violations {
			fmt.Println(v.Path, v.Message)
		}
	}
	// Output: /n must be integer, not string
}

func ExampleError() {
	group := mustNew(mcpgroup.ServerConfig{Name: "gone", URL: "http://127.0.0.1:1/mcp"}, nil)
	defer group.Close()
	_, err := group.Call(asUser("alice"), "anything", nil)
	var e *mcpgroup.Error
	if errors.As(err, &e) {
		fmt.Println(e.Server, "-", e.Outcome, "-", errors.Is(err, mcpgroup.ErrUnavailable))
	}
	fmt.Println(strings.Contains(err.Error(), "connection refused"))
	// Output:
	// gone - not sent - true
	// true
}
