package mcphttp

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/httptext"
)

const (
	headerSession = "Mcp-Session-Id"
	headerVersion = "Mcp-Protocol-Version"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
	headerEventID = "Last-Event-Id" // in net/http's spelling
)

// origin is the scheme, host and port of a URL (RFC 6454 section 4).
type origin struct{ scheme, host, port string }

func originOf(u *url.URL) origin {
	o := origin{u.Scheme, strings.ToLower(u.Hostname()), u.Port()}
	if o.port == "" {
		switch o.scheme {
		case "http":
			o.port = "80"
		case "https":
			o.port = "443"
		}
	}
	return o
}

// ours reports whether u belongs to the configured server.
func (c *Chain) ours(u *url.URL) bool {
	if u.User != nil {
		return false
	}
	if u.Host == c.endpoint.Host && u.Scheme == c.endpoint.Scheme {
		return true
	}
	return originOf(u) == c.origin
}

// reserved are the headers that HTTP, the MCP transports or net/http act upon, beside all that begin with "Mcp-".
var reserved = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Connection": true, "Content-Encoding": true, "Content-Length": true,
	"Content-Type": true, "Expect": true, "Host": true, "Keep-Alive": true, headerEventID: true, "Proxy-Connection": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
	// With either of these net/http takes a POST for repeatable and sends it again by itself.
	"Idempotency-Key": true, "X-Idempotency-Key": true,
}

// checkHeaders returns a canonical copy of h, or the first fault as a *HeaderError.
func checkHeaders(h http.Header) (http.Header, error) {
	if len(h) == 0 {
		return nil, nil
	}
	out := make(http.Header, len(h))
	for name, values := range h {
		canonical, err := checkHeader(name, values)
		if err != nil {
			return nil, err
		}
		if _, twice := out[canonical]; twice {
			return nil, &HeaderError{canonical, "is set twice, in two spellings"}
		}
		out[canonical] = append([]string(nil), values...)
	}
	return out, nil
}

// checkHeader returns the canonical form of name.
func checkHeader(name string, values []string) (string, error) {
	canonical := http.CanonicalHeaderKey(name)
	switch {
	case !httptext.Token(name):
		return "", &HeaderError{cleanText(name, 64), "is not a valid header name (RFC 9110 section 5.1)"}
	case reserved[canonical] || strings.HasPrefix(canonical, "Mcp-"):
		return "", &HeaderError{canonical, "is set by the transport itself; remove it"}
	}
	for _, v := range values {
		if reason := httptext.FieldFault(canonical, v); reason != "" {
			return "", &HeaderError{canonical, reason}
		}
	}
	if canonical == "Authorization" && len(values) != 1 {
		return "", &HeaderError{canonical, fmt.Sprintf("has %d values, want 1", len(values))}
	}
	return canonical, nil
}

// outgoing returns r as it is to be sent under ctx: a copy with the configured headers and on top of them extra, which
// reports to x. The caller's request is left alone, as http.RoundTripper demands.
func (c *Chain) outgoing(ctx context.Context, r *http.Request, x *Exchange, extra map[string]string) (*http.Request, error) {
	if !c.ours(r.URL) {
		return nil, &RedirectError{Host: cleanText(r.URL.Host, 128)}
	}
	var more http.Header
	if c.cfg.Headers != nil {
		var err error
		if more, err = c.cfg.Headers(r.Context(), r); err != nil {
			return nil, fmt.Errorf("mcphttp: the request was not sent, as its headers could not be resolved: %w", err)
		}
	}
	if x != nil && c.traces {
		ctx = x.follow(ctx)
	}
	out := r.WithContext(ctx)
	if len(c.cfg.Header) == 0 && len(more) == 0 && len(extra) == 0 {
		if x != nil && !c.traces {
			x.watch(out)
		}
		return out, nil // with the caller's headers: the transport does not write to them
	}
	// The slices of values are shared: nobody writes to them.
	out.Header = make(http.Header, len(r.Header)+len(c.cfg.Header)+len(more))
	for name, values := range r.Header {
		out.Header[name] = values
	}
	for name, values := range c.cfg.Header {
		out.Header[name] = values
	}
	for name, values := range more {
		canonical, err := checkHeader(name, values)
		if err != nil {
			return nil, err
		}
		out.Header[canonical] = values
	}
	for name, value := range extra {
		out.Header[name] = []string{value}
	}
	if x != nil && !c.traces {
		x.watch(out)
	}
	return out, nil
}

// secrets returns what must not show up in a text about the answer to r: the values of the headers that were not the
// SDK's, whole, without their scheme and, for basic credentials, decoded; and the session id.
func (c *Chain) secrets(r *http.Request) []string {
	var s []string
	for name, values := range r.Header {
		if name != headerSession && (reserved[name] || strings.HasPrefix(name, "Mcp-") || name == "User-Agent") {
			continue
		}
		for _, v := range values {
			s = append(s, v)
			scheme, token, ok := strings.Cut(v, " ")
			if !ok {
				continue
			}
			s = append(s, token)
			if b, err := base64.StdEncoding.DecodeString(token); err == nil && strings.EqualFold(scheme, "Basic") {
				_, password, _ := strings.Cut(string(b), ":")
				s = append(s, string(b), password)
			}
		}
	}
	return s
}
