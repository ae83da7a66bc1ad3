package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/mcpfleet/mcpfleet/session"
)

// A TokenProvider obtains tokens for one server: the last source of a [Chain]. Package auth/oauth has the one for OAuth
// 2.1. Implementations are safe for concurrent use.
type TokenProvider interface {
	// Token returns the access token of the user, without a scheme, refreshed if it is about to expire. It is sent as a
	// bearer token. The zero Secret says that there is none yet: the request is sent without, and the server's refusal says
	// what is needed.
	Token(ctx context.Context, key session.Key) (Secret, error)
	// Refused is told that the server refused a request. It obtains what it can and reports whether the request should
	// be sent once more. However many callers are refused at once, one refresh serves them all. An error, such as an
	// [*AuthRequiredError], takes the place of the refusal.
	Refused(ctx context.Context, key session.Key, r Refusal) (again bool, err error)
}

// A TokenCache is a [TokenProvider] that can say at once which token it has. A [Chain] asks it first: the other methods of a
// provider may be the host's code and run on a goroutine of their own, which is more than most requests need.
type TokenCache interface {
	// Cached returns the token of the user if it is known, not about to expire and sent as a bearer token. It must neither
	// wait nor panic.
	Cached(key session.Key) (token Secret, ok bool)
}

// A ProofProvider is a [TokenProvider] whose tokens may be bound to a key that only it has (DPoP, RFC 9449): one that leaks
// is of no use, as each request carries a proof of its own, which is signed with the key. A [Chain] that knows the request,
// see [Chain.ResolveFor], asks it for what [TokenCache.Cached] does not return.
type ProofProvider interface {
	TokenProvider
	// TokenFor is Token for one request with that method and URL. If the token is bound, proof is for the header field DPoP
	// of this request and of no other; otherwise it is the zero Secret. Token fails for a token that is bound.
	TokenFor(ctx context.Context, key session.Key, method string, u *url.URL) (token, proof Secret, err error)
}

// A Refusal is the answer 401 or 403 of a server. It prints without the values that were sent, but a struct that has it in
// an unexported field does not: pass it on, and do not keep it.
type Refusal struct {
	StatusCode int
	Challenges []string    // the WWW-Authenticate fields
	DPoPNonce  string      // the DPoP-Nonce field, which is for the next proof (RFC 9449 section 9); empty: there is none
	Sent       http.Header // the header fields of the request, the chain's among them, in the clear
}

// String names the status.
func (r Refusal) String() string { return fmt.Sprintf("refusal with status %d", r.StatusCode) }

// GoString returns [Refusal.String].
func (r Refusal) GoString() string { return r.String() }

// Format writes [Refusal.String] for every verb.
func (r Refusal) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue returns [Refusal.String].
func (r Refusal) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON returns [Refusal.String] as a JSON string.
func (r Refusal) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }
