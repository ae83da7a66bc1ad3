package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// chainOf is an error as a caller can look at it: the type and the text of each error that it wraps.
func chainOf(err error) (chain string) {
	for ; err != nil; err = errors.Unwrap(err) {
		chain += fmt.Sprintf("%T %v\n", err, err)
	}
	return chain
}

// A call of a tool that is hidden is refused with the error, after the requests and without the questions that a call of a
// tool which does not exist is.
func TestACallOfAHiddenToolIsThatOfAToolThatDoesNotExist(t *testing.T) {
	for name, hide := range hiders(t) {
		if hide.filter == nil {
			continue // what a policy denies is told to programs, see TestAHiddenToolLeavesNoTrace for models
		}
		t.Run(name, func(t *testing.T) {
			world := func(there bool) (told []string) {
				synctest.Test(t, func(t *testing.T) {
					servers := withHidden(there)
					lists := countLists(servers[0].Server)
					asked := 0
					ask := func(context.Context, ApprovalRequest) (bool, error) { asked++; return false, nil }
					opts := &RegistryOptions{Options: func(ServerConfig) (*Options, error) {
						return &Options{Filter: hide.filter, Middleware: []func(CallFunc) CallFunc{RequireApproval(ask, nil)}}, nil
					}}
					r, err := LoadConfig(t.Context(), &Config{Servers: servers}, opts)
					if err != nil {
						t.Fatal(err)
					}
					defer r.Close()
					v, err := r.ForAgent(hide.mapping)
					if err != nil {
						t.Fatal(err)
					}
					ctx := userContext("alice")
					if _, err := v.Tools(ctx); err != nil {
						t.Fatal(err)
					}
					group, _ := r.Get("github")
					for _, call := range []func(context.Context, string, any, ...CallOption) (*Result, error){v.Call, r.Call, group.Call} {
						for _, name := range []string{hiddenTool, "github." + hiddenTool} {
							for _, args := range []any{nil, map[string]any{"no such argument": 1}, "not JSON"} {
								time.Sleep(time.Minute)
								group.catalogue.changed() // so that a name which is not known is looked for
								before := lists.Load()
								_, err := call(ctx, name, args)
								if !errors.Is(err, ErrToolNotFound) || errors.Is(err, ErrDenied) {
									t.Errorf("%s: %v", name, err)
								}
								told = append(told, fmt.Sprintf("%s %v: %d requests, %s", name, args, lists.Load()-before, chainOf(err)))
							}
						}
					}
					if asked > 0 {
						t.Errorf("somebody was asked to approve %d calls", asked)
					}
				})
				return told
			}
			with, without := world(true), world(false)
			for i, want := range without {
				if with[i] != want {
					t.Errorf("%s\nand without the tool\n%s", with[i], want)
				}
			}
		})
	}
}

// A tool in the hands of a user who may not see it is as hidden as its name.
func TestAToolThatWasListedForAnotherIsNotFound(t *testing.T) {
	asked := 0
	g := newGroup(t, ServerConfig{Server: newServer()}, &Options{
		Filter: func(ctx context.Context, tools []*Tool) []*Tool {
			if ctx.Value(hiddenKey{}) != nil {
				return nil
			}
			return tools
		},
		Middleware: []func(CallFunc) CallFunc{RequireApproval(func(context.Context, ApprovalRequest) (bool, error) { asked++; return true, nil }, nil)},
	})
	ctx := userContext("alice")
	tools, err := g.Tools(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, byName := g.Call(context.WithValue(ctx, hiddenKey{}, true), tools[0].Name, nil)
	_, byTool := tools[0].Call(context.WithValue(ctx, hiddenKey{}, true), nil)
	if a, b := chainOf(byName), chainOf(byTool); a != b || !errors.Is(byTool, ErrToolNotFound) || asked > 0 {
		t.Errorf("by name\n%sand by tool\n%s, %d questions", a, b, asked)
	}
	if _, err := tools[0].Call(ctx, nil); err != nil || asked != 1 {
		t.Errorf("for whom it was listed: %v, %d questions", err, asked)
	}
}

type hiddenKey struct{}
