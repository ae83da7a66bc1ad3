// The program fleet loads a configuration of thirty MCP servers that thirty different people wrote, waits until they are
// ready, lists what they have, and calls some of them. None of them needs a key or the network.
//
//	.ci/npm DIR                          # once; installs the servers
//	go run ./examples/fleet -npm DIR     # or: export MCPFLEET_NPM=DIR
//
// mcp.json is what any MCP client would read, with a category per server added. The program exits with status 1 if a
// server does not get ready or if fewer than ten answer a call, with 3 if the servers are not installed. With -json the
// summary is one JSON object per line on standard output and all else goes to standard error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

func main() {
	npm := flag.String("npm", os.Getenv("MCPFLEET_NPM"), "directory that .ci/npm installed the servers into")
	config := flag.String("config", "examples/fleet/mcp.json", "the servers")
	asJSON := flag.Bool("json", false, "print the summary as JSON, one row per line")
	flag.Parse()
	if *npm == "" {
		fmt.Fprintln(os.Stderr, "fleet: no servers to talk to: run .ci/npm DIR, then export MCPFLEET_NPM=DIR or pass -npm DIR")
		os.Exit(3)
	}

	// The first ^C ends the servers and the program in order, a second one at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)

	lines := io.Writer(os.Stdout)
	if *asJSON {
		lines = os.Stderr
	}
	rows, err := run(ctx, *config, *npm, lines)
	status := 0
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	for _, r := range rows {
		if !r.OK {
			status = 1
		}
		if *asJSON {
			err = json.NewEncoder(os.Stdout).Encode(r)
		} else {
			_, err = fmt.Printf("%-5s %s: %s\n", map[bool]string{true: "ok", false: "SHORT"}[r.OK], r.Goal, r.Got)
		}
		if err != nil {
			status = 1
		}
	}
	os.Exit(status)
}

// A row is one line of the summary: what was hoped for, what came of it, and whether the one meets the other.
type row struct {
	Goal, Got string
	OK        bool
}

// run loads the servers and looks at them. Whatever it starts has ended when it returns.
func run(ctx context.Context, config, npm string, out io.Writer) (rows []row, err error) {
	dir, err := os.MkdirTemp("", "fleet-")
	if err != nil {
		return nil, fmt.Errorf("fleet: making a directory for the servers: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg, err := readConfig(config, npm, dir)
	if err != nil {
		return nil, err
	}
	// Eight processes start at a time: thirty at once are too many for a small machine.
	reg, err := mcpgroup.LoadConfig(ctx, cfg, &mcpgroup.RegistryOptions{Concurrency: 8})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, reg.Close()) }()
	rows = append(rows, row{"servers in the configuration", fmt.Sprint(len(cfg.Servers)), len(cfg.Servers) >= 30 && len(cfg.Warnings) == 0})

	ctx = session.NewContext(ctx, session.Key{Tenant: "acme", User: "alice"})
	start := time.Now()
	progress := func(p mcpgroup.Progress) {
		fmt.Fprintf(out, "%2d of %d ready after %4.1f s  %s\n", p.Ready, p.Total, p.Elapsed.Seconds(), p.Server)
	}
	if err := reg.WaitReady(ctx, nil, &mcpgroup.WaitOptions{Timeout: 2 * time.Minute, OnProgress: progress}); err != nil {
		fmt.Fprintln(out, err) // the rest of the fleet is at hand
	}
	took := time.Since(start)

	ready, tools, err := printFleet(ctx, out, reg)
	if err != nil {
		return rows, err
	}
	rows = append(rows, row{"servers ready", fmt.Sprintf("%d of %d in %.0f s", ready, len(cfg.Servers), took.Seconds()), ready == len(cfg.Servers)})
	all, err := reg.List(ctx, mcpgroup.Filter{})
	if err != nil {
		return rows, err
	}
	rows = append(rows, row{"tools listed together, of what the servers have", fmt.Sprintf("%d of %d", all.Total, tools), all.Total == tools && tools > 0})

	answered := 0
	for _, c := range calls(dir) {
		line, err := c.run(ctx, reg)
		if err == nil {
			answered++
		}
		fmt.Fprintln(out, line)
	}
	return append(rows, row{"servers that answer a call, at least 10", fmt.Sprint(answered), answered >= 10}), nil
}

// readConfig reads the configuration with npm and dir in the place of its variables. The servers work in dir, which is
// their home as well, so that they leave nothing behind.
func readConfig(config, npm, dir string) (*mcpgroup.Config, error) {
	npm, err := filepath.Abs(npm)
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	variables := map[string]string{"MCPFLEET_NPM": npm, "FLEET_DIR": dir}
	cfg, err := mcpgroup.ReadConfigFile(config, &mcpgroup.ConfigOptions{Lookup: func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}})
	if err != nil {
		return nil, err
	}
	for i := range cfg.Servers {
		s := &cfg.Servers[i]
		if _, err := os.Stat(s.Args[0]); err != nil {
			return nil, fmt.Errorf("fleet: the server %s is not installed (linux/amd64 only; run .ci/npm %s): %w", s.Name, npm, err)
		}
		if s.Env == nil {
			s.Env = map[string]string{}
		}
		s.Dir, s.Env["HOME"] = dir, dir
	}
	return cfg, nil
}

// printFleet prints a line per server and one per category, and counts the servers that are ready and their tools.
func printFleet(ctx context.Context, out io.Writer, reg *mcpgroup.Registry) (ready, tools int, err error) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nserver\tstate\ttools\tera\tversion")
	var categories []string
	for _, s := range reg.Status() {
		if !slices.Contains(categories, s.Category) {
			categories = append(categories, s.Category)
		}
		has, err := reg.List(ctx, mcpgroup.Filter{Server: s.Server}) // Status counts no lists that are a user's own
		if err != nil {
			return 0, 0, err
		}
		tools += has.Total
		version := "unknown"
		if s.ServerInfo != nil {
			version = s.ServerInfo.Version
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", s.Server, s.State, has.Total, s.ProtocolVersion, version)
		if s.State == mcpgroup.StateReady {
			ready++
		}
	}
	fmt.Fprintln(w, "\ncategory\t\ttools")
	for _, category := range categories {
		l, err := reg.List(ctx, mcpgroup.Filter{Category: category})
		if err != nil {
			return 0, 0, err
		}
		fmt.Fprintf(w, "%s\t\t%d\n", category, l.Total)
	}
	fmt.Fprintln(w)
	return ready, tools, w.Flush()
}
