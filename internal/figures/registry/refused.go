package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// refused: reloads that fail change nothing, whatever is wrong and however much else was right.
func refused(t *figures.Table) {
	down := mcptest.Listen(mcptest.NewRaw(nil))
	defer down.Close()
	down.Stop()
	f := newYard()
	defer f.close()
	before := mcptest.Goroutines()
	reg := newRegistry(f.config(), &mcpgroup.RegistryOptions{Options: func(cfg mcpgroup.ServerConfig) (*mcpgroup.Options, error) {
		if cfg.Name == "cursed" {
			return nil, errors.New("no options for this one")
		}
		return nil, nil
	}})
	var names []string
	for _, v := range f.all {
		names = append(names, v.name)
		clientOf(user(0), reg, v.name)
	}
	was := look(reg, names)
	processes := len(mcptest.Children())

	command, args, env := mcptest.ChildCommand("exit")
	remote := func(change func(*mcpgroup.ServerConfig)) mcpgroup.ServerConfig {
		cfg := mcpgroup.ServerConfig{Name: "bad", URL: down.URL() + "/mcp"}
		change(&cfg)
		return cfg
	}
	kinds := map[string]mcpgroup.ServerConfig{
		"a name with a blank":          remote(func(c *mcpgroup.ServerConfig) { c.Name = "no good" }),
		"a name that is taken":         remote(func(c *mcpgroup.ServerConfig) { c.Name = names[0] }),
		"neither command nor url":      {Name: "bad"},
		"both command and url":         remote(func(c *mcpgroup.ServerConfig) { c.Command = command }),
		"a url that is none":           {Name: "bad", URL: "ftp://example.com"},
		"include and exclude":          remote(func(c *mcpgroup.ServerConfig) { c.Include, c.Exclude = []string{"a"}, []string{"b"} }),
		"a glob that is none":          remote(func(c *mcpgroup.ServerConfig) { c.Include = []string{"[a"} }),
		"an unknown revision":          remote(func(c *mcpgroup.ServerConfig) { c.ProtocolVersion = "1999-01-01" }),
		"a negative limit":             remote(func(c *mcpgroup.ServerConfig) { c.Sessions.Max = -1 }),
		"a credential, no secrets":     remote(func(c *mcpgroup.ServerConfig) { c.Credential = "id" }),
		"OAuth, no provider":           remote(func(c *mcpgroup.ServerConfig) { c.OAuth = map[string]string{"grant": "code"} }),
		"options that fail":            remote(func(c *mcpgroup.ServerConfig) { c.Name = "cursed" }),
		"required, refuses to connect": remote(func(c *mcpgroup.ServerConfig) { c.Required = true }),
		"required, no such program":    {Name: "bad", Command: "/nonexistent/server", Required: true},
		"required, ends at once":       {Name: "bad", Command: command, Args: args, Env: env, Required: true},
	}
	accepted, changed := 0, 0
	for kind, bad := range kinds {
		// All else is right: one server is gone, one is new and required, which starts a process, half of them change.
		var servers []mcpgroup.ServerConfig
		for i, v := range f.all[1:] {
			cfg := v.cfg
			if i%2 == 0 {
				cfg = v.make(1)
			}
			servers = append(servers, cfg)
		}
		if bad.Name == names[0] {
			servers = append(servers, f.all[0].cfg)
		}
		fresh := f.byName("child-0").make(1)
		fresh.Name, fresh.Required = "fresh", true
		diff, err := reg.Reload(context.Background(), &mcpgroup.Config{Servers: append(append(servers, fresh), bad)})
		if err == nil || !diff.Empty() {
			accepted++
			t.Note("refused: %s: %+v, error %v", kind, diff, err)
		}
		if now := look(reg, names); now.unlike(was) != "" {
			changed++
			t.Note("refused: %s: %s", kind, now.unlike(was))
			was = now
		}
	}
	left := len(mcptest.Children()) - processes
	check(reg.Close())
	after := mcptest.Goroutines()
	t.Row("refused: 0 of the bad configurations are taken, of 10 kinds or more", fmt.Sprintf("%d of %d", accepted, len(kinds)), accepted == 0 && len(kinds) >= 10)
	t.Row("refused: they change no name, group, client, list or generation", fmt.Sprintf("%d do", changed), changed == 0)
	t.Row("refused: nothing they started is left", fmt.Sprintf("%d processes, %+d goroutines", left, after-before), left == 0 && after <= before)

	documents := badDocuments()
	read, unlocated := 0, 0
	for text, path := range documents {
		_, err := mcpgroup.ReadConfig(strings.NewReader(text), &mcpgroup.ConfigOptions{Strict: true, Lookup: func(string) (string, bool) { return "", false }})
		var wrong *mcpgroup.DocumentError
		if !errors.As(err, &wrong) {
			read++
		} else if !slices.ContainsFunc(wrong.Problems, func(p mcpgroup.DocumentProblem) bool { return p.Path == path }) {
			unlocated++
			t.Note("refused: %s: %v", text, err)
		}
	}
	t.Row("refused: bad documents say where they are bad", fmt.Sprintf("%d read, %d unlocated, of %d", read, unlocated, len(documents)), read+unlocated == 0)
}

// sight is what can be seen of a registry.
type sight struct {
	names      []string
	groups     []*mcpgroup.MCPFunctionGroup
	clients    []*mcp.ClientSession
	generation uint64
	hash       string
}

func look(reg *mcpgroup.Registry, servers []string) sight {
	l, err := reg.List(user(0), mcpgroup.Filter{})
	check(err)
	s := sight{names: reg.Names(), hash: l.Hash}
	for _, name := range servers {
		g, err := reg.Get(name)
		check(err)
		s.groups, s.clients = append(s.groups, g), append(s.clients, clientOf(user(0), reg, name))
	}
	s.generation = reg.Generation()
	return s
}

// unlike says in what s differs from before, and is empty if it does not.
func (s sight) unlike(before sight) string {
	var differs []string
	for what, equal := range map[string]bool{
		"names": slices.Equal(s.names, before.names), "groups": slices.Equal(s.groups, before.groups),
		"clients": slices.Equal(s.clients, before.clients), "generation": s.generation == before.generation, "list": s.hash == before.hash,
	} {
		if !equal {
			differs = append(differs, what)
		}
	}
	return strings.Join(differs, ", ")
}

// badDocuments are documents, each with the path of what is wrong with it.
func badDocuments() map[string]string {
	server := func(members string) string { return `{"mcpServers": {"s": {` + members + `}}}` }
	return map[string]string{
		`{`:                  "",
		`[]`:                 "",
		`{"servers": {}}`:    "",
		`{"mcpServers": []}`: "mcpServers",
		`{"mcpServers": {"s": {"url": "http://a"}, "s": {"url": "http://b"}}}`: "mcpServers.s",
		server(`"args": ["x"]`):                               "mcpServers.s",
		server(`"command": "a", "url": "http://a"`):           "mcpServers.s",
		server(`"command": 7`):                                "mcpServers.s.command",
		server(`"command": "a", "args": ["b", 7]`):            "mcpServers.s.args[1]",
		server(`"command": "a", "env": {"K": true}`):          "mcpServers.s.env.K",
		server(`"url": "${NOT_SET}"`):                         "mcpServers.s.url",
		server(`"url": "http://a", "type": "carrier"`):        "mcpServers.s.type",
		server(`"url": "http://a", "timeouts": {"call": []}`): "mcpServers.s.timeouts.call",
		server(`"url": "http://a", "purpose": "unknown"`):     "mcpServers.s.purpose",
	}
}
