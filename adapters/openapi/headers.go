package openapi

import (
	"net/http"
	"strings"
)

// forbiddenHeader reports whether arguments must not set a header: because credentials go there, because it frames the
// message or steers the connection, or because OpenAPI says that such a parameter is ignored (Accept, Content-Type,
// Authorization).
func forbiddenHeader(name string) bool {
	switch name = http.CanonicalHeaderKey(name); name {
	case "Accept", "Accept-Encoding", "Authorization", "Connection", "Cookie", "Expect", "Host", "Keep-Alive", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, "Content-") || strings.HasPrefix(name, "Proxy-")
}

// validToken reports whether s is a token of HTTP (RFC 9110 section 5.6.2).
func validToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
