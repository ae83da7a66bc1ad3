package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/tmc/langchaingo/tools"
	"golang.org/x/sync/errgroup"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// A lab is server-everything over streamable HTTP and three groups that reach it.
type lab struct {
	in     install
	port   int
	server *process
	proxy  *proxy
	host   *host

	trusted   *member // through the proxy; its annotations are believed
	untrusted *member // through the proxy
	direct    *member // sees the port refuse connections while the server is away

	mu      sync.Mutex // guards flights while calls run
	flights []flight
}

func openLab(ctx context.Context, in install) (_ *lab, err error) {
	l := &lab{in: in, host: newHost()}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.port, err = freePort(); err != nil {
		return nil, err
	}
	if l.server, err = startEverything(ctx, in, l.port); err != nil {
		return nil, err
	}
	if l.proxy, err = startProxy(l.port); err != nil {
		return nil, err
	}
	handlers := l.host.handlers()
	for _, m := range []struct {
		member **member
		cfg    mcpgroup.ServerConfig
	}{
		{&l.trusted, mcpgroup.ServerConfig{Name: "trusted", URL: l.proxy.url + "/mcp", Trusted: true}},
		{&l.untrusted, mcpgroup.ServerConfig{Name: "untrusted", URL: l.proxy.url + "/mcp"}},
		{&l.direct, mcpgroup.ServerConfig{Name: "direct", URL: "http://" + address(l.port) + "/mcp"}},
	} {
		m.cfg.ReconnectWindow = startBound // Node takes its time
		if *m.member, err = newMember(ctx, m.cfg, handlers); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *lab) close() {
	for _, m := range []*member{l.trusted, l.untrusted, l.direct} {
		if m != nil {
			m.group.Close()
		}
	}
	if l.proxy != nil {
		l.proxy.stop()
	}
	if l.server != nil {
		l.server.stop()
	}
}

// echo calls a tool that changes nothing.
func (l *lab) echo(ctx context.Context, m *member, user, marker string, streamed bool) {
	c := m.call(ctx, user, "echo", map[string]any{"message": marker, "marker": marker})
	if c.Err == nil && c.Observation != "Echo: "+marker {
		c.Err = fmt.Errorf("got the answer of another call: %q", head(c.Observation))
	}
	l.land(flight{call: c, marker: marker, repeatable: m.trusted, streamed: streamed})
}

// long calls a tool that changes nothing and takes a second.
func (l *lab) long(ctx context.Context, m *member, user, marker string) {
	c := m.call(ctx, user, "trigger-long-running-operation", map[string]any{"duration": 1, "steps": 2, "marker": marker})
	l.land(flight{call: c, marker: marker, repeatable: m.trusted, mayBeUnknown: !m.trusted})
}

// sample calls a tool that must not run twice: it makes the server ask the application for a model's answer, which costs
// money. A slow one is under way when the server dies.
func (l *lab) sample(ctx context.Context, m *member, user, marker string) {
	c := m.call(ctx, user, "trigger-sampling-request", map[string]any{"prompt": markerPrefix + marker, "maxTokens": 10, "marker": marker})
	l.land(flight{call: c, marker: marker, sampled: true, mayBeUnknown: strings.HasSuffix(marker, slowSuffix)})
}

func (l *lab) land(f flight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flights = append(l.flights, f)
}

// A member is one group and its tools as each user's agent has them.
type member struct {
	group   *mcpgroup.MCPFunctionGroup
	trusted bool
	tools   map[string]map[string]tools.Tool // by user and name
}

func newMember(ctx context.Context, cfg mcpgroup.ServerConfig, handlers mcpgroup.Handlers) (*member, error) {
	g, err := mcpgroup.New(cfg, &mcpgroup.Options{Handlers: handlers, Headers: nameUser(cfg.Name)})
	if err != nil {
		return nil, err
	}
	m := &member{group: g, trusted: cfg.Trusted, tools: map[string]map[string]tools.Tool{}}
	var mu sync.Mutex
	var all errgroup.Group
	for _, user := range users {
		all.Go(func() error {
			byName, err := agentTools(as(ctx, user), g)
			mu.Lock()
			defer mu.Unlock()
			m.tools[user] = byName
			return err
		})
	}
	if err := all.Wait(); err != nil {
		g.Close()
		return nil, fmt.Errorf("realservers: connecting group %s: %w", cfg.Name, err)
	}
	return m, nil
}

func (m *member) call(ctx context.Context, user, tool string, args map[string]any) call {
	c := callTool(as(ctx, user), m.tools[user][tool], args)
	c.Server, c.Transport, c.User = m.group.Name(), mcpgroup.TransportStreamableHTTP, user
	return c
}

// agentTools are the tools of one user's agent, by name.
func agentTools(ctx context.Context, g *mcpgroup.MCPFunctionGroup) (map[string]tools.Tool, error) {
	list, err := g.Tools(ctx)
	if err != nil {
		return nil, err
	}
	// Opens the session of the user, whoever of them fetched the list.
	if _, err := countTools(ctx, g); err != nil {
		return nil, err
	}
	adapted, err := langchaingo.Tools(list, observer)
	if err != nil {
		return nil, err
	}
	byName := map[string]tools.Tool{}
	for _, t := range adapted {
		byName[t.Name()] = t
	}
	for _, name := range []string{"echo", "trigger-long-running-operation", "trigger-sampling-request"} {
		if byName[name] == nil {
			return nil, fmt.Errorf("the server has no tool %s", name)
		}
	}
	return byName, nil
}

// nameUser tells the proxy on whose session a request travels.
func nameUser(group string) func(context.Context, session.Key) (http.Header, error) {
	return func(_ context.Context, key session.Key) (http.Header, error) {
		return http.Header{userHeader: {group + "/" + key.User}}, nil
	}
}
