package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type entry struct {
	Text string `json:"text"`
}

// newServer makes a server with one tool.
func newServer(name string) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "add", Description: "Adds an entry to the " + name + "."},
		func(_ context.Context, _ *mcp.CallToolRequest, in entry) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf("%s: %s", name, in.Text)}}}, nil, nil
		})
	return s
}

// startServers starts MCP servers on the loopback interface and returns their URLs by name in capitals.
func startServers(names ...string) (urls map[string]string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	urls = map[string]string{}
	for _, name := range names {
		s := newServer(name)
		mux.Handle("/"+name, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil))
		urls[strings.ToUpper(name)] = "http://" + listener.Addr().String() + "/" + name
	}
	server := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // until stop
	}()
	return urls, func() {
		_ = server.Close()
		<-done
	}, nil
}
