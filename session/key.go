package session

import (
	"fmt"
	"hash/fnv"
	"log/slog"
)

// A Key says on whose behalf a session is used. Keys are comparable; sessions are shared by equal keys only.
type Key struct {
	Tenant       string // the customer or organisation; empty if there is only one
	User         string // the authenticated user, unique within Tenant; required
	Conversation string // separates one user's conversations; empty if they share sessions
}

// String returns "tenant/user#conversation" for logs and error texts, leaving out empty parts. The conversation is shortened
// to a checksum: with some hosts it is a cookie, and whoever reads a log must not be able to take it over.
func (k Key) String() string {
	s := k.User
	if k.Tenant != "" {
		s = k.Tenant + "/" + s
	}
	if k.Conversation != "" {
		s += "#" + checksum(k.Conversation)
	}
	return s
}

// LogValue implements [slog.LogValuer] with [Key.String], so that no handler prints the fields.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// An ID is the key of a [Map]: an identity and the credential in use, so that no two principals ever share a session.
type ID struct {
	Key Key
	// Fingerprint tells credentials apart. It is opaque to this package and must not be the credential itself, nor
	// anything it can be guessed from; it is empty if there is no credential.
	Fingerprint string
}

// String returns [Key.String], followed by a checksum of the fingerprint if there is one.
func (id ID) String() string {
	if id.Fingerprint == "" {
		return id.Key.String()
	}
	return id.Key.String() + "~" + checksum(id.Fingerprint)
}

// LogValue implements [slog.LogValuer] with [ID.String].
func (id ID) LogValue() slog.Value { return slog.StringValue(id.String()) }

func checksum(s string) string {
	h := fnv.New32a()
	h.Write([]byte(s))
	return fmt.Sprintf("%08x", h.Sum32())
}
