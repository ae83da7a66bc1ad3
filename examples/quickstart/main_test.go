package main

import (
	"bytes"
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `alice
  sees     notes/add_note: Adds a note.
  sees     notes/list_notes: Lists the notes.
  sees     tickets/close_ticket: Closes a ticket.
  sees     tickets/my_tickets: Lists the user's open tickets.
  executor I was told: noted, that makes 1
  called   notes/list_notes {} as alice: the cake is a surprise
  called   tickets/my_tickets {} as alice: ticket 7 of alice
  called   tickets/close_ticket {"number":7} as alice: closed ticket 7 of alice
  called   tickets/close_ticket {"number":"seven"} as alice: Error: the arguments do not fit tool "close_ticket": /number: must be integer, not string
  run      4 calls in 2 steps

bob
  sees     notes/add_note: Adds a note.
  sees     notes/list_notes: Lists the notes.
  sees     tickets/close_ticket: Closes a ticket.
  sees     tickets/my_tickets: Lists the user's open tickets.
  executor I was told: noted, that makes 1
  called   notes/list_notes {} as bob: the race is on Sunday
  called   tickets/my_tickets {} as bob: ticket 7 of bob
  called   tickets/close_ticket {"number":7} as bob: closed ticket 7 of bob
  called   tickets/close_ticket {"number":"seven"} as bob: Error: the arguments do not fit tool "close_ticket": /number: must be integer, not string
  run      4 calls in 2 steps

No call of one user reached the other's data.
`

func TestQuickstartPrintsTheSameEveryTime(t *testing.T) {
	for range 3 {
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// The server of the example checks tokens, or the example would show nothing.
func TestTicketsServerRefusesAStranger(t *testing.T) {
	url, stop, err := startTickets()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	group, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "tickets", URL: url}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	ctx := session.NewContext(context.Background(), session.Key{User: "mallory"})
	if tools, err := group.Tools(ctx); err == nil {
		t.Errorf("without a token the tools are %v", tools)
	}
}
