package mcpgroup_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

func ExampleLimitResults() {
	server := mcp.NewServer(&mcp.Implementation{Name: "logs", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "tail"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		log := strings.Repeat("all is well\n", 500) + "disk is full\n" + strings.Repeat("all is well\n", 500)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: log}}}, nil, nil
	})
	store := mcpgroup.NewResultStore(nil)
	group := mustNew(mcpgroup.ServerConfig{Name: "logs", Server: server}, &mcpgroup.Options{
		Middleware: []func(mcpgroup.CallFunc) mcpgroup.CallFunc{
			mcpgroup.LimitResults(mcpgroup.ResultPolicy{MaxTokens: 1000}, store),
		},
	})
	defer group.Close()

	res, err := group.Call(asUser("alice"), "tail", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(res.Text()) <= 4000)
	marker := regexp.MustCompile(`(bytes .* with read_result), handle "(\w+)"`).FindStringSubmatch(res.Text())
	fmt.Println(marker[1])

	page, err := store.ReadResult(asUser("alice"), marker[2], mcpgroup.ReadQuery{Pattern: "full"})
	fmt.Print(page.Text, err, "\n")
	_, err = store.ReadResult(asUser("bob"), marker[2], mcpgroup.ReadQuery{})
	fmt.Println(err)
	// Output:
	// true
	// bytes 1807 to 10205 of 12013 are left out, 8398 bytes. Read them with read_result
	// line 501, byte 6008: disk is full
	// <nil>
	// mcpgroup: no such result; it may have expired: call the tool again
}
