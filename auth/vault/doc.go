// Package vault resolves credential ids with HashiCorp Vault or OpenBao: a [Store] is an [auth.SecretStore] over a secrets
// engine of type KV version 2.
//
// # Paths
//
// The credential of an [auth.SecretKey] is the secret
//
//	<mount>/data/<prefix>/<tenant>/<server>/<id>
//
// where a key without a server, which is one that requests and configurations refer to by id, has "shared" for the server.
// With the defaults, the id "github-pat" of the tenant "acme" is written with
//
//	vault kv put -mount=secret mcpfleet/acme/shared/github-pat token=ghp_...
//
// Letters of ASCII, digits, "-", "_" and "." stand for themselves. Every other byte becomes "~" and two hexadecimal digits,
// as "/" becomes "~2F" and "@" becomes "~40", and so do a "." that comes first or after another one, and the first letter
// of a server that is really named "shared". An empty name is "~". A name that would take more than 128 bytes is "~h" and the SHA-256 of it
// in hexadecimal digits, because storage backends bound the length of paths. Two keys never share a path, a name never
// leaves its place in it, and a path has no "+", "*" or "{{", which mean something in policies. [Path] computes it.
//
// # Policies
//
// A tenant is a subtree, so a policy can stand for it:
//
//	path "secret/data/mcpfleet/acme/*"     { capabilities = ["create", "update", "read"] }
//	path "secret/metadata/mcpfleet/acme/*" { capabilities = ["delete"] }
//
// A process that serves all tenants has "secret/data/mcpfleet/*". One that never sets the credential of a server
// ([auth.Chain.SetServerCredential]) needs "read" only, and nothing on metadata. The token must also be allowed to look
// itself up and to renew itself, as the policy "default" allows.
//
// # Fields
//
// Every field of a secret is a string:
//
//	authorization       the whole value of the Authorization header field
//	token               a bearer token, without "Bearer "
//	username, password  basic credentials (RFC 7617)
//	header:<Name>       another header field
//	env:<NAME>          an environment variable
//	principal           [auth.Credential.Principal]
//	id                  [auth.Credential.ID]
//
// Of authorization, token, and username with password there can be one. A field that is none of these is an error, so that
// a misspelt one is not passed over: notes belong into the custom metadata of the secret.
//
// # Authentication
//
// The store renews its token when two thirds of its life are over. With [AppRole] it logs in again when the token is used
// up, reaches its maximum, or is refused: the server answers 403 both to a token that has ended and to one that lacks a
// permission, so one read that is refused logs in once, for all who wait, and is sent once more.
package vault
