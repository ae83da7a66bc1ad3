package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

// addTool adds a tool that answers with text. header is that of the HTTP request, if the server is called over HTTP.
func addTool[In any](s *mcp.Server, name, description string, run func(header http.Header, in In) string) {
	mcp.AddTool(s, &mcp.Tool{Name: name, Description: description},
		func(_ context.Context, req *mcp.CallToolRequest, in In) (*mcp.CallToolResult, any, error) {
			var header http.Header
			if req.Extra != nil {
				header = req.Extra.Header
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: run(header, in)}}}, nil, nil
		})
}

type none struct{}

// newNotes makes the notes server of one user: what it keeps is theirs because the server is.
func newNotes(context.Context, session.Key) (*mcp.Server, error) {
	var mu sync.Mutex
	var notes []string
	type note struct {
		Text string `json:"text"`
	}
	s := mcp.NewServer(&mcp.Implementation{Name: "notes", Version: "1"}, nil)
	addTool(s, "add_note", "Adds a note.", func(_ http.Header, in note) string {
		mu.Lock()
		defer mu.Unlock()
		notes = append(notes, in.Text)
		return fmt.Sprintf("noted, that makes %d", len(notes))
	})
	addTool(s, "list_notes", "Lists the notes.", func(http.Header, none) string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(notes, "; ")
	})
	addTool(s, "drop_notes", "Destroys all notes.", func(http.Header, none) string { return "not today" })
	return s, nil
}

// startTickets starts the tickets server, which all users share. It knows them by their bearer tokens: see tokens.
func startTickets() (url string, stop func(), err error) {
	type ticket struct {
		Number int `json:"number"`
	}
	s := mcp.NewServer(&mcp.Implementation{Name: "tickets", Version: "1"}, nil)
	addTool(s, "list_tickets_v2", "GET /v2/tickets", func(h http.Header, _ none) string {
		return "ticket 7 of " + userOf(h)
	})
	addTool(s, "close_ticket", "Closes a ticket.", func(h http.Header, in ticket) string {
		return fmt.Sprintf("closed ticket %d of %s", in.Number, userOf(h))
	})
	addTool(s, "reindex", "For the people who run the server.", func(http.Header, none) string { return "done" })

	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if userOf(r.Header) == "" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // until stop
	}()
	stop = func() {
		_ = server.Close()
		<-done
	}
	return "http://" + listener.Addr().String(), stop, nil
}

// userOf returns whose token a request carries, or nothing.
func userOf(h http.Header) string {
	for user, token := range tokens {
		if h.Get("Authorization") == "Bearer "+token {
			return user
		}
	}
	return ""
}
