// Figures measures what package openapi makes of public documents and of the style table of the OpenAPI Specification.
//
//	MCPFLEET_NPM=DIR go run ./figures
//
// It prints one row per goal and ends with status 1 if a row is SHORT, and with 3 if the documents of .ci/npm are absent.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/adapters/openapi"
	"github.com/mcpfleet/mcpfleet/adapters/openapi/internal/specs"
	"github.com/mcpfleet/mcpfleet/adapters/openapi/internal/styles"
)

func main() {
	if what := specs.Absent(); what != "" {
		fmt.Fprintln(os.Stdout, "figures: absent:", what)
		os.Exit(3)
	}
	ctx := context.Background()
	fmt.Fprint(os.Stdout, "## figures-openapi\n\n| goal | got | ok |\n| --- | --- | --- |\n")
	short := 0
	row := func(goal, got string, ok bool) {
		verdict := "ok"
		if !ok {
			short++
			verdict = "SHORT"
		}
		fmt.Fprintf(os.Stdout, "| %s | %s | %s |\n", goal, got, verdict)
	}
	for _, spec := range specs.All {
		measure(ctx, spec, row)
	}
	table(ctx, row)
	fmt.Fprintf(os.Stdout, "\nfigures-openapi: %d SHORT\n", short)
	if short > 0 {
		os.Exit(1)
	}
}

// measure makes a server of one document and calls each of its tools.
func measure(ctx context.Context, spec specs.Spec, row func(goal, got string, ok bool)) {
	goal := fmt.Sprintf("%s (OpenAPI %s): every operation is a tool", spec.Name, spec.Version)
	start := time.Now()
	d, err := openapi.Load(ctx, spec.Path(), nil)
	if err != nil {
		row(goal, err.Error(), false)
		return
	}
	parsed := time.Since(start)
	var reached atomic.Int64
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer backend.Close()
	start = time.Now()
	server, err := openapi.NewServer(d, &openapi.Options{BaseURL: backend.URL, Client: backend.Client(), IncludeDeprecated: true})
	if err != nil {
		row(goal, err.Error(), false)
		return
	}
	built := time.Since(start)
	session, err := connect(ctx, server)
	if err != nil {
		row(goal, err.Error(), false)
		return
	}
	defer session.Close()
	tools, failed, bytes := 0, 0, 0
	for tool, err := range session.Tools(ctx, nil) {
		if err != nil {
			row(goal, err.Error(), false)
			return
		}
		tools++
		input, _ := tool.InputSchema.(map[string]any)
		data, _ := json.Marshal(input)
		bytes += len(data)
		res, err := session.CallTool(ctx, &mcp.CallToolParams{Name: tool.Name, Arguments: specs.Arguments(input)})
		if err != nil || res.IsError {
			failed++
		}
	}
	ops := len(d.Operations())
	row(goal, fmt.Sprintf("%d operations, %d tools, %d B of input schema each; parsed in %v, built in %v",
		ops, tools, bytes/max(tools, 1), parsed.Round(time.Millisecond), built.Round(time.Millisecond)),
		ops == spec.Operations && tools == ops && len(d.Skipped()) == 0)
	row(fmt.Sprintf("%s: a call of every tool reaches the API", spec.Name), fmt.Sprintf("%d of %d", reached.Load(), tools),
		failed == 0 && int(reached.Load()) == tools)
}

// table compares the style table, byte by byte, with what a real server receives.
func table(ctx context.Context, row func(goal, got string, ok bool)) {
	cases := styles.Table()
	const goal, beyond = "every parameter style stands on the wire as OpenAPI 3.1.2 shows it", "what its table calls n/a is written as documented"
	backend := httptest.NewServer(styles.Backend)
	defer backend.Close()
	d, err := openapi.Parse(ctx, styles.Document(cases), nil)
	if err != nil {
		row(goal, err.Error(), false)
		return
	}
	server, err := openapi.NewServer(d, &openapi.Options{BaseURL: backend.URL, Client: backend.Client()})
	if err != nil {
		row(goal, err.Error(), false)
		return
	}
	session, err := connect(ctx, server)
	if err != nil {
		row(goal, err.Error(), false)
		return
	}
	defer session.Close()
	var right, all [2]int
	for i, c := range cases {
		kind := 0
		if c.Beyond {
			kind = 1
		}
		all[kind]++
		res, err := session.CallTool(ctx, &mcp.CallToolParams{Name: styles.Tool(i), Arguments: json.RawMessage(`{"color":` + c.Value + `}`)})
		if err != nil || res.IsError {
			fmt.Fprintln(os.Stderr, c, err)
			continue
		}
		var wire styles.Wire
		data, _ := json.Marshal(res.StructuredContent)
		if json.Unmarshal(data, &wire) == nil && wire.At(c.In) == c.Want {
			right[kind]++
		} else {
			fmt.Fprintf(os.Stderr, "%v: %q, want %q\n", c, wire.At(c.In), c.Want)
		}
	}
	row(goal, fmt.Sprintf("%d of %d", right[0], all[0]), right[0] == all[0])
	row(beyond, fmt.Sprintf("%d of %d", right[1], all[1]), right[1] == all[1])
}

func connect(ctx context.Context, server *mcp.Server) (*mcp.ClientSession, error) {
	near, far := mcp.NewInMemoryTransports()
	if _, err := server.Connect(ctx, far, nil); err != nil {
		return nil, err
	}
	return mcp.NewClient(&mcp.Implementation{Name: "figures", Version: "1"}, nil).Connect(ctx, near, nil)
}
