package mcpgroup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

// Scenario: the tool that a name stood for is gone, and another server has one of that name.
func TestANameIsNotCalledOnAnotherServerThanItWasListedFor(t *testing.T) {
	down := false
	first := local("first", "search")
	opts := func(policy CollisionPolicy) *RegistryOptions {
		return &RegistryOptions{Names: &NamePolicy{Collision: policy}, Options: func(cfg ServerConfig) (*Options, error) {
			if cfg.Name != "first" {
				return nil, nil
			}
			return &Options{NewServer: func(context.Context, session.Key) (*mcp.Server, error) {
				if down {
					return nil, errors.New("down")
				}
				return first.Server, nil
			}}, nil
		}}
	}
	for _, policy := range []CollisionPolicy{CollisionPriority, CollisionPrefix, CollisionError} {
		for name, lose := range map[string]func(r *Registry){
			"down": func(r *Registry) {
				down = true
				group, _ := r.Get("first")
				group.CloseSessions(func(session.Key) bool { return true })
				eventually(t, func() bool {
					_, l, _, err := group.peek(userContext("alice"))
					return err == nil && l == nil
				})
			},
			"gone": func(r *Registry) {
				if err := r.Remove(t.Context(), "first"); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(policy.String()+" "+name, func(t *testing.T) {
				down = false
				servers := []ServerConfig{{Name: "first", PerUserTools: true, ReconnectWindow: -1}, local("second", "search")}
				if policy != CollisionPriority { // where both are there neither has the name alone
					servers = servers[:1]
				}
				r := newRegistry(t, opts(policy), servers...)
				alice, bob := userContext("alice"), userContext("bob")
				listed(t, r, alice, Filter{})
				if res, err := r.Call(alice, "search", nil); err != nil || res.Text() != "first/search" {
					t.Fatalf("%v, %v", res, err)
				}
				if policy != CollisionPriority {
					if err := r.Add(t.Context(), local("second", "search")); err != nil {
						t.Fatal(err)
					}
				}
				lose(r)
				if res, err := r.Call(alice, "search", nil); err == nil || outcomeOf(t, err) != NotSent {
					t.Errorf("alice, who was shown first's, gets %v, %v", res, err)
				}
				// Who is shown the other one may call it.
				for _, ctx := range []context.Context{bob, alice} {
					if got := listed(t, r, ctx, Filter{}); len(got) != 1 || got[0] != "search" {
						t.Fatalf("listed %q", got)
					}
					if res, err := r.Call(ctx, "search", nil); err != nil || res.Text() != "second/search" {
						t.Errorf("%v, %v", res, err)
					}
				}
				// And still gets that one when the first is back.
				if down {
					down = false
					if res, err := r.Call(alice, "search", nil); err != nil || res.Text() != "second/search" {
						t.Errorf("alice, who was shown second's, gets %v, %v", res, err)
					}
				}
			})
		}
	}
}

func TestNamesAreRememberedForSoManyUsers(t *testing.T) {
	var l lastNames
	for i := range maxLists + 10 {
		l.saw(reader{session.Key{User: fmt.Sprint(i)}, ""}, &nameList{[]string{"x"}, []string{"a.x"}})
		l.saw(reader{session.Key{User: "regular"}, ""}, &nameList{[]string{"x"}, []string{"b.x"}})
	}
	if len(l.of) != maxLists || l.order.Len() != maxLists {
		t.Errorf("%d and %d users", len(l.of), l.order.Len())
	}
	for user, want := range map[string]string{"0": "", "regular": "b.x", fmt.Sprint(maxLists + 9): "a.x"} {
		if got := l.find(reader{session.Key{User: user}, ""}, "x"); got != want {
			t.Errorf("%s: %q, want %q", user, got, want)
		}
	}
	if l.find(reader{session.Key{User: "regular"}, "agent"}, "x") != "" || l.find(reader{session.Key{User: "regular"}, ""}, "y") != "" {
		t.Error("found what nobody saw")
	}
}

// The hash of a listing is that of one tool after the other, however it is put together.
func TestTheHashOfAListingIsThatOfItsTools(t *testing.T) {
	r := newRegistry(t, nil, local("a", "one", "two", "three"), local("b", "four", "five", "two"), local("c"))
	for _, f := range []Filter{{}, {Server: "a"}, {Server: "b"}, {Server: "c"}, {Search: "t"}, {Search: "f"}, {Search: "two"}, {Search: "nothing"}, {Limit: 2}, {Page: 2, Limit: 2}} {
		l, err := r.List(userContext("alice"), f)
		if err != nil {
			t.Fatal(err)
		}
		all, err := r.List(userContext("alice"), Filter{Server: f.Server, Search: f.Search})
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.New()
		for _, tool := range all.Tools {
			io.WriteString(digest, tool.Name)
			digest.Write(tool.sum[:])
		}
		if want := hex.EncodeToString(digest.Sum(nil)[:16]); l.Hash != want {
			t.Errorf("%+v: hash %s, want %s", f, l.Hash, want)
		}
		if f.Search != "" && !strings.Contains(strings.Join(namesOf(all.Tools), " ")+"nothing", f.Search) {
			t.Errorf("%+v lists %q", f, namesOf(all.Tools))
		}
	}
}
