package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

var (
	// ErrNotFound is returned by stores for what they do not hold.
	ErrNotFound = errors.New("auth: not found")
	// ErrLockLost is wrapped by the errors of Load and Save for a holder who has lost the lock without unlocking it. After
	// a Save that failed with it, let go of what should have been saved: the value has been changed by somebody else since.
	ErrLockLost = errors.New("auth: the lock was lost while it was held; lock again, and load what others have saved")
)

// A TokenStore keeps what OAuth clients must remember: tokens, client registrations and authorizations under way. The
// values are secrets in the clear; a store that others can read must encrypt them (see [Encrypt]). Implementations are
// safe for concurrent use and do not keep or change the slices they are given.
type TokenStore interface {
	// Load returns the value of key, or an error that wraps [ErrNotFound].
	Load(ctx context.Context, key TokenKey) ([]byte, error)
	// Save sets the value of key, which the store may forget after ttl; 0 keeps it. A nil value deletes it, which is no
	// error if there is none.
	Save(ctx context.Context, key TokenKey, value []byte, ttl time.Duration) error
}

// A TokenKey names a value in a [TokenStore]. All fields count: values of different tenants, users, servers or issuers
// never meet.
type TokenKey struct {
	Kind   string // "token", "client", "pending", "state"
	Tenant string
	User   string
	Server string
	Issuer string // issuer identifier of the authorization server (RFC 8414 section 2)
	ID     string // tells values apart that share the rest, such as the state of an authorization
}

// Encode returns a text that no other TokenKey has, whatever its fields hold: the fields in their order, each escaped as
// in a URL query, with "/" between them. It has no ":", which stores may therefore put between it and what they add, and
// no byte that is not printable ASCII. It holds the ID, which for the state of an authorization must not be logged.
func (k TokenKey) Encode() string {
	return encodeKey(k.Kind, k.Tenant, k.User, k.Server, k.Issuer, k.ID)
}

// String returns [TokenKey.Encode] for logs and error texts: of the ID it has a checksum only.
func (k TokenKey) String() string {
	if k.ID != "" {
		sum := sha256.Sum256([]byte(k.ID))
		k.ID = hex.EncodeToString(sum[:4])
	}
	return k.Encode()
}

// LogValue implements [slog.LogValuer] with [TokenKey.String], so that no handler prints the fields.
func (k TokenKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

func encodeKey(fields ...string) string {
	for i, field := range fields {
		fields[i] = url.QueryEscape(field)
	}
	return strings.Join(fields, "/")
}

// A Locker is a [TokenStore] whose values several processes change. OAuth clients hold the lock of a key while they
// refresh its token: refresh tokens that rotate can be used once.
type Locker interface {
	// Lock waits until nobody else holds the lock of key, or ctx ends. A lock whose process died is released after a
	// bound of the store's own; a holder that has only slept learns of it by [ErrLockLost]. unlock may be called once.
	Lock(ctx context.Context, key TokenKey) (unlock func(), err error)
}

// A SecretStore keeps credentials by id. Implementations are safe for concurrent use.
type SecretStore interface {
	// Secret returns the credential of key. Its error wraps [ErrNotFound] if there is none, [ErrDenied] if the store
	// refuses to give it out, and [ErrStoreUnavailable] if it cannot be asked now.
	Secret(ctx context.Context, key SecretKey) (Credential, error)
	// SetSecret sets the credential of key; the zero Credential deletes it, which is no error if there is none. A store
	// that cannot be written returns an error that wraps [errors.ErrUnsupported].
	SetSecret(ctx context.Context, key SecretKey, c Credential) error
}

var (
	// ErrDenied is returned by a [SecretStore] that refuses to give a secret out.
	ErrDenied = errors.New("auth: the secret store denies access")
	// ErrStoreUnavailable is returned by a [SecretStore] that cannot be asked now: it cannot be reached, is sealed or
	// overloaded.
	ErrStoreUnavailable = errors.New("auth: the secret store is unavailable")
)

// A SecretKey names a credential in a [SecretStore]. A tenant can name only its own.
type SecretKey struct {
	Tenant string
	// Server binds the credential to one server, which owns it: it is deleted when the server is given another or is
	// removed. A credential with an empty Server was put there by somebody else, is only referred to, and is never
	// changed or deleted by this library.
	Server string
	ID     string
}

// Encode returns a text that no other SecretKey has, in the form of [TokenKey.Encode].
func (k SecretKey) Encode() string { return encodeKey(k.Tenant, k.Server, k.ID) }

// String returns [SecretKey.Encode].
func (k SecretKey) String() string { return k.Encode() }
