package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/mcpfleet/mcpfleet/auth"
)

const (
	shared = "shared" // the place of the server in the path of a key without one
	// maxSegment is how many bytes a name takes at most. KV version 2 encrypts and encodes every segment of a path, which
	// makes it two thirds longer, and there are backends that take 255 bytes for a segment and 1 KiB for a path.
	maxSegment = 128
)

// Path returns where a secrets engine has the credential of key, below its mount: what "vault kv get -mount=secret" takes.
// prefix is that of the [Config]; an empty one is its default. See the package documentation for the form.
func Path(prefix string, key auth.SecretKey) string {
	server := segment(key.Server)
	switch server {
	case "~":
		server = shared
	case shared:
		server = escape(shared[0]) + shared[1:]
	}
	return orDefault(prefix, defaultPrefix) + "/" + segment(key.Tenant) + "/" + server + "/" + segment(key.ID)
}

// segment returns a segment of a path that no other name has. Its bytes are unreserved in a URL (RFC 3986 section 2.3), so
// that whatever handles the URL on its way has nothing to decode or to normalize.
func segment(name string) string {
	if name == "" {
		return "~"
	}
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; unreserved(c) && (c != '.' || i > 0 && name[i-1] != '.') {
			b.WriteByte(c)
		} else {
			b.WriteString(escape(c))
		}
	}
	if b.Len() > maxSegment {
		sum := sha256.Sum256([]byte(name))
		return "~h" + hex.EncodeToString(sum[:]) // h is no hexadecimal digit
	}
	return b.String()
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

func escape(c byte) string { return "~" + strings.ToUpper(hex.EncodeToString([]byte{c})) }
