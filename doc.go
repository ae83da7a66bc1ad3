// Package mcpfleet puts many MCP servers and many users behind one object, for people who write agents in Go.
//
// The module is a set of packages; this one only says where things are:
//
//   - mcpgroup: one MCP server as seen by all of its users, and many servers as one
//     ([github.com/mcpfleet/mcpfleet/mcpgroup]). Tools under the names agents see, and calls that survive a lost connection
//     without running a tool twice.
//   - auth: which credential a request carries, where secrets are kept, and where requests may go
//     ([github.com/mcpfleet/mcpfleet/auth]); auth/oauth: OAuth 2.1 ([github.com/mcpfleet/mcpfleet/auth/oauth]). Stores for
//     Vault and Redis are modules of their own (auth/vault, auth/redis).
//   - selector: of thousands of tools the few that fit a request and a token budget
//     ([github.com/mcpfleet/mcpfleet/selector]), which mcpgroup's Registry.Select uses. An exact token counter and a store of
//     vectors in a database are modules of their own (selector/o200k, selector/vectorstore).
//   - session: whose call it is, and the map that keeps one live client per user
//     ([github.com/mcpfleet/mcpfleet/session]).
//   - adapters/langchaingo: tools for langchaingo agents, and a tool-calling loop for any of its models
//     ([github.com/mcpfleet/mcpfleet/adapters/langchaingo]).
//   - adapters/openapi: OpenAPI documents as servers, a module of its own.
//
// A server and a call:
//
//	group, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "notes", URL: "https://notes.example.com/mcp"}, nil)
//	if err != nil {
//		return err
//	}
//	defer group.Close()
//
//	ctx = session.NewContext(ctx, session.Key{Tenant: "acme", User: "alice"})
//	res, err := group.Call(ctx, "add_note", map[string]any{"text": "buy milk"})
//
// The same server in a web application, each request acting as its own user, and its tools in a langchaingo agent:
//
//	identify := func(r *http.Request) (session.Key, error) { return keyOfYourLogin(r) }
//	http.Handle("/ask", session.Middleware(identify)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
//		tools, err := group.Tools(r.Context())
//		...
//		answer, err := langchaingo.Run(r.Context(), model, tools, messages, nil)
//	})))
//
// Both are complete, running programs in the examples of this package and in examples/quickstart.
package mcpfleet
