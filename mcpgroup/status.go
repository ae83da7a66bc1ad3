package mcpgroup

import (
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

// Status is a snapshot of a group.
type Status struct {
	Server    string
	Transport Transport
	Connected bool // a session is open

	ServerInfo      *mcp.Implementation // what the server last said of itself; nil before the first connect or if it says nothing
	ProtocolVersion string              // the MCP revision in use, such as "2026-07-28"

	Tools     int       // tools of the list that all users of a tenant share, of the longest; 0 where lists differ by user
	LastSync  time.Time // when the tools were last fetched
	LastError error     // what the last connect or fetch failed with; nil once one succeeded
	// Problems are the tools that were left out and the overrides, includes and excludes that fit no tool.
	Problems []Problem

	Sessions session.Stats
}

// Status returns a snapshot of the group. It asks the server nothing.
func (g *MCPFunctionGroup) Status() Status {
	s := Status{Server: g.cfg.Name, Transport: g.cfg.Transport, Sessions: g.sessions.Stats()}
	g.mu.Lock()
	s.Connected = len(g.conns) > 0
	s.ServerInfo, s.ProtocolVersion = g.state.serverInfo, g.state.revision
	s.LastSync, s.LastError = g.state.lastSync, g.state.lastError
	g.mu.Unlock()
	s.Tools, s.Problems = g.catalogue.summary()
	return s
}

// summary returns the number of tools that the users of a tenant share and the problems of all lists, each once.
func (c *catalogue) summary() (tools int, problems []Problem) {
	seen := map[Problem]bool{}
	add := func(l *listing) {
		for _, p := range l.problems {
			if !seen[p] {
				seen[p] = true
				problems = append(problems, p)
			}
		}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for id, t := range c.lists {
		if l := t.current.Load(); l != nil {
			add(l)
			if ofTenant(id) && !c.perUser() {
				tools = max(tools, len(l.tools))
			}
		}
	}
	slices.SortFunc(problems, compareProblems)
	return tools, problems
}
