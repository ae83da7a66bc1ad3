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

// officeTools are those that everybody has, and the user's own.
var officeTools = map[string]map[string]string{
	"": {
		"approve_vacation":   "Approves a colleague's request for days off.",
		"book_room":          "Books a meeting room for a day and time.",
		"cancel_event":       "Cancels an event in the calendar.",
		"convert_currency":   "Converts an amount of money from one currency into another.",
		"create_event":       "Puts an event into the calendar and invites people to it.",
		"find_colleague":     "Finds a colleague's office, telephone number and manager.",
		"get_forecast":       "Tells the weather of the next days in a city.",
		"list_events":        "Lists the events of a day in the calendar.",
		"order_lunch":        "Orders lunch from the canteen.",
		"post_announcement":  "Posts an announcement that the whole company reads.",
		"print_document":     "Prints a document on the printer of a floor.",
		"report_expense":     "Hands in a receipt so that an expense is paid back.",
		"request_laptop":     "Asks for a new laptop or other hardware.",
		"request_vacation":   "Asks for days off.",
		"reset_password":     "Sends a link to set a new password.",
		"scan_receipt":       "Reads the amount and the date from the picture of a receipt.",
		"schedule_interview": "Finds a time for an interview with an applicant.",
		"search_files":       "Searches the contents of the files of a team.",
		"send_message":       "Sends a chat message to a colleague or a channel.",
		"share_file":         "Gives a colleague access to a file.",
		"track_time":         "Records hours that were worked on a project.",
		"translate_text":     "Translates a text into another language.",
		"upload_file":        "Puts a file into a folder of a team.",
	},
	"alice": {"plan_party": "Plans a birthday party: guests, cake and music."},
	"bob":   {"log_run": "Records a run, and tells how far one ran in a week."},
}

// newOffice makes the office server of one user.
func newOffice(_ context.Context, key session.Key) (*mcp.Server, error) {
	type task struct {
		What string `json:"what" jsonschema:"what exactly, in a few words"`
		When string `json:"when,omitempty" jsonschema:"day and time"`
	}
	s := mcp.NewServer(&mcp.Implementation{Name: "office", Version: "1"}, nil)
	for _, whose := range []string{"", key.User} {
		for name, description := range officeTools[whose] {
			addTool(s, name, description, func(_ http.Header, in task) string { return "done: " + in.What })
		}
	}
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
