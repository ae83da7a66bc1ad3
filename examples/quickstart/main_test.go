package main

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `alice
  asks     book a meeting room for tomorrow
  asks     plan a birthday party
  asks     how far did I run this week?
  executor I was told: noted, that makes 1
  called   notes/list_notes {} as alice: the cake is a surprise
  called   tickets/my_tickets {} as alice: ticket 7 of alice
  called   tickets/close_ticket {"number":7} as alice: closed ticket 7 of alice
  called   tickets/close_ticket {"number":"seven"} as alice: Error: the arguments do not fit tool "close_ticket": /number: must be integer, not string
  run      4 calls in 2 steps

bob
  asks     book a meeting room for tomorrow
  asks     plan a birthday party
  asks     how far did I run this week?
  executor I was told: noted, that makes 1
  called   notes/list_notes {} as bob: the race is on Sunday
  called   tickets/my_tickets {} as bob: ticket 7 of bob
  called   tickets/close_ticket {"number":7} as bob: closed ticket 7 of bob
  called   tickets/close_ticket {"number":"seven"} as bob: Error: the arguments do not fit tool "close_ticket": /number: must be integer, not string
  run      4 calls in 2 steps

No call of one user reached the other's data.
`

// A selection is printed with numbers and further tools that depend on how tools are ranked, and are not looked at closely.
var selection = regexp.MustCompile(`(?m)^  asks     (.*)\n +28 tools, (\d+) tokens -> [1-3] tools, (\d+) tokens: (.*)$`)

func TestQuickstartPrintsTheSameEveryTime(t *testing.T) {
	first := ""
	for range 3 {
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = out.String()
		} else if out.String() != first {
			t.Fatalf("got\n%s\nand at first\n%s", out.String(), first)
		}
	}
	if got := selection.ReplaceAllString(first, "  asks     $1"); got != want {
		t.Fatalf("got\n%s\nwant\n%s\nwhich was\n%s", got, want, first)
	}
}

// Each user gets the few tools that fit, the own ones among them and never the other's.
func TestQuickstartSelectsForEachUser(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	found := selection.FindAllStringSubmatch(out.String(), -1)
	best := []string{"book_room", "plan_party", "", "book_room", "", "log_run"} // of alice's three requests, then bob's
	if len(found) != len(best) {
		t.Fatalf("%d selections in\n%s", len(found), out.String())
	}
	for i, f := range found {
		all, _ := strconv.Atoi(f[2])
		cost, _ := strconv.Atoi(f[3])
		if cost == 0 || cost > 200 || cost*5 > all {
			t.Errorf("%q costs %d tokens of %d", f[1], cost, all)
		}
		tools, strangers := strings.Split(f[4], ", "), officeTools["bob"]
		if i >= len(best)/2 {
			strangers = officeTools["alice"]
		}
		if best[i] != "" && tools[0] != best[i] {
			t.Errorf("%q finds %q, want %s first", f[1], tools, best[i])
		}
		for name := range strangers {
			if slices.Contains(tools, name) {
				t.Errorf("%q finds %s, which is another user's", f[1], name)
			}
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
