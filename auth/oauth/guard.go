package oauth

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/httptext"
)

// A guard says which URLs of an authorization server are used at all. Which addresses they may resolve to is up to the
// HTTP client: see auth.Egress.
type guard struct {
	// loopback admits http on loopback addresses. It is set if the MCP server itself has such an address: one elsewhere
	// has no business on this machine.
	loopback bool
}

// endpoint returns an error that wraps [ErrInsecureURL] unless raw is a URL to which codes, secrets and browsers may be
// sent: RFC 6749 sections 3.1 and 3.2, RFC 8252 section 8.3.
func (g guard) endpoint(field, raw string) error {
	u, err := url.Parse(raw)
	reason := ""
	switch {
	case raw == "":
		reason = "is empty"
	case err != nil:
		reason = "is malformed"
	case u.Opaque != "" || u.Hostname() == "":
		reason = "names no host"
	case u.User != nil:
		reason = "holds a user or password"
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		reason = "holds a fragment"
	case u.Scheme == "https":
	case u.Scheme == "http" && g.loopback && isLoopback(u.Hostname()):
	default:
		reason = "is not https"
	}
	if reason != "" {
		return fmt.Errorf("%s %s: %w", field, reason, ErrInsecureURL)
	}
	return nil
}

// redirectURI checks a redirect URI of ours: https, http on a loopback address, or a scheme of an application's own,
// which holds a dot (RFC 8252 section 7.1).
func redirectURI(raw string) error {
	u, err := url.Parse(raw)
	if err == nil && strings.Contains(u.Scheme, ".") && u.Fragment == "" {
		return nil
	}
	return guard{loopback: true}.endpoint("RedirectURL", raw)
}

// isLoopback reports whether a host name or address means this machine.
func isLoopback(host string) bool {
	if httptext.Lower(host) == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// sameIssuer compares issuer identifiers. RFC 8414 section 3.3 wants them identical; a slash at the end is forgiven, as
// many servers name themselves in both ways.
func sameIssuer(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}

// isScope reports whether s is a scope-token of RFC 6749 section 3.3.
func isScope(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return s != ""
}
