package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// server-everything is the protocol's own demonstration: text, images, links, progress, log messages, and tools that ask
// the application for a model's answer or for a person's.

func everythingServer(transport string) *server {
	return &server{
		name: "everything", host: newHost(), revision: "2025-11-25",
		config:    mcpgroup.ServerConfig{Name: "everything-" + transport},
		arguments: everythingArguments,
		// It runs only as a task (MCP 2025-11-25, basic/utilities/tasks), which a plain call is not.
		mayRefuse: func(tool string) bool { return tool == "simulate-research-query" },
		verify: func(ctx context.Context, _ string, g *mcpgroup.MCPFunctionGroup) error {
			return errors.Join(progress(ctx, g), resource(ctx, g))
		},
	}
}

// progress makes a long call and waits for the server's word on its steps. That on the last may be lost: the answer
// follows at once, and then nobody listens any more.
func progress(ctx context.Context, g *mcpgroup.MCPFunctionGroup) error {
	const steps = 3
	seen := make(chan float64, steps)
	_, err := g.Call(ctx, "trigger-long-running-operation", map[string]any{"duration": 0.3, "steps": steps},
		mcpgroup.WithProgress(func(_ context.Context, p *mcp.ProgressNotificationParams) { seen <- p.Progress }))
	if err != nil {
		return err
	}
	for want := 1.0; want < steps; want++ {
		select {
		case got := <-seen:
			if got != want {
				return fmt.Errorf("progress %v, want %v", got, want)
			}
		case <-time.After(startBound):
			return fmt.Errorf("no word of progress %v", want)
		}
	}
	return nil
}

// resource reads what a resource link of the server points to.
func resource(ctx context.Context, g *mcpgroup.MCPFunctionGroup) error {
	res, err := g.Call(ctx, "get-resource-links", map[string]any{"count": 1})
	if err != nil {
		return err
	}
	for _, c := range res.Content {
		if link, ok := c.(*mcp.ResourceLink); ok {
			read, err := g.ReadResource(ctx, link.URI)
			if err == nil && len(read.Contents) == 0 {
				err = fmt.Errorf("resource %s is empty", link.URI)
			}
			return err
		}
	}
	return errors.New("get-resource-links gave no link")
}

func everythingStdio(_ context.Context, in install, _ string) (*server, error) {
	s := everythingServer("stdio")
	s.config.Command, s.config.Args = in.node, []string{in.everything, "stdio"}
	return s, nil
}

func everythingHTTP(ctx context.Context, in install, _ string) (*server, error) {
	s := everythingServer("http")
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := startEverything(ctx, in, port)
	if err != nil {
		return nil, err
	}
	s.cleanup = append(s.cleanup, p.stop)
	s.config.URL = "http://" + address(port) + "/mcp"
	return s, nil
}

// startEverything serves it over streamable HTTP. It listens on every interface, whatever it is told.
func startEverything(ctx context.Context, in install, port int) (*process, error) {
	return startProcess(ctx, port, []string{fmt.Sprint("PORT=", port)}, in.node, in.everything, "streamableHttp")
}

// everythingSSE reaches it through supergateway, which speaks the HTTP+SSE transport of MCP 2024-11-05. Supergateway
// sends every answer of its one child to all of its clients, so each user gets one of their own.
func everythingSSE(ctx context.Context, in install, _ string) (*server, error) {
	s := everythingServer("sse")
	s.perUser = map[string]mcpgroup.ServerConfig{}
	for _, user := range users {
		port, err := freePort()
		if err != nil {
			s.stop()
			return nil, err
		}
		p, err := startProcess(ctx, port, nil, in.node, in.supergateway, "--outputTransport", "sse", "--port", fmt.Sprint(port),
			"--stdio", fmt.Sprintf("%q %q stdio", in.node, in.everything))
		if err != nil {
			s.stop()
			return nil, err
		}
		s.cleanup = append(s.cleanup, p.stop)
		c := s.config
		c.Name += "-" + user
		c.Transport, c.URL = mcpgroup.TransportSSE, "http://"+address(port)+"/sse"
		s.perUser[user] = c
	}
	return s, nil
}

func everythingArguments(tool, user string) map[string]any {
	switch tool {
	case "echo":
		return map[string]any{"message": "hello from " + user}
	case "get-annotated-message":
		return map[string]any{"messageType": "success", "includeImage": true}
	case "get-sum":
		return map[string]any{"a": 20, "b": 22}
	case "gzip-file-as-resource": // a data URL needs no network
		return map[string]any{"name": user + ".gz", "data": "data:text/plain;base64,aGVsbG8=", "outputType": "resource"}
	case "trigger-long-running-operation": // seconds
		return map[string]any{"duration": 0.4, "steps": 4}
	case "trigger-sampling-request":
		return map[string]any{"prompt": markerPrefix + user + "-tour", "maxTokens": 10}
	}
	return nil
}
