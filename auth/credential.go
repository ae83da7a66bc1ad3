package auth

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
)

// A Credential is what a request presents to a server: a value itself (Authorization, Headers, Env), or the ID under
// which a [SecretStore] has it. With both, the value wins and ID only names the principal. The zero Credential is none.
//
// However it is printed, encoded or logged, no value shows: the values are Secrets, and its own text is that of
// [Credential.String]. Do not change the maps of a Credential that was handed to somebody.
type Credential struct {
	// Authorization is the whole value of the Authorization header field, with its scheme: see [Bearer] and [Basic].
	Authorization Secret
	// Headers are other header fields, such as X-Api-Key. [Header] makes a credential of one.
	Headers map[string]Secret
	// Env are environment variables for a stdio server of the user's own process.
	Env map[string]Secret
	// ID names a credential of the caller's tenant in the chain's [SecretStore]. See [Reference].
	ID string
	// Principal names on whose behalf the credential speaks, where that is known; it is no secret. Credentials of one
	// principal share a session, so that a rotated token goes on using it. The default is the ID, or else the
	// fingerprint of the value, with which every new token opens a session of its own.
	Principal string
}

// Bearer returns the credential of a bearer token (RFC 6750).
func Bearer(token string) Credential {
	return Credential{Authorization: NewSecret("Bearer " + token)}
}

// Basic returns the credential of a user and password (RFC 7617).
func Basic(user, password string) Credential {
	return Credential{Authorization: NewSecret("Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)))}
}

// Header returns the credential of one header field, such as an API key.
func Header(name, value string) Credential {
	return Credential{Headers: map[string]Secret{name: NewSecret(value)}}
}

// Reference returns the credential that the chain's [SecretStore] has under id.
func Reference(id string) Credential { return Credential{ID: id} }

// IsZero reports whether c is no credential at all.
func (c Credential) IsZero() bool {
	return c.Authorization.IsZero() && len(c.Headers) == 0 && len(c.Env) == 0 && c.ID == "" && c.Principal == ""
}

// hasValue reports whether c holds a value itself.
func (c Credential) hasValue() bool {
	return !c.Authorization.IsZero() || len(c.Headers) > 0 || len(c.Env) > 0
}

func (c Credential) clone() Credential {
	c.Headers, c.Env = maps.Clone(c.Headers), maps.Clone(c.Env)
	return c
}

// String says what kinds of values c holds, and never a value.
func (c Credential) String() string {
	switch {
	case c.IsZero():
		return "no credential"
	case !c.hasValue():
		return fmt.Sprintf("credential %q", c.ID)
	}
	return fmt.Sprintf("credential (authorization %t, %d headers, %d variables)", !c.Authorization.IsZero(), len(c.Headers), len(c.Env))
}

// GoString returns [Credential.String].
func (c Credential) GoString() string { return c.String() }

// Format writes [Credential.String] for every verb.
func (c Credential) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue returns [Credential.String].
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }
