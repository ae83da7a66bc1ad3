package main

import (
	"errors"
	"fmt"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// A flight is one call around a kill.
type flight struct {
	call
	marker       string
	repeatable   bool // the tool changes nothing, and the server is believed to say so
	mayBeUnknown bool // the call was at the server when it died, and must not be repeated
	sampled      bool // each run of the tool asks the host
	streamed     bool // one of many
}

func (f flight) unknown() bool { return errors.Is(f.Err, mcpgroup.ErrOutcomeUnknown) }

// asExpected reports whether the caller got what can be had: an answer, or the word that nobody knows.
func (f flight) asExpected() bool {
	if f.mayBeUnknown {
		return f.unknown()
	}
	return !f.failed()
}

// killed is what came of the calls around one kill.
type killed struct {
	Kill     int
	During   bool
	Calls    int
	Streamed int // of Calls
	Answered int
	Unknown  int // rightly so
	Problems []string
}

func (k *killed) count(f flight) {
	k.Calls++
	switch {
	case !f.asExpected():
		k.Problems = append(k.Problems, fmt.Sprintf("kill %d: call %s of %s: got %v, unknown outcome expected: %t", k.Kill, f.marker, f.Tool, f.Err, f.mayBeUnknown))
	case f.mayBeUnknown:
		k.Unknown++
	default:
		k.Answered++
	}
}

// String is the line of the kill.
func (k killed) String() string {
	when := "between calls"
	if k.During {
		when = "during calls"
	}
	return fmt.Sprintf("kill %d %s: %d calls (%d of them in streams): %d answered, %d rightly unknown, %d otherwise",
		k.Kill, when, k.Calls, k.Streamed, k.Answered, k.Unknown, len(k.Problems))
}

// audited compares what callers were told with what the proxy and the host saw.
type audited struct {
	Calls    int
	Refused  int // requests with a lost session, which the server turned down
	Repeated int // read-only calls that were at the server when it died and ran again
	Double   []string
	Unseen   []string // answered calls that never reached the server

	Sessions, Users, Generations int
	Reopened                     []string // sessions that were not opened once per generation
}

// audit goes through the calls of all kills. sampled tells how often the host was asked with a marker.
func audit(flights []flight, ledger map[string]passage, sampled func(marker string) int) audited {
	a := audited{Calls: len(flights)}
	for _, f := range flights {
		ran := ledger[f.marker].Ran
		if f.sampled {
			ran = max(ran, sampled(f.marker)) // the only witness of a call past the proxy
		}
		a.Refused += ledger[f.marker].Refused
		switch {
		case ran == 0 && f.Err == nil:
			a.Unseen = append(a.Unseen, fmt.Sprintf("call %s of %s was answered but never seen at the server", f.marker, f.Tool))
		case ran > 1 && f.repeatable:
			a.Repeated++
		case ran > 1:
			a.Double = append(a.Double, fmt.Sprintf("call %s of %s ran %d times", f.marker, f.Tool, ran))
		}
	}
	return a
}

// count checks the sessions of the trusted group, whose callers all notice every kill at the same time, and that no other
// group opened two either.
func (a *audited) count(openings map[sessionOpening]int, generations int) {
	a.Users, a.Generations = len(users), generations
	for opening, n := range openings {
		if n > 1 {
			a.Reopened = append(a.Reopened, fmt.Sprintf("%s opened %d sessions with generation %d of the server", opening.user, n, opening.generation))
		}
	}
	for _, user := range users {
		for generation := range generations {
			n := openings[sessionOpening{"trusted/" + user, generation}]
			a.Sessions += n
			if n == 0 {
				a.Reopened = append(a.Reopened, fmt.Sprintf("trusted/%s opened no session with generation %d of the server", user, generation))
			}
		}
	}
}
