// Package openapi makes an MCP server of an OpenAPI 3.0 or 3.1 document: one tool per operation, called over HTTP.
//
//	doc, err := openapi.Load(ctx, "https://api.example.com/openapi.yaml", nil)
//	if err != nil {
//		return err
//	}
//	server, err := openapi.NewServer(doc, &openapi.Options{
//		Client:      guarded, // a client that reaches only what it may reach
//		Authorize:   func(ctx context.Context, r *http.Request) error { r.Header.Set("Authorization", token); return nil },
//		IncludeTags: []string{"issues"},
//	})
//
// The server is an ordinary [mcp.Server] of this process; many sessions may use it at once.
//
// # What a tool looks like
//
// A tool is named after its operationId. Its arguments are the operation's parameters by name, and "body" for the request
// body; a name that occurs in two places is followed by its place ("id_path", "id_query"). The input schema is JSON Schema
// 2020-12 with every reference resolved into the schema itself, recursive ones included. A file is an object with its
// content as "text" or "base64". Parameters are written exactly as the styles of OpenAPI 3.1.2 say; where a value cannot be
// written without changing its meaning (a slash-dot-dot in a path, a space in a space-delimited list) the call fails before
// anything is sent.
//
// Arguments are not checked against the whole schema here: who calls tools does that (package mcpgroup), and the API does it
// again. Unknown and missing arguments and values that a style cannot express are refused.
//
// # What an answer looks like
//
// JSON becomes structured content and text; JSON that is not an object is wrapped as {"result": ...}, as MCP wants objects.
// Text stays text, images and audio become image and audio content, other bytes an embedded resource. A status that is not
// 2xx becomes an error result with the status and the start of the body; before that, a server that [Add] has made answers a
// 401, or a 403 for want of scope, with a renewed credential, once. A request that got no answer becomes an error result that
// says whether the API may have executed it.
//
// # What a document cannot do
//
// A document is data of a stranger. Its size, depth and number of values are bounded, aliases of YAML included; references
// to other documents are refused and never fetched; credentials go to the origin of the base URL only, whatever servers an
// operation names; redirects to another origin are not followed; arguments cannot set Authorization, Cookie, Host or the
// headers that frame a message; and what Authorize added to a request is blotted out of everything that comes back as text.
// What remains is the address: a document that may name its own server should be used with [Options.BaseURL] or with a
// client that guards where it connects to.
//
// # The parser
//
// Documents are read with github.com/getkin/kin-openapi, whose model has all of JSON Schema 2020-12 next to OpenAPI 3.0, and
// whose loader takes a function that refuses every fetch. The other candidate, github.com/pb33f/libopenapi, refuses honest
// recursive request bodies (v0.36), and its newest releases (v0.41 on) need a YAML module that the Go proxy does not serve.
package openapi
