// The program perusers adds tools to an HTTP server that exists already, so that each of its users acts as themselves.
//
//	go run ./examples/perusers
//
// It needs no network and no keys. What to copy are the dozen lines of addTools: session.Middleware says who is calling,
// auth.WithCredentials with which credential of theirs, and everything below follows the context. servers.go has the
// server as it was, with its own way to log in, and an MCP server that knows its users by their tokens.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// addTools gives the users of an application tools.
func addTools(mux *http.ServeMux, app application, all *mcpgroup.Registry, some *mcpgroup.AgentView) {
	identify := func(r *http.Request) (session.Key, error) { // whoever the application has logged in, and nobody else
		user, err := app.loggedIn(r)
		return session.Key{Tenant: "acme", User: user}, err
	}
	mux.Handle("/tools/{id...}", session.Middleware(identify)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := session.FromContext(r.Context())
		// This user's credential, by its id: the value is in RegistryOptions.Secrets.
		own := map[string]auth.Credential{"tickets": auth.Reference("tickets-of-" + key.User)}
		r = r.WithContext(auth.WithCredentials(r.Context(), own))
		if key.User == "bob" { // an intern
			serveTools(w, r, some)
		} else {
			serveTools(w, r, all)
		}
	})))
}

// serveTools lists the tools, or with POST runs the one that the path names. An agent in its place would be given the
// same context and the same tools: those of a registry, or of the part of it that the agent may use.
func serveTools(w http.ResponseWriter, r *http.Request, tools interface {
	Tools(context.Context) ([]*mcpgroup.Tool, error)
	Call(ctx context.Context, id string, args any, opts ...mcpgroup.CallOption) (*mcpgroup.Result, error)
}) {
	var text string
	var err error
	if r.Method == http.MethodPost {
		var res *mcpgroup.Result
		if res, err = tools.Call(r.Context(), r.PathValue("id"), nil); err == nil { // these take no arguments
			text, err = res.Text(), res.Err()
		}
	} else {
		var list []*mcpgroup.Tool
		list, err = tools.Tools(r.Context())
		for _, t := range list {
			text += t.ID() + " "
		}
	}
	switch {
	case errors.Is(err, mcpgroup.ErrDenied):
		http.Error(w, err.Error(), http.StatusForbidden)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadGateway)
	default:
		fmt.Fprintln(w, text)
	}
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	tickets, stop, err := serve(newTickets())
	if err != nil {
		return err
	}
	defer stop()
	secrets := auth.NewMemoryStore() // stands for a vault
	for _, user := range []string{"alice", "bob"} {
		if err := secrets.SetSecret(ctx, auth.SecretKey{Tenant: "acme", ID: "tickets-of-" + user}, auth.Bearer("token-of-"+user)); err != nil {
			return err
		}
	}
	// One registry for all users, and the part of it that interns may use. mcpgroup.LoadFile has the first from a file.
	config := &mcpgroup.Config{Servers: []mcpgroup.ServerConfig{{Name: "tickets", URL: tickets}}}
	all, err := mcpgroup.LoadConfig(ctx, config, &mcpgroup.RegistryOptions{Secrets: secrets})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, all.Close()) }()
	some, err := all.ForAgent(mcpgroup.AgentMapping{ID: "intern", Servers: []mcpgroup.AgentServer{{Server: "tickets", Include: []string{"list"}}}})
	if err != nil {
		return err
	}
	app := application{"cookie-0": "alice", "cookie-1": "bob"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /about", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "about us") })
	addTools(mux, app, all, some)
	url, stop, err := serve(mux)
	if err != nil {
		return err
	}
	defer stop()
	defer http.DefaultClient.CloseIdleConnections()
	// Everybody asks for the same, at the same time.
	who := []string{"alice", "bob, an intern", "a stranger"}
	reports, errs := make([]string, len(who)), make([]error, len(who))
	var wg sync.WaitGroup
	for i := range who {
		wg.Go(func() { reports[i], errs[i] = visit(ctx, url, fmt.Sprint("cookie-", i)) })
	}
	wg.Wait()
	for i := range who {
		fmt.Fprintf(out, "%s\n%s", who[i], reports[i])
	}
	return errors.Join(errs...)
}
