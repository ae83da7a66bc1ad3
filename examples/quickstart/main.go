// Quickstart: three MCP servers, two users, one agent that is given the few tools that it needs. It needs no network and
// no keys.
//
//	go run ./examples/quickstart
//
// servers.go has the servers and model.go a model that answers from a script. With the URL of a real server and a real
// model in their place, this file stays as it is.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	lcagents "github.com/tmc/langchaingo/agents"
	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"

	"github.com/mcpfleet/mcpfleet/adapters/langchaingo"
	"github.com/mcpfleet/mcpfleet/adapters/langchaingo/agents"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// What each user has: a token for the tickets server, and something that the other one must never read.
var (
	tokens  = map[string]string{"alice": "token-of-alice", "bob": "token-of-bob"}
	secrets = map[string]string{"alice": "the cake is a surprise", "bob": "the race is on Sunday"}
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	url, stop, err := startTickets()
	if err != nil {
		return err
	}
	defer stop()

	// The tickets server is reached over HTTP. Models get a better name for one of its tools and do not see those that are
	// not included. The others live in this process, one instance per user; users have different tools in the office.
	servers := []mcpgroup.ServerConfig{
		{
			Name: "tickets", URL: url, Include: []string{"list_*", "close_ticket"},
			Overrides: map[string]mcpgroup.Override{"list_tickets_v2": {Alias: "my_tickets", Description: "Lists the user's open tickets."}},
		},
		{Name: "notes", Exclude: []string{"drop_*"}},
		{Name: "office", PerUserTools: true},
	}
	reg, err := mcpgroup.LoadConfig(ctx, &mcpgroup.Config{Servers: servers}, &mcpgroup.RegistryOptions{Options: code})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reg.Close()) }()

	// Both users are served at the same time, by the same registry.
	users := []string{"alice", "bob"}
	reports, errs := make([]strings.Builder, len(users)), make([]error, len(users))
	var wg sync.WaitGroup
	for i, user := range users {
		wg.Go(func() {
			ctx := session.NewContext(ctx, session.Key{Tenant: "acme", User: user})
			errs[i] = serve(ctx, &reports[i], user, reg)
		})
	}
	wg.Wait()
	for i, user := range users {
		if errs[i] != nil {
			return fmt.Errorf("serving %s: %w", user, errs[i])
		}
		fmt.Fprintf(out, "%s\n%s\n", user, reports[i].String())
	}
	for i, user := range users {
		other, report := users[1-i], reports[i].String()
		if strings.Contains(report, other) || strings.Contains(report, secrets[other]) || !strings.Contains(report, secrets[user]) {
			return fmt.Errorf("%s was told what belongs to %s", user, other)
		}
	}
	fmt.Fprintln(out, "No call of one user reached the other's data.")
	return nil
}

// code is what a configuration file cannot say of a server: the token of whoever calls, or the server itself.
func code(cfg mcpgroup.ServerConfig) (*mcpgroup.Options, error) {
	switch cfg.Name {
	case "notes":
		return &mcpgroup.Options{NewServer: newNotes}, nil
	case "office":
		return &mcpgroup.Options{NewServer: newOffice}, nil
	}
	return &mcpgroup.Options{Headers: func(_ context.Context, key session.Key) (http.Header, error) {
		return http.Header{"Authorization": {"Bearer " + tokens[key.User]}}, nil
	}}, nil
}

// serve is one user's visit. Tools act for the user that the context names.
func serve(ctx context.Context, out io.Writer, user string, reg *mcpgroup.Registry) error {
	// Of all tools a model is given those that fit the request.
	for _, request := range []string{"book a meeting room for tomorrow", "plan a birthday party", "how far did I run this week?"} {
		found, err := reg.Select(ctx, request, &mcpgroup.SelectOptions{MaxTools: 3, TokenBudget: 200})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  asks     %s\n", request)
		fmt.Fprintf(out, "           %d tools, %d tokens -> %d tools, %d tokens: %s\n", found.Of, found.OfTokens, len(found.Tools), found.Tokens, names(found.Tools))
	}

	// An agent for langchaingo's executor, which adds its memory and callbacks.
	found, err := reg.Select(ctx, "remember something in a note", &mcpgroup.SelectOptions{MaxTools: 2})
	if err != nil {
		return err
	}
	agent, err := agents.New(model{{"add_note", fmt.Sprintf(`{"text":%q}`, secrets[user])}}, found.Tools, nil)
	if err != nil {
		return err
	}
	answer, err := chains.Run(ctx, lcagents.NewExecutor(agent), "Remember that "+secrets[user]+".")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  executor %s\n", answer)

	// Or a loop without an agent, which runs the calls of one answer in parallel. What takes several steps is best asked
	// for step by step. The last call has a mistake in it: the model is told, and the run goes on.
	found, err = reg.Select(ctx, "", &mcpgroup.SelectOptions{Steps: []string{"list my notes", "list my open tickets", "close a ticket"}, MaxTools: 5})
	if err != nil {
		return err
	}
	plan := model{{"list_notes", `{}`}, {"my_tickets", `{}`}, {"close_ticket", `{"number":7}`}, {"close_ticket", `{"number":"seven"}`}}
	res, err := langchaingo.Run(ctx, plan, found.Tools, []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "Finish my day.")}, nil)
	if err != nil {
		return err
	}
	for _, call := range res.Calls {
		fmt.Fprintf(out, "  called   %s/%s %s as %s: %s\n", call.Tool.Server, call.Name, call.Arguments, user, short(call.Observation))
	}
	fmt.Fprintf(out, "  run      %d calls in %d steps\n", len(res.Calls), res.Steps)
	return nil
}

func names(tools []*mcpgroup.Tool) string {
	var all []string
	for _, t := range tools {
		all = append(all, t.Name)
	}
	return strings.Join(all, ", ")
}
