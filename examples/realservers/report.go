package main

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// visited is what came of the visit of one server.
type visited struct {
	Server    string
	Transport mcpgroup.Transport
	Revision  string // negotiated
	Want      string
	Listed    int  // tools, summed over the users
	Has       int  // the same, as the server says
	Samples   bool // it asked the host for a model's answer
	Met       bool // and did so for all users at the same time
	Crossed   int  // requests of the server that arrived as another user's
	Children  int  // processes the group started
	Left      int  // of them, after Close
	Calls     []call
	Problems  []string
}

// A report collects what happened and prints a line for each. Its methods are safe for concurrent use.
type report struct {
	mu       sync.Mutex
	out      io.Writer
	visits   []visited
	kills    []killed
	audit    audited
	problems []string
}

func (r *report) line(what fmt.Stringer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(r.out, what)
}

func (r *report) add(v visited) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.visits = append(r.visits, v)
	r.problems = append(r.problems, v.Problems...)
	for _, c := range v.Calls {
		if c.failed() {
			r.problems = append(r.problems, fmt.Sprintf("%s as %s: tool %s: %v: %s", c.Server, c.User, c.Tool, c.Err, head(c.Observation)))
		}
	}
}

func (r *report) addKill(k killed) {
	r.line(k)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kills = append(r.kills, k)
	r.problems = append(r.problems, k.Problems...)
}

func (r *report) addAudit(a audited) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.audit = a
	r.problems = slices.Concat(r.problems, a.Double, a.Unseen, a.Reopened)
}

// A row is one line of the summary: what was hoped for, what came of it, and whether the one meets the other.
type row struct {
	Goal string
	Got  string
	OK   bool
}

// String is the row for people.
func (r row) String() string {
	verdict := "ok"
	if !r.OK {
		verdict = "SHORT"
	}
	return fmt.Sprintf("%-5s %s: %s", verdict, r.Goal, r.Got)
}

// rows sums up.
func (r *report) rows() []row {
	r.mu.Lock()
	defer r.mu.Unlock()
	var rows []row
	add := func(goal string, ok bool, format string, args ...any) {
		rows = append(rows, row{goal, fmt.Sprintf(format, args...), ok})
	}
	var modernServers, children, left, crossed, asked, met int
	for _, v := range r.visits {
		failed, refused := 0, 0
		for _, c := range v.Calls {
			if c.failed() {
				failed++
			} else if c.Refused {
				refused++
			}
		}
		name := fmt.Sprintf("%s over %s", v.Server, v.Transport)
		add(name+": every tool listed and called for 2 users",
			v.Listed > 0 && v.Listed == v.Has && len(v.Calls) == v.Listed && failed == 0 && len(v.Problems) == 0,
			"%d of %d, %d errors (%d rightly refused)", len(v.Calls), v.Has, failed+len(v.Problems), refused)
		add(name+": revision "+v.Want, v.Revision == v.Want, "%s", v.Revision)
		if v.Revision == modern {
			modernServers++
		}
		children, left, crossed = children+v.Children, left+v.Left, crossed+v.Crossed
		if v.Samples {
			asked++
		}
		if v.Met {
			met++
		}
	}
	add("servers that speak "+modern, modernServers >= 2, "%d", modernServers)
	add("servers that asked back in the calls of 2 users at the same time", asked > 0 && met == asked, "%d of %d", met, asked)
	add("requests of servers that reached another user", crossed == 0, "%d", crossed)
	add("child processes left after Close", left == 0 && children > 0, "%d of %d", left, children)

	var recovered, calls, answered, unknown, during int
	for _, k := range r.kills {
		if len(k.Problems) == 0 {
			recovered++
		}
		if k.During {
			during++
		}
		calls, answered, unknown = calls+k.Calls, answered+k.Answered, unknown+k.Unknown
	}
	a := r.audit
	add("kills of a server that callers got over", recovered == len(r.kills) && recovered > 0, "%d of %d, %d during calls", recovered, len(r.kills), during)
	add("calls around kills that were answered, or rightly unknown", calls > 0 && answered+unknown == calls && unknown > 0,
		"%d + %d of %d", answered, unknown, calls)
	add("tools that ran twice and must not", a.Calls > 0 && len(a.Double)+len(a.Unseen) == 0, "%d in %d calls", len(a.Double), a.Calls)
	add("read-only calls cut off at a trusted server ran again", a.Repeated > 0, "%d", a.Repeated)
	add("one new session per user and kill, however many callers", a.Sessions > 0 && len(a.Reopened) == 0 && a.Sessions == a.Users*a.Generations,
		"%d sessions, %d users x %d starts", a.Sessions, a.Users, a.Generations)
	return rows
}
