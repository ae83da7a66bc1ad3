package mcpgroup_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

func ExampleRequireApproval() {
	group := mustNew(mcpgroup.ServerConfig{Name: "calculator", Server: calculator()}, &mcpgroup.Options{
		Middleware: []func(mcpgroup.CallFunc) mcpgroup.CallFunc{
			mcpgroup.RequireApproval(func(_ context.Context, req mcpgroup.ApprovalRequest) (bool, error) {
				fmt.Printf("%s wants %s with %s: %s\n", req.Key, req.Tool.Name, req.Args, req.Reason)
				return false, nil // a person would be asked here
			}, &mcpgroup.ApprovalOptions{Never: []string{"calculator.sq*"}}),
		},
	})
	defer group.Close()

	res, err := group.Call(asUser("alice"), "square", map[string]any{"n": 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Text())
	_, err = group.Call(asUser("alice"), "count", map[string]any{"n": 3})
	fmt.Println(errors.Is(err, mcpgroup.ErrDenied), err)
	// Output:
	// 9
	// acme/alice wants count with {"n":3}: the tool may be destructive: its server is not trusted to say otherwise
	// true mcpgroup: call "count" on server "calculator": denied: the call was not approved
}
