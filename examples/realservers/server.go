package main

import (
	"context"
	"slices"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// users are at work at the same time. Each has sessions of their own.
var users = []string{"alice", "bob"}

func as(ctx context.Context, user string) context.Context {
	return session.NewContext(ctx, session.Key{Tenant: "acme", User: user})
}

// A server is one server on one transport, ready to be visited.
type server struct {
	name string
	host *host

	// config is the server as all users reach it, unless each has an endpoint of their own.
	config  mcpgroup.ServerConfig
	perUser map[string]mcpgroup.ServerConfig
	env     func(ctx context.Context, key session.Key) (map[string]string, error)

	// arguments gives the arguments of a tool; nil means that its schema says enough.
	arguments func(tool, user string) map[string]any
	// mayRefuse says that a tool may answer with an error although the call is right.
	mayRefuse func(tool string) bool
	// verify looks, after all calls, whether they had the effect they should have.
	verify func(ctx context.Context, user string, g *mcpgroup.MCPFunctionGroup) error

	revision string // the MCP revision that has to be negotiated
	cleanup  []func()
}

// stop ends what the server needed, last started first. The groups have been closed by then.
func (s *server) stop() {
	for _, f := range slices.Backward(s.cleanup) {
		f()
	}
}

// groups makes the groups of the server, by user. Users share a group, which keeps their sessions apart, unless each has
// an endpoint.
func (s *server) groups() (map[string]*mcpgroup.MCPFunctionGroup, error) {
	opts := &mcpgroup.Options{Handlers: s.host.handlers(), Env: s.env}
	byUser := map[string]*mcpgroup.MCPFunctionGroup{}
	if s.perUser == nil {
		g, err := mcpgroup.New(s.config, opts)
		for _, user := range users {
			byUser[user] = g
		}
		return byUser, err
	}
	for _, user := range users {
		g, err := mcpgroup.New(s.perUser[user], opts)
		if err != nil {
			return nil, err
		}
		byUser[user] = g
	}
	return byUser, nil
}

func closeGroups(byUser map[string]*mcpgroup.MCPFunctionGroup) (err error) {
	for _, g := range byUser {
		if e := g.Close(); e != nil { // closing a shared group twice is allowed
			err = e
		}
	}
	return err
}
