package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/mcpfleet/mcpfleet/session"
)

// A TokenProvider obtains tokens for one server: the last source of a [Chain]. Package auth/oauth has the one for OAuth
// 2.1. Implementations are safe for concurrent use.
type TokenProvider interface {
	// Token returns the access token of the user, without a scheme, refreshed if it is about to expire. The zero Secret
	// says that there is none yet: the request is sent without, and the server's refusal says what is needed.
	Token(ctx context.Context, key session.Key) (Secret, error)
	// Refused is told that the server refused a request. It obtains what it can and reports whether the request should
	// be sent once more. However many callers are refused at once, one refresh serves them all. An error, such as an
	// [*AuthRequiredError], takes the place of the refusal.
	Refused(ctx context.Context, key session.Key, r Refusal) (again bool, err error)
}

// A TokenCache is a [TokenProvider] that can say at once which token it has. A [Chain] asks it first: the other methods of a
// provider may be the host's code and run on a goroutine of their own, which is more than most requests need.
type TokenCache interface {
	// Cached returns the token of the user if it is known and not about to expire. It must neither wait nor panic.
	Cached(key session.Key) (token Secret, ok bool)
}

// A Refusal is the answer 401 or 403 of a server. It prints without the values that were sent, but a struct that has it in
// an unexported field does not: pass it on, and do not keep it.
type Refusal struct {
	StatusCode int
	Challenges []string    // the WWW-Authenticate fields
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
