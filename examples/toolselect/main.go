// The program toolselect shows which of many tools fit a request, and what that saves. It needs no keys, and no network
// unless the servers do.
//
//	go run ./examples/toolselect -config mcp.json "open a pull request for my branch"
//	go run ./examples/toolselect -dump tools.jsonl -steps "find the customer; send an e-mail"
//	go run ./examples/toolselect -dump tools.jsonl          # asks for requests, one per line
//
// The catalogue is that of MCP servers (mcpServers JSON, as any MCP client reads it) or a file with one tool per line:
//
//	{"server": "github", "name": "create_pull_request", "description": "...", "input_schema": {"type": "object", ...}}
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ^C ends the program at once
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is the program. It shows progress on stderr if that is a terminal.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("toolselect", flag.ContinueOnError)
	flags.SetOutput(stderr)
	config := flags.String("config", "", "`file` with MCP servers (mcpServers JSON)")
	dump := flags.String("dump", "", "`file` with one tool per line (JSON)")
	servers := flags.String("servers", "", "only tools of these servers, separated by commas")
	steps := flags.String("steps", "", "short queries, separated by semicolons, instead of or beside a request")
	var opts mcpgroup.SelectOptions
	flags.IntVar(&opts.MaxTools, "max", 8, "most tools to select")
	flags.IntVar(&opts.TokenBudget, "budget", 2000, "most tokens that they cost together; 0 for no bound")
	flags.BoolVar(&opts.Explain, "explain", false, "show the parts of the scores, and what was left out to fit the budget")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp // which has been shown
	}
	opts.Servers, opts.Steps = fields(*servers, ","), fields(*steps, ";")

	progress := newProgress(stderr)
	reg, err := load(ctx, *config, *dump, progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reg.Close()) }()
	ctx = session.NewContext(ctx, session.Key{User: cmp.Or(os.Getenv("USER"), "you")})
	wait := &mcpgroup.WaitOptions{Timeout: time.Minute, OnProgress: func(p mcpgroup.Progress) { progress.show("connecting", p.Ready, p.Total) }}
	down := reg.WaitReady(ctx, nil, wait)
	progress.clear()
	if down != nil {
		fmt.Fprintln(stderr, down) // and go on with the others
	}

	if request := strings.Join(flags.Args(), " "); request != "" || len(opts.Steps) > 0 {
		return answer(ctx, reg, request, &opts, progress, stdout)
	}
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, maxLine) // a request may be longer than what a Scanner takes by itself
	for progress.prompt("request> "); lines.Scan(); progress.prompt("request> ") {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		if err := answer(ctx, reg, lines.Text(), &opts, progress, stdout); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("toolselect: reading requests: %w", err)
	}
	return nil
}

// load makes the registry of a catalogue.
func load(ctx context.Context, config, dump string, progress *progress) (*mcpgroup.Registry, error) {
	opts := &mcpgroup.RegistryOptions{Selector: &selector.Options{Embedder: slowly(progress)}}
	switch {
	case (config == "") == (dump == ""):
		return nil, errors.New("toolselect: give a catalogue: either -config or -dump")
	case config != "":
		return mcpgroup.LoadFile(ctx, config, opts)
	}
	servers, err := readDump(dump)
	if err != nil {
		return nil, err
	}
	return mcpgroup.LoadConfig(ctx, &mcpgroup.Config{Servers: servers}, opts)
}

// answer selects the tools for one request and prints them.
func answer(ctx context.Context, reg *mcpgroup.Registry, request string, opts *mcpgroup.SelectOptions, progress *progress, out io.Writer) error {
	start := time.Now()
	found, err := reg.Select(ctx, request, opts)
	took := time.Since(start)
	progress.clear()
	if err != nil {
		return err
	}
	return printSelection(out, found, opts, took)
}

// fields are the parts of s, without blanks around them and without empty ones.
func fields(s, separator string) (parts []string) {
	for part := range strings.SplitSeq(s, separator) {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}
