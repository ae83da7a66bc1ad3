package auth

import (
	"fmt"
	"net/http"
	"strings"
)

// maxIDBytes bounds a credential id, which may come from whoever makes a request and is kept in caches.
const maxIDBytes = 512

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalidCredential, fmt.Sprintf(format, args...))
}

// addHeader adds a header field to h if it may be sent.
func addHeader(h http.Header, name string, value Secret) error {
	canonical := http.CanonicalHeaderKey(name)
	switch _, twice := h[canonical]; {
	case !isToken(name):
		return invalid("a header has a name that is not a token (RFC 9110 section 5.1)")
	case twice:
		return invalid("the header %s is given twice", canonical)
	}
	if reason := checkValue(canonical, value.Reveal()); reason != "" {
		return invalid("the header %s %s", canonical, reason)
	}
	h[canonical] = []string{value.Reveal()}
	return nil
}

// checkValue returns what is wrong with the value of a header field. It is stricter than RFC 9110 section 5.5, which
// leaves room for bytes beyond ASCII and for nothing at all: in a credential they are a mistake.
func checkValue(canonical, v string) string {
	for i := range len(v) {
		if v[i] < ' ' || v[i] > '~' {
			return "has a value with a byte that is not printable ASCII"
		}
	}
	switch {
	case v == "":
		return "is empty; leave the credential out to send none"
	case v[0] == ' ' || v[len(v)-1] == ' ':
		return "has a value that begins or ends with a space"
	case canonical != "Authorization" && canonical != "Proxy-Authorization":
		return ""
	}
	scheme, token, _ := strings.Cut(v, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer") && !isB64Token(token):
		return "holds an empty or malformed bearer token (RFC 6750 section 2.1)"
	case strings.EqualFold(scheme, "Basic") && !isB64Token(token):
		return "holds empty or malformed basic credentials (RFC 7617 section 2)"
	}
	return ""
}

func checkVariable(name string, value Secret) error {
	switch {
	case name == "" || strings.ContainsAny(name, "=\x00"):
		return invalid("an environment variable has a name that is empty or has a %q or NUL in it", "=")
	case value.IsZero():
		return invalid("the environment variable %q is empty", name)
	case strings.Contains(value.Reveal(), "\x00"):
		return invalid("the environment variable %q has a value with a NUL in it", name)
	}
	return nil
}

// isB64Token reports whether s is a b64token of RFC 6750 section 2.1, which is the token68 of RFC 9110 section 11.2.
func isB64Token(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if !alphanumeric(s[i]) && strings.IndexByte("-._~+/", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
