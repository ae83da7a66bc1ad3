package vault

import "net/http/httptest"

// StartDouble starts a server for the examples, with an AppRole at auth/approle that may do everything below
// secret/mcpfleet.
func StartDouble() (address, root, roleID, secretID string, stop func()) {
	d := newDouble()
	d.policies["agents"] = parsePolicy(`
		path "secret/data/mcpfleet/*" { capabilities = ["create", "update", "read"] }
		path "secret/metadata/mcpfleet/*" { capabilities = ["delete"] }`)
	d.mounts["approle"] = map[string]*doubleRole{"agents": {
		id: "role", secretIDs: map[string]int{"secret": 0}, settings: map[string]any{"token_policies": []any{"agents"}, "token_ttl": "1h"},
	}}
	server := httptest.NewServer(d)
	return server.URL, rootToken, "role", "secret", server.Close
}
