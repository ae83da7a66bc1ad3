// The program example changes its configuration file while users are calling tools. It needs no network and no keys.
//
//	cd mcpgroup/watch && go run ./example
//
// It prints what each change of the file has changed in the registry. Servers that a change does not concern keep their
// sessions, a file with a mistake in it changes nothing, and no call fails. servers.go has the MCP servers.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/mcpgroup/watch"
	"github.com/mcpfleet/mcpfleet/session"
)

// documents are what somebody makes of mcp.json, one after the other.
var documents = []struct{ what, text string }{
	{"two servers", `{"mcpServers": {"notes": {"url": "${NOTES}"}, "tickets": {"url": "${TICKETS}"}}}`},
	{"one more", `{"mcpServers": {"notes": {"url": "${NOTES}"}, "tickets": {"url": "${TICKETS}"}, "clock": {"url": "${CLOCK}"}}}`},
	{"less patience", `{"mcpServers": {"notes": {"url": "${NOTES}", "timeouts": {"call": "5s"}}, "tickets": {"url": "${TICKETS}"}, "clock": {"url": "${CLOCK}"}}}`},
	{"a comma is lost", `{"mcpServers": {"notes": {"url": "${NOTES}"} "tickets": {"url": "${TICKETS}"}}}`},
	{"a name is wrong", `{"mcpServers": {"notes": {"url": "${NOTES}"}, "tickets": {"url": "${TICKET}"}}}`},
	{"as it began", `{"mcpServers": {"notes": {"url": "${NOTES}"}, "tickets": {"url": "${TICKETS}"}}}`},
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	urls, stop, err := startServers("notes", "tickets", "clock")
	if err != nil {
		return err
	}
	defer stop()
	dir, err := os.MkdirTemp("", "hotreload-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "mcp.json")
	if err := save(path, documents[0].text); err != nil {
		return err
	}

	// This is all that a program needs: a registry, and a watcher that keeps it equal to the file.
	reg, err := mcpgroup.NewRegistry(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reg.Close()) }()
	reloads := make(chan string, len(documents)) // has room: Close waits for OnReload
	watcher, err := watch.File(ctx, reg, path, &watch.Options{
		Read: &mcpgroup.ConfigOptions{Lookup: func(name string) (string, bool) { url, ok := urls[name]; return url, ok }},
		OnReload: func(diff mcpgroup.Diff, err error) {
			if err != nil {
				reloads <- "refused: " + err.Error()
			} else {
				reloads <- fmt.Sprintf("added %v removed %v updated %v unchanged %v", diff.Added, diff.Removed, diff.Updated, diff.Unchanged)
			}
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watcher.Close()) }()
	fmt.Fprintf(out, "%-16s %v\n", documents[0].what, reg.Names())

	// Two users call the tools of both servers, from now on until the end.
	callers := []*caller{{user: "alice"}, {user: "bob"}}
	work, rest := context.WithCancel(ctx)
	defer rest()
	var wg sync.WaitGroup
	for _, c := range callers {
		wg.Go(func() { c.call(work, reg, "notes.add", "tickets.add") })
	}
	atWork(callers)
	notes, tickets, err := sessions(reg)
	if err != nil {
		return err
	}

	for _, d := range documents[1:] {
		if err := save(path, d.text); err != nil {
			return err
		}
		fmt.Fprintf(out, "%-16s %s\n", d.what, <-reloads)
		fmt.Fprintf(out, "%-16s %v\n", "", reg.Names())
		atWork(callers)
	}
	notes2, tickets2, err := sessions(reg)
	if err != nil {
		return err
	}
	rest()
	wg.Wait()
	fmt.Fprintf(out, "\nnotes was changed, and its users got new sessions: %t\n", notes != notes2)
	fmt.Fprintf(out, "tickets was not, and still has the %d sessions of before: %t\n", tickets2.opened, tickets == tickets2)
	for _, c := range callers {
		if c.err != nil {
			return fmt.Errorf("a call of %s failed: %w", c.user, c.err)
		}
		fmt.Fprintf(out, "no call of %s failed\n", c.user)
	}
	s := watcher.Status()
	fmt.Fprintf(out, "the file was loaded %d times, %d of them with success\n", s.Attempts, s.Successes)
	return nil
}

// save puts a new file in the place of path in one step, so that nobody ever reads half of it.
func save(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// A caller is a user who hardly ever rests.
type caller struct {
	user  string
	calls atomic.Int64
	err   error // of the first call that failed; to be read when call has returned
}

func (c *caller) call(ctx context.Context, reg *mcpgroup.Registry, tools ...string) {
	user := session.NewContext(context.WithoutCancel(ctx), session.Key{Tenant: "acme", User: c.user})
	for ctx.Err() == nil {
		for _, tool := range tools {
			res, err := reg.Call(user, tool, map[string]any{"text": c.user})
			if err == nil {
				err = res.Err()
			}
			if err != nil && c.err == nil {
				c.err = err
			}
			c.calls.Add(1)
		}
		time.Sleep(time.Millisecond)
	}
}

// atWork returns when each caller has made some calls more.
func atWork(callers []*caller) {
	for _, c := range callers {
		for enough := c.calls.Load() + 20; c.calls.Load() < enough; {
			time.Sleep(time.Millisecond)
		}
	}
}

// clients are the sessions of one server.
type clients struct {
	group  *mcpgroup.MCPFunctionGroup // another one after the server was changed
	opened uint64
}

func sessions(reg *mcpgroup.Registry) (notes, tickets clients, err error) {
	for name, c := range map[string]*clients{"notes": &notes, "tickets": &tickets} {
		if c.group, err = reg.Get(name); err != nil {
			return notes, tickets, err
		}
		c.opened = c.group.Status().Sessions.Opened
	}
	return notes, tickets, nil
}
