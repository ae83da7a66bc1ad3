package mcptest

import (
	"context"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// NewSDKServer returns an honest server with every feature of the protocol, built on the Go SDK. It has
//
//   - the tools echo{text}, whoami (as in [BasicTools]), sleep{ms}, fail, image, audio, resource_link, resource, structured
//     and mixed, one per kind of content;
//   - ask{question}, which asks the user for a "name" and greets it, and sample{prompt}, which returns what the client's
//     model says; both work in every protocol revision;
//   - progress{steps}, which sends that many progress notifications, and log{text}, which logs at level info;
//   - regional{region, text}, whose region must also arrive in the header Mcp-Param-Region (MCP 2026-07-28, x-mcp-header);
//   - add_tool{name} and remove_tool{name}, which change the tool list, see [AddEcho];
//   - the resource file:///notes.txt, the resource template file:///{name}, and the prompt greet{name}.
func NewSDKServer(name string) *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1.0.0"}, &mcp.ServerOptions{
		Instructions:       "A test server with every feature.",
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	})
	addContentTools(server)
	addRequestTools(server)
	addTextTool(server, "add_tool", nil, func(in nameArgs) (string, error) {
		AddEcho(server, in.Name)
		return "added " + in.Name, nil
	})
	addTextTool(server, "remove_tool", nil, func(in nameArgs) (string, error) {
		server.RemoveTools(in.Name)
		return "removed " + in.Name, nil
	})
	addResources(server)
	return server
}

type nameArgs struct {
	Name string `json:"name" jsonschema:"the name"`
}

// AddEcho adds a tool that returns its text, under any name. Sessions are notified. [mcp.Server.RemoveTools] removes it.
func AddEcho(server *mcp.Server, name string) {
	addTextTool(server, name, nil, func(in textArgs) (string, error) { return in.Text, nil })
}

// HTTPHandler serves server over streamable HTTP: without sessions in MCP 2026-07-28 if stateless, which is the only way
// in which the SDK speaks that revision over HTTP, and otherwise with protocol sessions in the older revisions.
// [CloseSessions] frees the latter.
func HTTPHandler(server *mcp.Server, stateless bool) http.Handler {
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: stateless, PropagateRequestCancellation: true})
}

// SSEHandler serves server over the transport of MCP 2024-11-05: an event stream and a separate address for messages.
func SSEHandler(server *mcp.Server) http.Handler {
	return mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return server }, nil)
}

// CloseSessions ends all sessions of server, as a restart would.
func CloseSessions(server *mcp.Server) {
	for session := range server.Sessions() {
		_ = session.Close() // the client may be gone already
	}
}
