package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// newServer makes a server with the tool echo and more realistic ones beside it.
func newServer(more int) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "figures", Version: "1"}, nil)
	s.AddTool(&mcp.Tool{Name: "echo", Description: "Answers with its text.", InputSchema: object(1)},
		func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			var in struct{ Text string }
			if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
				return nil, err
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: in.Text}}}, nil
		})
	for i := range more {
		s.AddTool(&mcp.Tool{Name: fmt.Sprintf("tool_%03d", i), Description: "Does one of many things with ten parameters.", InputSchema: object(10)},
			func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return &mcp.CallToolResult{}, nil
			})
	}
	return s
}

func object(properties int) map[string]any {
	p := map[string]any{"text": map[string]any{"type": "string", "description": "what to answer"}}
	for i := 1; i < properties; i++ {
		p[fmt.Sprintf("parameter_%d", i)] = map[string]any{"type": "string", "description": fmt.Sprintf("what the parameter number %d means", i)}
	}
	return map[string]any{"type": "object", "properties": p, "required": []any{"text"}}
}

// serve is the child process: a server over stdio, or over HTTP on a port that it prints.
func serve(mode string) {
	switch mode {
	case "stdio":
		check(newServer(0).Run(context.Background(), &mcp.StdioTransport{}))
	case "http", "events", "stateless":
		more := 0
		if mode == "stateless" {
			more = 100
		}
		s := newServer(more)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(err)
		fmt.Printf("http://%s/mcp\n", l.Addr())
		go func() { // ends with the parent
			bufio.NewReader(os.Stdin).ReadByte()
			os.Exit(0)
		}()
		check(http.Serve(l, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s },
			&mcp.StreamableHTTPOptions{JSONResponse: mode != "events", Stateless: mode == "stateless"})))
	}
}

// child starts this program as a server and returns its URL.
func child(mode string) (url string, stop func()) {
	self, err := os.Executable()
	check(err)
	cmd := exec.Command(self, mode)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(err)
	out, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	if _, err := fmt.Fscanln(out, &url); err != nil {
		check(fmt.Errorf("the server's child process gave no URL: %w", err))
	}
	return url, func() {
		in.Close()
		cmd.Wait()
	}
}
