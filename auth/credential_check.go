package auth

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/httptext"
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
	case !httptext.Token(name):
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

// checkValue returns what is wrong with the value of a header field. In a credential an empty one is a mistake.
func checkValue(canonical, v string) string {
	if v == "" {
		return "is empty; leave the credential out to send none"
	}
	return httptext.FieldFault(canonical, v)
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
