package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// scenarios are the scenarios of the suite by name. Those of the skills extension are not here: this library has no
// skills, and the suite skips their checks for a client that never asks for any.
var scenarios = map[string]scenario{
	"initialize":                          listTools,
	"tools_call":                          addNumbers,
	"elicitation-sep1034-client-defaults": acceptDefaults,
	"sse-retry":                           callReconnecting,
	"request-metadata":                    listTools,
	"json-schema-ref-no-deref":            listTools,
	"json-schema-2020-12-preservation":    echoSchema,
	"sep-2322-client-request-state":       answerInputRequests,
	"http-standard-headers":               useEverything,
	"http-custom-headers":                 callAsTold,
	"http-invalid-tool-headers":           callAllTools,
}

// skipped are the scenarios of extensions that a client may do without: their checks are skipped where it does.
func init() {
	for _, name := range []string{
		"sep-2640-client-no-prefetch", "sep-2640-client-verify-digest", "sep-2640-client-verify-size", "sep-2640-client-verify-frontmatter",
	} {
		scenarios[name] = listTools
	}
}

func listTools(ctx context.Context, s *setting) error {
	group, err := s.client(nil)
	if err != nil {
		return err
	}
	defer group.Close()
	_, err = group.Tools(ctx)
	return err
}

func addNumbers(ctx context.Context, s *setting) error {
	group, err := s.client(nil)
	if err != nil {
		return err
	}
	defer group.Close()
	return call(ctx, group, "add_numbers", map[string]any{"a": 5, "b": 3})
}

// acceptDefaults accepts an elicitation and fills in nothing: the defaults of its schema are to take effect.
func acceptDefaults(ctx context.Context, s *setting) error {
	group, err := s.client(&mcpgroup.Options{Handlers: mcpgroup.Handlers{Elicit: accept(map[string]any{})}})
	if err != nil {
		return err
	}
	defer group.Close()
	return call(ctx, group, "test_client_elicitation_defaults", nil)
}

// callReconnecting calls a tool whose answer comes on another stream than the one that the server closed.
func callReconnecting(ctx context.Context, s *setting) error {
	group, err := s.client(nil)
	if err != nil {
		return err
	}
	defer group.Close()
	return call(ctx, group, "test_reconnection", nil)
}

// echoSchema sends the schema of a tool back, so that the server sees which of its keywords arrived.
func echoSchema(ctx context.Context, s *setting) error {
	group, err := s.client(nil)
	if err != nil {
		return err
	}
	defer group.Close()
	tools, err := group.Tools(ctx)
	if err != nil {
		return err
	}
	for _, t := range tools {
		if t.OriginalName == "json_schema_2020_12_tool" {
			return call(ctx, group, "json_schema_echo", map[string]any{"schema": t.InputSchema})
		}
	}
	return errors.New("conformance: the server does not list json_schema_2020_12_tool")
}

// answerInputRequests calls tools that ask for input before they answer. One is also called that does not, between the
// rounds of another, and what is asked of it must not leak into it.
func answerInputRequests(ctx context.Context, s *setting) error {
	group, err := s.client(&mcpgroup.Options{Handlers: mcpgroup.Handlers{Elicit: accept(map[string]any{"confirmed": true})}})
	if err != nil {
		return err
	}
	defer group.Close()
	var errs []error
	for _, name := range []string{"test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_unrelated", "test_mrtr_no_result_type"} {
		errs = append(errs, call(ctx, group, name, nil))
	}
	return errors.Join(errs...)
}

// useEverything uses each kind of thing that a server offers once.
func useEverything(ctx context.Context, s *setting) error {
	group, err := s.client(nil)
	if err != nil {
		return err
	}
	defer group.Close()
	errs := []error{callAll(ctx, group, nil)}
	resources, err := group.Resources(ctx)
	errs = append(errs, err)
	for _, r := range resources {
		_, err := group.ReadResource(ctx, r.URI)
		errs = append(errs, err)
	}
	prompts, err := group.Prompts(ctx)
	errs = append(errs, err)
	for _, p := range prompts {
		_, err := group.GetPrompt(ctx, p.Name, nil)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// callAsTold makes the calls that the suite lists.
func callAsTold(ctx context.Context, s *setting) error {
	group, err := s.client(nil)
	if err != nil {
		return err
	}
	defer group.Close()
	var errs []error
	for _, c := range s.ToolCalls {
		errs = append(errs, call(ctx, group, c.Name, c.Arguments))
	}
	return errors.Join(errs...)
}

// callAllTools calls each tool that is listed: those with impossible header annotations must not be among them.
func callAllTools(ctx context.Context, s *setting) error {
	group, err := s.client(nil)
	if err != nil {
		return err
	}
	defer group.Close()
	return callAll(ctx, group, map[string]any{"region": "us-west1"})
}

func callAll(ctx context.Context, group *mcpgroup.MCPFunctionGroup, args map[string]any) error {
	tools, err := group.Tools(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range tools {
		errs = append(errs, call(ctx, group, t.Name, args))
	}
	return errors.Join(errs...)
}

func call(ctx context.Context, group *mcpgroup.MCPFunctionGroup, name string, args map[string]any) error {
	res, err := group.Call(ctx, name, args)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s: %s\n", name, strings.TrimSpace(res.Text()))
	return res.Err()
}

// accept returns a handler that accepts every elicitation with content.
func accept(content map[string]any) func(context.Context, session.Key, *mcp.ElicitParams) (*mcp.ElicitResult, error) {
	return func(context.Context, session.Key, *mcp.ElicitParams) (*mcp.ElicitResult, error) {
		return &mcp.ElicitResult{Action: "accept", Content: content}, nil
	}
}
