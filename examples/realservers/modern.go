package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// MCP 2026-07-28 has no protocol session: there is no initialize, and each request says who asks and in which revision.
const modern = "2026-07-28"

// mongodb serves its tools without a database. Those that need one have to say that there is none, which takes the same
// way there and back.
func mongodb(ctx context.Context, in install, _ string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(ctx, port, nil, in.node, in.mongodb,
		"--transport", "http", "--httpPort", fmt.Sprint(port), "--httpHost", "127.0.0.1", "--telemetry", "disabled",
		"--assistantBaseUrl", "http://127.0.0.1:1/") // its documentation search is a service elsewhere: nothing listens here
	if err != nil {
		return nil, err
	}
	return &server{
		name: "mongodb", host: newHost(), revision: modern,
		config: mcpgroup.ServerConfig{Name: "mongodb", URL: "http://" + address(port) + "/mcp"},
		arguments: func(tool, _ string) map[string]any {
			if tool == "connect" { // port 1: nobody listens there
				return map[string]any{"connectionString": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"}
			}
			return nil
		},
		mayRefuse: func(tool string) bool { return tool != "list-connections" },
		cleanup:   []func(){p.stop},
	}, nil
}

// conformance is the server that the Go SDK is tested with: every kind of content, and the tools of 2026-07-28 that
// answer with a question (input_required) before they answer.
func conformance(ctx context.Context, _ install, temp string) (*server, error) {
	const source = "github.com/modelcontextprotocol/go-sdk/conformance/everything-server"
	program := filepath.Join(temp, "conformance-server")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("realservers: building %s (run this program inside the repository): %w: %s", source, err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(ctx, port, nil, program, "-http", address(port))
	if err != nil {
		return nil, err
	}
	return &server{
		name: "conformance", host: newHost(), revision: modern,
		config: mcpgroup.ServerConfig{Name: "conformance", URL: "http://" + address(port) + "/mcp"},
		arguments: func(tool, user string) map[string]any {
			switch tool {
			case "json_schema_2020_12_tool":
				return map[string]any{"name": user, "contactMethod": "email", "email": user + "@example.com"}
			case "test_x_mcp_header":
				return map[string]any{"region": "eu-" + user, "level": 1}
			}
			return nil
		},
		mayRefuse: func(tool string) bool { return conformanceRefuses[tool] },
		cleanup:   []func(){p.stop},
	}, nil
}

// conformanceRefuses are tools whose answer is an error: one is there to fail, the others send the client requests in the
// way of older revisions, which MCP 2026-07-28 replaced by input_required.
var conformanceRefuses = map[string]bool{
	"test_error_handling":               true,
	"test_elicitation":                  true,
	"test_elicitation_sep1034_defaults": true,
	"test_elicitation_sep1330_enums":    true,
	"test_sampling":                     true,
}
