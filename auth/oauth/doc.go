// Package oauth obtains and keeps OAuth 2.1 tokens for MCP servers, for many users at once.
//
// A [Client] is the OAuth side of one MCP server. It gives each user their own token, refreshes it before it expires and
// finds out what to do when the server refuses it: which authorization server is in charge (RFC 9728, RFC 8414, OpenID
// Connect Discovery), how to register there (a client ID metadata document, a configured client or RFC 7591), and where
// to send the user (an [auth.AuthRequiredError]). The authorization ends in [Client.Callback] or [Client.Complete], in
// this process or in any other one that shares the [Config.Store].
//
// Where the MCP server asks for it and the authorization server offers it, tokens are bound to a key (DPoP, RFC 9449). The
// key is kept with the token in the store, and each request has a proof of its own, which [auth.Chain.ResolveFor] adds.
//
// However many callers need a token at once, it costs one refresh, one registration and one authorization per user. What
// servers say is taken for hostile: see the errors of this package for what is refused.
package oauth
