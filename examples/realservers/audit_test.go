package main

import (
	"errors"
	"testing"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

func TestAuditFindsToolsThatRanTwice(t *testing.T) {
	once := func(string) int { return 1 }
	for name, test := range map[string]struct {
		flight   flight
		ledger   passage
		sampled  int
		double   int
		repeated int
		unseen   int
	}{
		"ran once":                  {flight: flight{}, ledger: passage{Ran: 1}},
		"refused, then ran":         {flight: flight{}, ledger: passage{Refused: 1, Ran: 1}},
		"ran twice":                 {flight: flight{}, ledger: passage{Ran: 2}, double: 1},
		"read-only ran twice":       {flight: flight{repeatable: true}, ledger: passage{Ran: 2}, repeated: 1},
		"seen by the host only":     {flight: flight{sampled: true}, sampled: 1},
		"ran twice past the proxy":  {flight: flight{sampled: true}, sampled: 2, double: 1},
		"answered by nobody":        {flight: flight{}, unseen: 1},
		"failed without being sent": {flight: flight{call: call{Err: errors.New("away")}}},
	} {
		t.Run(name, func(t *testing.T) {
			test.flight.marker = "m"
			sampled := once
			if test.flight.sampled {
				sampled = func(string) int { return test.sampled }
			}
			a := audit([]flight{test.flight}, map[string]passage{"m": test.ledger}, sampled)
			if len(a.Double) != test.double || a.Repeated != test.repeated || len(a.Unseen) != test.unseen {
				t.Errorf("audit = %+v, want %d double, %d repeated, %d unseen", a, test.double, test.repeated, test.unseen)
			}
		})
	}
}

func TestCallerMustBeToldExactlyWhatIsKnown(t *testing.T) {
	unknown := call{Err: &mcpgroup.Error{Op: "call", Outcome: mcpgroup.Unknown, Err: errors.New("cut off")}}
	for name, test := range map[string]struct {
		flight flight
		want   bool
	}{
		"answer":                              {flight{}, true},
		"error":                               {flight{call: call{Err: errors.New("away")}}, false},
		"refusal":                             {flight{call: call{Refused: true}}, false},
		"unknown where it is":                 {flight{call: unknown, mayBeUnknown: true}, true},
		"unknown where it could be known":     {flight{call: unknown}, false},
		"an answer to a call that was cut":    {flight{mayBeUnknown: true}, false},
		"another error for a call cut off":    {flight{call: call{Err: errors.New("x")}, mayBeUnknown: true}, false},
		"refusal that the tool is allowed to": {flight{call: call{Refused: true, Tolerated: true}}, true},
	} {
		if got := test.flight.asExpected(); got != test.want {
			t.Errorf("%s: asExpected() = %t, want %t", name, got, test.want)
		}
	}
}

func TestAuditFindsSessionsThatWereNotOpenedOncePerGeneration(t *testing.T) {
	good := func() map[sessionOpening]int {
		return map[sessionOpening]int{
			{"trusted/alice", 0}: 1, {"trusted/alice", 1}: 1, {"trusted/bob", 0}: 1, {"trusted/bob", 1}: 1, {"untrusted/bob", 0}: 1,
		}
	}
	for name, test := range map[string]struct {
		change func(map[sessionOpening]int)
		want   int
	}{
		"once each":            {func(map[sessionOpening]int) {}, 0},
		"twice":                {func(o map[sessionOpening]int) { o[sessionOpening{"trusted/bob", 1}]++ }, 1},
		"twice in other group": {func(o map[sessionOpening]int) { o[sessionOpening{"untrusted/bob", 0}]++ }, 1},
		"never":                {func(o map[sessionOpening]int) { delete(o, sessionOpening{"trusted/alice", 1}) }, 1},
	} {
		openings := good()
		test.change(openings)
		var a audited
		a.count(openings, 2)
		if len(a.Reopened) != test.want {
			t.Errorf("%s: complaints %q, want %d", name, a.Reopened, test.want)
		}
	}
}

func TestReportOfNothingFallsShort(t *testing.T) {
	for _, row := range (&report{}).rows() {
		if row.OK && row.Goal != "requests of servers that reached another user" {
			t.Errorf("nothing happened, and %q is ok: %s", row.Goal, row.Got)
		}
	}
}
