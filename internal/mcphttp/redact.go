package mcphttp

import (
	"net/url"
	"regexp"
	"sync"
)

// What errors of net/http and the SDK hold that must not be logged. Compiled on first use: most programs never fail.
var redactions = sync.OnceValue(func() []redaction {
	return []redaction{
		{regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>\x60]+`), plainURL},
		// "(session ID: x)", "Mcp-Session-Id: x", `mismatching session IDs "x" and "y"`
		{regexp.MustCompile(`(?i)\b(session[ -]?ids?["']?(?:: ?|=))([^\s"',;)]+|"[^"]*")`), afterFirstGroup},
		{regexp.MustCompile(`(?i)\b(session[ -]?ids? )("[^"]*"(?: and "[^"]*")?)`), afterFirstGroup},
		{regexp.MustCompile(`(?i)\b((?:proxy-)?authorization["']?[:=] ?|x-api-key["']?[:=] ?|api-key["']?[:=] ?|cookie["']?[:=] ?)((?:bearer |basic |token )?[^\s"',;)]+)`), afterFirstGroup},
		{regexp.MustCompile(`(?i)\b((?:bearer|basic) )([a-z0-9._~+/-]{8,}=*)`), afterFirstGroup},
	}
})

type redaction struct {
	pattern *regexp.Regexp
	replace func(groups []string) string
}

func afterFirstGroup(groups []string) string { return groups[1] + removed }

// plainURL returns a URL without user, query and fragment.
func plainURL(groups []string) string {
	u, err := url.Parse(groups[0])
	if err != nil {
		return removed
	}
	u.User, u.RawQuery, u.Fragment, u.ForceQuery = nil, "", "", false
	return u.String()
}

// Redact returns the text of err without the user, query and fragment of URLs, without protocol session ids and without
// the values of credential headers. The errors of this package hold none of these themselves; those that net/http and
// the SDK wrap around them do.
func Redact(err error) string {
	if err == nil {
		return ""
	}
	s := err.Error()
	for _, r := range redactions() {
		s = r.pattern.ReplaceAllStringFunc(s, func(match string) string {
			return r.replace(r.pattern.FindStringSubmatch(match))
		})
	}
	return s
}
