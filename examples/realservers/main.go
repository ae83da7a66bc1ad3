// The program realservers shows mcpfleet with MCP servers that other people wrote: two users at once list and call every
// tool of each of them through langchaingo's tool interface, over stdio, streamable HTTP and legacy SSE, and go on calling
// while one of the servers is killed and started again.
//
//	.ci/npm DIR                                # once; installs the servers
//	go run ./examples/realservers -npm DIR     # or: export MCPFLEET_NPM=DIR
//
// It prints one line per call and a summary, and exits with status 1 if anything in the summary falls short, with 3 if
// the servers are not installed. With -json the summary is one JSON object per line on standard output and all else goes
// to standard error.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	npm := flag.String("npm", os.Getenv("MCPFLEET_NPM"), "directory that .ci/npm installed the servers into")
	asJSON := flag.Bool("json", false, "print the summary as JSON, one row per line")
	flag.Parse()
	if *npm == "" {
		fmt.Fprintln(os.Stderr, "realservers: no servers to talk to: run .ci/npm DIR, then export MCPFLEET_NPM=DIR or pass -npm DIR")
		os.Exit(3)
	}

	// The first ^C ends the servers and the program in order, a second one at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)

	lines := io.Writer(os.Stdout)
	if *asJSON {
		lines = os.Stderr
	}
	report, err := run(ctx, *npm, lines)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := 0
	for _, row := range report.rows() {
		if *asJSON {
			err = json.NewEncoder(os.Stdout).Encode(row)
		} else {
			_, err = fmt.Println(row)
		}
		if err != nil || !row.OK {
			status = 1
		}
	}
	for _, problem := range report.problems {
		fmt.Fprintln(os.Stderr, problem)
	}
	os.Exit(status)
}

// run visits every server, then restarts one. Whatever it starts has ended when it returns.
func run(ctx context.Context, npm string, out io.Writer) (*report, error) {
	in, err := openInstall(npm)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "realservers-")
	if err != nil {
		return nil, fmt.Errorf("realservers: making a directory for the servers: %w", err)
	}
	defer os.RemoveAll(temp)

	r := &report{out: out}
	for _, prepare := range []func(context.Context, install, string) (*server, error){
		everythingStdio, everythingHTTP, everythingSSE, filesystem, mongodb, conformance,
	} {
		s, err := prepare(ctx, in, temp)
		if err != nil {
			return nil, err
		}
		err = visit(ctx, s, r)
		s.stop()
		if err != nil {
			return nil, err
		}
	}
	if err := restarts(ctx, in, r); err != nil {
		return nil, err
	}
	return r, nil
}
