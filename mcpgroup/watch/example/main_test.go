package main

import (
	"bytes"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `two servers      [notes tickets]
one more         added [clock] removed [] updated [] unchanged [notes tickets]
                 [notes tickets clock]
less patience    added [] removed [] updated [notes] unchanged [tickets clock]
                 [notes tickets clock]
a comma is lost  refused: mcpgroup: mcp.json: not JSON: line 1: invalid character '"' after object key:value pair
                 [notes tickets clock]
a name is wrong  refused: mcpgroup: mcp.json: mcpServers.tickets.url: the environment variable TICKET is not set; set it, or give a default: ${TICKET:-...}
                 [notes tickets clock]
as it began      added [] removed [clock] updated [notes] unchanged [tickets]
                 [notes tickets]

notes was changed, and its users got new sessions: true
tickets was not, and still has the 2 sessions of before: true
no call of alice failed
no call of bob failed
the file was loaded 6 times, 4 of them with success
`

func TestTheExamplePrintsTheSameEveryTime(t *testing.T) {
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
