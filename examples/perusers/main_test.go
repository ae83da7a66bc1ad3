package main

import (
	"bytes"
	"testing"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `alice
  GET /about                 200 about us
  GET /tools/                200 tickets.delete tickets.list
  POST /tools/tickets.list   200 list: the tickets of alice
  POST /tools/tickets.delete 200 delete: the tickets of alice
bob, an intern
  GET /about                 200 about us
  GET /tools/                200 tickets.list
  POST /tools/tickets.list   200 list: the tickets of bob
  POST /tools/tickets.delete 403 mcpgroup: call "delete" on server "tickets": denied: agent "intern" has the server "tickets" without this tool
a stranger
  GET /about                 200 about us
  GET /tools/                401 Unauthorized
  POST /tools/tickets.list   401 Unauthorized
  POST /tools/tickets.delete 401 Unauthorized
`

func TestEachUserActsAsThemselves(t *testing.T) {
	for range 5 {
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
func TestTheTicketsServerRefusesAStranger(t *testing.T) {
	url, stop, err := serve(newTickets())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	group, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "tickets", URL: url}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	if tools, err := group.Tools(session.NewContext(t.Context(), session.Key{User: "mallory"})); err == nil {
		t.Errorf("without a token the tools are %v", tools)
	}
}
