package mcpgroup

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

// A tool has one name, whatever else is asked for with it: a call by a name must not end at another server's tool.
func TestAFilterDoesNotChangeNames(t *testing.T) {
	for _, policy := range []CollisionPolicy{CollisionPrefix, CollisionPriority} {
		r := newRegistry(t, &RegistryOptions{Names: &NamePolicy{Collision: policy}}, local("a", "search", "x"), local("b", "search", "y"))
		ctx := userContext("alice")
		all := listed(t, r, ctx, Filter{})
		for _, server := range []string{"a", "b"} {
			l, err := r.List(ctx, Filter{Server: server})
			if err != nil {
				t.Fatal(err)
			}
			for _, tool := range l.Tools {
				if !slices.Contains(all, tool.Name) {
					t.Errorf("%v: %q of %q is listed under no such name without a filter: %q", policy, tool.Name, server, all)
				}
				if res, err := r.Call(ctx, tool.Name, nil); err != nil || !strings.HasPrefix(res.Text(), server+"/") {
					t.Errorf("%v: %q of %q answers %v, %v", policy, tool.Name, server, res, err)
				}
			}
		}
	}
}

func TestPagesBeyondAnyNumberAreEmpty(t *testing.T) {
	r := newRegistry(t, nil, local("a", "one", "two", "three"))
	for _, f := range []Filter{{Page: math.MaxInt, Limit: 2}, {Page: math.MaxInt, Limit: math.MaxInt}, {Page: math.MaxInt/2 + 2, Limit: 2}, {Page: 2, Limit: math.MaxInt}} {
		if l, err := r.List(userContext("alice"), f); err != nil || len(l.Tools) != 0 || l.Next != 0 || l.Total != 3 {
			t.Errorf("%+v: %+v, %v", f, l, err)
		}
	}
	if l, err := r.List(userContext("alice"), Filter{Page: 1, Limit: math.MaxInt}); err != nil || len(l.Tools) != 3 || l.Next != 0 {
		t.Errorf("%+v, %v", l, err)
	}
}

// Options.Filter decides about the tools of a group, under the names that the group gives them.
func TestAGroupsFilterSeesTheSameToolInListingsAndCalls(t *testing.T) {
	opts := &RegistryOptions{Options: func(ServerConfig) (*Options, error) {
		return &Options{Filter: func(_ context.Context, tools []*Tool) []*Tool {
			return slices.DeleteFunc(slices.Clone(tools), func(t *Tool) bool { return t.Name != "search" })
		}}, nil
	}}
	r := newRegistry(t, opts, local("a", "search", "x"), local("b", "search"))
	ctx := userContext("alice")
	if got, want := listed(t, r, ctx, Filter{}), []string{"a__search", "b__search"}; !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	if _, err := r.Call(ctx, "a__search", nil); err != nil {
		t.Error(err)
	}
	if _, err := r.Call(ctx, "a.x", nil); !errors.Is(err, ErrToolNotFound) {
		t.Errorf("what is not listed is called: %v", err)
	}
}

// A server that keeps one user waiting may have the tools of another at hand.
func TestAUserWhoseToolsDoNotComeKeepsNoOtherWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := &RegistryOptions{Options: func(ServerConfig) (*Options, error) {
			return &Options{NewServer: func(ctx context.Context, key session.Key) (*mcp.Server, error) {
				if key.User == "mallory" {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return local("a", "x").Server, nil
			}}, nil
		}}
		r := newRegistry(t, opts, ServerConfig{Name: "a", PerUserTools: true})
		for range 3 {
			if got := listed(t, r, userContext("mallory"), Filter{}); len(got) != 0 {
				t.Fatalf("mallory is shown %q", got)
			}
		}
		if got := listed(t, r, userContext("bob"), Filter{}); !slices.Equal(got, []string{"x"}) {
			t.Errorf("bob is shown %q", got)
		}
	})
}
