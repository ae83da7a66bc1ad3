package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"

	"github.com/mcpfleet/mcpfleet/session"
)

// A Resolution is what one request is sent with. However it is printed, encoded or logged, no value shows.
//
// The values are read with [Resolution.Header] and [Resolution.Env] and are no fields, because an http.Header would show in
// every struct that has a Resolution in an unexported field.
type Resolution struct {
	Source Source
	ID     string // the id under which the secret store has the credential, if the source gave one

	material **material // nil if there is none; behind two pointers for the reason that [Secret] gives
}

func (r Resolution) values() material {
	if r.material == nil {
		return material{}
	}
	return **r.material
}

// Header returns the header fields of the request, in the clear. They are shared with other requests: the caller must
// change neither the map nor the slices in it, and must not log them. It is nil if there are none.
func (r Resolution) Header() http.Header {
	return r.values().header
}

// Env returns a new map of the environment variables of the credential, in the clear, for the process of a stdio server.
// It is nil if there are none. A credential that has none and is for a stdio server, or has nothing else and is for an
// HTTP server, is no error here: it adds nothing.
func (r Resolution) Env() map[string]string {
	secrets := r.values().env
	if len(secrets) == 0 {
		return nil
	}
	env := make(map[string]string, len(secrets))
	for name, value := range secrets {
		env[name] = value.Reveal()
	}
	return env
}

// String names the source and how many values it gave.
func (r Resolution) String() string {
	s := r.Source.String()
	if r.ID != "" {
		s += fmt.Sprintf(" %q", r.ID)
	}
	if m := r.values(); len(m.header)+len(m.env) > 0 {
		s += fmt.Sprintf(" (%d headers, %d variables)", len(m.header), len(m.env))
	}
	return s
}

// GoString returns [Resolution.String].
func (r Resolution) GoString() string { return r.String() }

// Format writes [Resolution.String] for every verb.
func (r Resolution) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue returns [Resolution.String].
func (r Resolution) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON returns [Resolution.String] as a JSON string.
func (r Resolution) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }

// withHeaders adds what ChainConfig.Headers returns to r.
func (c *Chain) withHeaders(ctx context.Context, key session.Key, r Resolution) (Resolution, error) {
	fail := func(err error) (Resolution, error) {
		return Resolution{}, fmt.Errorf("auth: the additional headers for server %q: %w", c.server, err)
	}
	old := r.values()
	if len(old.header) == 0 && len(old.env) > 0 {
		return r, nil // it is for a process; a request with more headers and without it would pass for authorized
	}
	more, err := recovered("ChainConfig.Headers", func() (map[string]Secret, error) { return c.headers(ctx, key) })
	if err != nil {
		return fail(err)
	}
	if len(more) == 0 {
		return r, nil
	}
	m := &material{header: make(http.Header, len(old.header)+len(more)), env: old.env}
	maps.Copy(m.header, old.header)
	for name, value := range more {
		if http.CanonicalHeaderKey(name) == "Authorization" {
			return fail(invalid("Authorization is for the sources of the chain to set"))
		}
		if err := addHeader(m.header, name, value); err != nil {
			return fail(err)
		}
	}
	r.material = &m
	return r, nil
}
