// The program registry measures many servers as one: thirty real ones from one file, a fleet that is configured anew a
// thousand times under load, servers that hang or are dead next to others, policies, and configurations that are refused.
//
//	figures-registry [-rows fleet,R8,...] [-short]
//
// The row fleet needs MCPFLEET_NPM, see .ci/npm; the others do not. All of it takes less than three minutes, and with
// -short, which does a tenth of the work, less than half a minute.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

var measurements = []figures.Measurement{
	{ID: "neighbours", Run: neighbours}, // first: it is the only one that compares durations
	{ID: "fleet", NPM: true, Run: fleet},
	{ID: "R8", Run: reloads},
	{ID: "policy", Run: policies},
	{ID: "refused", Run: refused},
}

var short = flag.Bool("short", false, "do a tenth of the work")

func main() {
	mcptest.ChildMain()
	log.SetFlags(0)
	rows := flag.String("rows", "", "comma-separated `ids` of what to measure; the default is everything")
	flag.Parse()
	chosen := figures.Choose("registry", measurements, *rows)
	if figures.NeedNPM(chosen) && os.Getenv("MCPFLEET_NPM") == "" {
		figures.Absent("MCPFLEET_NPM is not set; run .ci/npm DIR and export MCPFLEET_NPM=DIR")
	}
	if mcptest.OpenFiles() < 0 {
		figures.Absent("/proc tells nothing of processes and descriptors here; run this on Linux")
	}
	t := figures.New("registry")
	start := time.Now()
	for _, m := range chosen {
		m.Run(t)
	}
	t.Note("measured in %.0f s", time.Since(start).Seconds())
	t.Exit()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// scaled is n, or a tenth of it with -short.
func scaled(n int) int {
	if *short {
		return max(n/10, 1)
	}
	return n
}

func user(i int) context.Context {
	return session.NewContext(context.Background(), session.Key{Tenant: "acme", User: fmt.Sprint("user-", i)})
}

func newRegistry(servers []mcpgroup.ServerConfig, opts *mcpgroup.RegistryOptions) *mcpgroup.Registry {
	r, err := mcpgroup.LoadConfig(context.Background(), &mcpgroup.Config{Servers: servers}, opts)
	check(err)
	return r
}

// inMemory is a server of this process whose tools answer with text.
func inMemory(name, text string, tools ...string) mcpgroup.ServerConfig {
	s := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, nil)
	for _, tool := range tools {
		s.AddTool(&mcp.Tool{Name: tool, InputSchema: map[string]any{"type": "object"}},
			func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil
			})
	}
	return mcpgroup.ServerConfig{Name: name, Server: s}
}

// clientOf is the client that a user has of a server. It is made if there is none.
func clientOf(ctx context.Context, r *mcpgroup.Registry, server string) (client *mcp.ClientSession) {
	g, err := r.Get(server)
	check(err)
	check(g.WithSession(ctx, func(cs *mcp.ClientSession) error {
		client = cs
		return nil
	}))
	return client
}

// eventually waits up to d for ok and reports whether it came.
func eventually(d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
