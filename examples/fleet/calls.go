package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// A call is one call of one server, by the id of the tool.
type call struct {
	tool string
	args map[string]any
	want string // a part of the answer
}

// calls are what the servers can do without a key, a browser and the network: one call each.
func calls(dir string) []call {
	script := filepath.Join(dir, "eslint.config.mjs") // checks itself
	return []call{
		{"everything.echo", map[string]any{"message": "hello"}, "Echo: hello"},
		{"sequential-thinking.sequentialthinking", map[string]any{
			"thought": "one step", "thoughtNumber": 1, "totalThoughts": 1, "nextThoughtNeeded": false,
		}, "thoughtHistoryLength"},
		{"memory.create_entities", map[string]any{"entities": []any{
			map[string]any{"name": "Ada", "entityType": "person", "observations": []any{"wrote the first program"}},
		}}, "Ada"},
		{"filesystem.write_file", map[string]any{"path": script, "content": "export default [{rules: {\"no-debugger\": 2}}]; debugger;\n"}, "Successfully wrote"},
		{"eslint.lint-files", map[string]any{"filePaths": []any{script}}, "no-debugger"},
		{"git.git_init", map[string]any{"path": filepath.Join(dir, "repository")}, "repository"},
		{"godot.list_projects", map[string]any{"directory": dir}, "[]"},
		{"taskmanager.request_planning", map[string]any{
			"originalRequest": "a release", "tasks": []any{map[string]any{"title": "tag", "description": "tag the commit"}},
		}, "planned"},
		{"mongodb.list-connections", map[string]any{}, "connection"},
		{"metabase.search_api_spec", map[string]any{"search": "dashboard", "limit": 2}, "/api/"},
		{"railway.check-railway-status", nil, "Railway"},
		{"square.get_service_info", map[string]any{"service": "payments"}, "payment"},
	}
}

// run makes the call and describes it in one line. Its error says that the answer is not the one that was wanted.
func (c call) run(ctx context.Context, reg *mcpgroup.Registry) (string, error) {
	line := func(verdict, text string) string {
		runes := []rune(strings.Join(strings.Fields(text), " "))
		return fmt.Sprintf("%-7s %-40s %s", verdict, c.tool, string(runes[:min(len(runes), 72)]))
	}
	res, err := reg.Call(ctx, c.tool, c.args)
	if err == nil {
		err = res.Err()
	}
	if err == nil && !strings.Contains(res.Text(), c.want) {
		err = fmt.Errorf("fleet: %s: no %q in %q", c.tool, c.want, res.Text())
	}
	if err != nil {
		return line("FAILED", err.Error()), err
	}
	return line("ok", res.Text()), nil
}
