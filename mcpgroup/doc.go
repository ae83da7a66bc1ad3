// Package mcpgroup puts MCP servers and their many users behind one object.
//
// An [MCPFunctionGroup] is one server. It is made from a [ServerConfig] and connects when a user first needs it:
//
//	group, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "github", URL: "https://mcp.example.com/mcp"}, nil)
//	ctx = session.NewContext(ctx, session.Key{Tenant: "acme", User: "alice"})
//	tools, err := group.Tools(ctx)
//	res, err := group.Call(ctx, "create_issue", map[string]any{"title": "It works"})
//
// # Users
//
// Every operation acts as the [session.Key] of its context. By default each user has a client of their own, which is
// opened on demand, shared by all concurrent operations of that user, kept while it is used and closed when it was idle
// for a while. No two users ever share one, except with [ServerConfig.Shared], which servers with a protocol session
// refuse.
//
// # What a call promises
//
// A tool does not run twice behind the caller's back. A failed attempt is repeated only when the server provably did not
// get the request, or when the server is trusted and says that the tool may be repeated. Everything else comes back as
// an [*Error] whose [Outcome] says what is known: [NotSent], [Failed] or [Unknown].
//
// A lost session is replaced once for all callers that notice, and calls that were not sent go on with the new one. A
// result with isError set is a result, not an error: see [Result.Err].
//
// # Tools
//
// The list of tools is fetched once for all users of a tenant (or per user where it differs), kept in name order, and refreshed
// when the server says that it changed or when its time is over. Names are made fit for every model provider, tools that
// cannot be shown are left out and reported in [Status], and while the server is away the last known tools are served.
//
// # Credentials
//
// [Options.Auth] finds the credential of every request: see package auth. A credential that a request brings is used for that
// request and kept nowhere. What a server refuses is renewed once for all callers, below the call.
//
// # Many servers
//
// A [Registry] is made from the mcpServers JSON that MCP clients have in common ([LoadFile]), or server by server
// ([Registry.Add]). Its tools are listed together and called by id or by name:
//
//	reg, err := mcpgroup.LoadFile(ctx, "mcp.json", nil)
//	list, err := reg.List(ctx, mcpgroup.Filter{Search: "issue"})
//	res, err := reg.Call(ctx, "github.create_issue", map[string]any{"title": "It works"})
//
// [Registry.ForAgent] narrows it to what one agent may use.
//
// # Few tools out of many
//
// A model that is given thousands of tools pays for all of them and chooses badly. [Registry.Select] finds those that fit a
// request and a number of tokens, in this process (see package selector):
//
//	found, err := reg.Select(ctx, "open a pull request", &mcpgroup.SelectOptions{MaxTools: 5, TokenBudget: 2000})
//	answer, err := found.Tools[0].Call(ctx, args)
//
// [Registry.MetaTools] leaves it to the model to search, with a handful of tools that find and call all others.
//
// # Errors
//
// Every error is an [*Error] with the server, the tool and what is known about the request. What it wraps:
//
//	no such server, no such tool      ErrServerNotFound, ErrToolNotFound
//	arguments do not fit              ErrInvalidArguments, *ArgumentsError with the fields
//	denied by policy or approval      ErrDenied, *DeniedError with the reason
//	the user must authorize           *auth.AuthRequiredError with the URL
//	no usable credential              *CredentialError, *auth.SourceError
//	the server refused it             ErrUnauthorized
//	no session to be had              *session.LimitError
//	server cannot be reached          ErrUnavailable, *UnavailableError
//	too many requests                 ErrRateLimited
//	out of time, given up             context.DeadlineExceeded, context.Canceled
//	the server answered with an error *RPCError
//	result too large                  ErrResultTooLarge
//	nobody knows whether it ran       ErrOutcomeUnknown
//	the tool says that it failed      ErrToolFailed, from Result.Err
package mcpgroup
