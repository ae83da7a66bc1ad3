package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tmc/langchaingo/tools"
	"golang.org/x/sync/errgroup"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// visit lists and calls every tool of s for all users at once, and closes the groups.
func visit(ctx context.Context, s *server, r *report) error {
	before := descendants()
	groups, err := s.groups()
	if err != nil {
		return err
	}
	defer closeGroups(groups)

	v := visited{Server: s.name, Want: s.revision}
	all, allCtx := errgroup.WithContext(ctx)
	var mu sync.Mutex // guards v
	for _, user := range users {
		all.Go(func() error {
			ctx := as(allCtx, user)
			calls, listed, has, err := tour(ctx, s, groups[user], user, r)
			if err != nil {
				return fmt.Errorf("realservers: %s as %s: %w", s.name, user, err)
			}
			var effect error
			if s.verify != nil {
				effect = s.verify(ctx, user, groups[user])
			}
			mu.Lock()
			defer mu.Unlock()
			v.Calls = append(v.Calls, calls...)
			v.Listed, v.Has = v.Listed+listed, v.Has+has
			if effect != nil {
				v.Problems = append(v.Problems, fmt.Sprintf("%s as %s: %v", s.name, user, effect))
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}

	status := groups[users[0]].Status()
	v.Transport, v.Revision = status.Transport, status.ProtocolVersion
	v.Samples, v.Met, v.Crossed = s.host.tally()
	children := without(descendants(), before)
	if err := closeGroups(groups); err != nil {
		v.Problems = append(v.Problems, fmt.Sprintf("closing %s: %v", s.name, err))
	}
	if v.Transport != mcpgroup.TransportStdio {
		children = nil // whatever has appeared was started by a server of ours, such as supergateway
	}
	left := alive(children)
	for c := range left {
		v.Problems = append(v.Problems, fmt.Sprintf("%s over %s: process %d (%s) is left after Close", v.Server, v.Transport, c.pid, c.command))
	}
	v.Children, v.Left = len(children), len(left)
	r.add(v)
	return nil
}

// tour lists and calls every tool as one user. It returns how many tools the group listed, and how many the server has
// if it is asked without the group.
func tour(ctx context.Context, s *server, g *mcpgroup.MCPFunctionGroup, user string, r *report) (calls []call, listed, has int, err error) {
	list, err := g.Tools(ctx)
	if err != nil {
		return nil, 0, 0, err
	}
	if has, err = countTools(ctx, g); err != nil {
		return nil, 0, 0, err
	}
	agentTools, err := langchaingo.Tools(list, observer)
	if err != nil {
		return nil, 0, 0, err
	}
	for i, tool := range agentTools {
		args := s.arguments(list[i].OriginalName, user)
		if args == nil {
			args = object(list[i].InputSchema, user)
		}
		c := callTool(ctx, tool, args)
		if ctx.Err() != nil {
			return nil, 0, 0, ctx.Err()
		}
		c.Server, c.Transport, c.User = s.name, g.Status().Transport, user
		c.Tolerated = s.mayRefuse(list[i].OriginalName)
		r.line(c)
		calls = append(calls, c)
	}
	return calls, len(list), has, nil
}

// countTools asks the server itself, page by page.
func countTools(ctx context.Context, g *mcpgroup.MCPFunctionGroup) (n int, err error) {
	err = g.WithSession(ctx, func(cs *mcp.ClientSession) error {
		for _, err := range cs.Tools(ctx, nil) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// A call is what came of one call of one tool.
type call struct {
	Server      string
	Transport   mcpgroup.Transport
	User, Tool  string
	Observation string // what a model would read

	Refused   bool // the server answered with an error
	Tolerated bool // which this tool may
	Err       error
}

// failed reports whether the call got no answer, or a wrong one.
func (c call) failed() bool { return c.Err != nil || c.Refused && !c.Tolerated }

type callKey struct{}

// observer notes what the adapter turned into text: agents read sentences, this program wants to know.
var observer = &langchaingo.Options{
	OnResult: func(ctx context.Context, _ *mcpgroup.Tool, res *mcpgroup.Result, err error) {
		c, _ := ctx.Value(callKey{}).(*call)
		var answered *mcpgroup.RPCError
		switch {
		case errors.As(err, &answered):
			c.Refused = true
		case err != nil:
			c.Err = err
		case res.IsError:
			c.Refused = true
		default:
			c.Err = res.Err() // input that nobody gave
		}
	},
}

// callTool calls a tool as an agent does: with a text, for a text.
func callTool(ctx context.Context, tool tools.Tool, args map[string]any) call {
	c := call{Tool: tool.Name()}
	input, err := json.Marshal(args)
	if err == nil {
		c.Observation, err = tool.Call(context.WithValue(ctx, callKey{}, &c), string(input))
	}
	if err != nil && c.Err == nil {
		c.Err = err
	}
	return c
}

// String is the line of the call.
func (c call) String() string {
	verdict := "ok"
	switch {
	case errors.Is(c.Err, mcpgroup.ErrOutcomeUnknown):
		verdict = "unknown"
	case c.failed():
		verdict = "FAILED"
	case c.Refused:
		verdict = "refused"
	}
	return fmt.Sprintf("%-12s %-15s %-6s %-40s %-8s %s", c.Server, c.Transport, c.User, c.Tool, verdict, head(c.Observation))
}

// head is the first 60 characters of a text, on one line.
func head(text string) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	return string(runes[:min(len(runes), 60)])
}
