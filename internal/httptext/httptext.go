// Package httptext knows the small grammars of HTTP that several packages judge credentials and URLs by.
package httptext

import (
	"net/url"
	"strings"
)

// Token reports whether s is a token of RFC 9110 section 5.6.2, which the name of a header field must be.
func Token(s string) bool {
	for i := range len(s) {
		if !Alphanumeric(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// B64Token reports whether s is a b64token of RFC 6750 section 2.1, which is the token68 of RFC 9110 section 11.2.
func B64Token(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if !Alphanumeric(s[i]) && strings.IndexByte("-._~+/", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// Alphanumeric reports whether c is a letter or digit of ASCII.
func Alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// FieldFault returns what is wrong with the value of a header field, whose name is canonical, or "". It is stricter than
// RFC 9110 section 5.5, which leaves room for bytes beyond ASCII: no two servers agree on what those mean, and in a
// credential they are a mistake. An empty value passes where it is no credential.
func FieldFault(name, v string) string {
	for i := range len(v) {
		if v[i] < ' ' || v[i] > '~' {
			return "has a value with a byte that is not printable ASCII"
		}
	}
	if v != "" && (v[0] == ' ' || v[len(v)-1] == ' ') {
		return "has a value that begins or ends with a space"
	}
	if name != "Authorization" && name != "Proxy-Authorization" {
		return ""
	}
	if v == "" {
		return "is empty; leave it out to send no credential"
	}
	scheme, token, _ := strings.Cut(v, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer") && !B64Token(token):
		return "holds an empty or malformed bearer token (RFC 6750 section 2.1)"
	case strings.EqualFold(scheme, "DPoP") && !B64Token(token):
		return "holds an empty or malformed DPoP token (RFC 9449 section 7.1)"
	case strings.EqualFold(scheme, "Basic") && !B64Token(token):
		return "holds empty or malformed basic credentials (RFC 7617 section 2)"
	}
	return ""
}

// SameOrigin reports whether two http or https URLs have the same scheme, host and port (RFC 6454 section 5).
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && Lower(a.Hostname()) == Lower(b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// Lower maps A to Z alone. Unicode has more letters that differ in case only, such as σ and ς or the Kelvin sign and k:
// names with those may belong to two hosts.
func Lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
