package main

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

const remotes, children, locals, guests = 6, 2, 5, 3

// yard is a fleet whose configuration changes.
type yard struct {
	all   []*vehicle
	hosts []*mcptest.Host
}

// vehicle is one server. Its tool whoami answers with the generation of the configuration.
type vehicle struct {
	name  string
	guest bool // comes and goes
	child bool // runs as a process per user
	here  bool
	make  func(generation int) mcpgroup.ServerConfig
	cfg   mcpgroup.ServerConfig
	// A reload raises begun before it puts a new generation in place of the last, and ended afterwards.
	begun, ended atomic.Int64
}

func newYard() *yard {
	y := &yard{}
	add := func(v *vehicle) {
		v.here, v.cfg = true, v.make(0)
		y.all = append(y.all, v)
	}
	for i := range remotes + guests {
		host := mcptest.Listen(mcptest.NewRaw(&mcptest.RawOptions{NoJournal: true, Era: []string{mcptest.Era2025, mcptest.Era2026}[i%2]}))
		y.hosts = append(y.hosts, host)
		name := fmt.Sprint("remote-", i)
		add(&vehicle{name: name, guest: i >= remotes, make: func(generation int) mcpgroup.ServerConfig {
			return mcpgroup.ServerConfig{Name: name, URL: host.URL() + "/mcp", Headers: map[string]string{"X-User": mark(generation)}}
		}})
	}
	for i := range children {
		mode := "honest"
		if i == 0 {
			mode = "forking" // and its child outlives it, if nobody ends that too
		}
		name := fmt.Sprint("child-", i)
		add(&vehicle{name: name, child: true, make: func(generation int) mcpgroup.ServerConfig {
			command, args, env := mcptest.ChildCommand(mode)
			env[mcptest.EnvUser], env[mcptest.EnvLifetime] = mark(generation), "10m"
			return mcpgroup.ServerConfig{Name: name, Command: command, Args: args, Env: env}
		}})
	}
	for i := range locals {
		name := fmt.Sprint("local-", i)
		add(&vehicle{name: name, make: func(generation int) mcpgroup.ServerConfig {
			return inMemory(name, mark(generation), "whoami", "echo", "sleep")
		}})
	}
	return y
}

func (y *yard) close() {
	for _, h := range y.hosts {
		h.Close()
	}
}

func (y *yard) config() (servers []mcpgroup.ServerConfig) {
	for _, v := range y.all {
		if v.here {
			servers = append(servers, v.cfg)
		}
	}
	return servers
}

// processes is how many processes all users' sessions of the present servers are. A forking server is two, but only one is
// a child of this process.
func (y *yard) processes() int { return children * users }

// half returns half of the servers. Processes are among them once in four times only: a start takes as long as a hundred
// calls.
func (y *yard) half() (half []*vehicle) {
	var later []*vehicle
	for _, i := range rand.Perm(len(y.all)) {
		if v := y.all[i]; v.child && rand.IntN(4) > 0 {
			later = append(later, v)
		} else {
			half = append(half, v)
		}
	}
	return append(half, later...)[:len(y.all)/2]
}

func mark(generation int) string { return fmt.Sprintf("generation %d.", generation) }
