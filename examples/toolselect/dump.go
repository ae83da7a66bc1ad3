package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// maxLine bounds one tool of a dump, and one request, in bytes.
const maxLine = 16 << 20

// readDump makes servers of this process of the tools in a file. They can be selected and not be called.
func readDump(path string) ([]mcpgroup.ServerConfig, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("toolselect: %w", err)
	}
	defer file.Close()
	var servers []mcpgroup.ServerConfig
	byName := map[string]*mcp.Server{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var tool struct {
			Server, Name, Description string
			InputSchema               map[string]any `json:"input_schema"`
		}
		if err := json.Unmarshal(lines.Bytes(), &tool); err != nil {
			return nil, fmt.Errorf("toolselect: %s, line %d: %w", path, n, err)
		}
		if tool.Name == "" {
			return nil, fmt.Errorf("toolselect: %s, line %d: a tool without a name", path, n)
		}
		name := serverName(tool.Server)
		server := byName[name]
		if server == nil {
			server = mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, nil)
			byName[name] = server
			servers = append(servers, mcpgroup.ServerConfig{Name: name, Server: server})
		}
		if tool.InputSchema == nil {
			tool.InputSchema = map[string]any{}
		}
		tool.InputSchema["type"] = "object" // without which the SDK takes no schema
		if err := add(server, &mcp.Tool{Name: tool.Name, Description: tool.Description, InputSchema: tool.InputSchema}); err != nil {
			return nil, fmt.Errorf("toolselect: %s, line %d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("toolselect: %s: %w", path, err)
	}
	if len(servers) == 0 {
		return nil, fmt.Errorf("toolselect: %s has no tools", path)
	}
	return servers, nil
}

// add adds a tool to a server. The SDK panics at what it does not take, for there it is the programmer's own.
func add(server *mcp.Server, tool *mcp.Tool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	server.AddTool(tool, refuse)
	return nil
}

func refuse(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return nil, errors.New("the tools of a dump cannot be called")
}

// serverName is name with what a server's name must not have replaced.
func serverName(name string) string {
	name = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, name)
	if name == "" {
		return "unnamed"
	}
	return name[:min(len(name), 64)]
}
