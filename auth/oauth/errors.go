package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// What an authorization server, an MCP server or a browser did that is refused. Each is wrapped by an [*Error].
var (
	// ErrInsecureURL is a URL that is not https (http is accepted for loopback addresses, if the MCP server has one), or
	// that holds a user or a fragment.
	ErrInsecureURL = errors.New("the URL is not secure")
	// ErrMetadata is metadata that cannot be read: not JSON, without a required field, or not to be had.
	ErrMetadata = errors.New("the metadata is unusable")
	// ErrTooLarge is an answer of more than 1 MiB.
	ErrTooLarge = errors.New("the answer is larger than 1 MiB")
	// ErrRedirect is an answer that leads to another origin, or leads on for ever.
	ErrRedirect = errors.New("the redirect is refused")
	// ErrResourceMismatch is metadata of another resource than [Config.Resource] (RFC 9728 section 3.3).
	ErrResourceMismatch = errors.New("the metadata is of another resource")
	// ErrIssuerMismatch is metadata (RFC 8414 section 3.3) or an authorization response (RFC 9207) of another issuer, or
	// one that is not [Config.Issuer].
	ErrIssuerMismatch = errors.New("the issuer is not the expected one")
	// ErrIssuerMissing is an authorization response without the issuer that the server promised to name (RFC 9207).
	ErrIssuerMissing = errors.New("the response does not name its issuer")
	// ErrIssuerChanged is an authorization server that takes the place of the one which a client secret is for.
	ErrIssuerChanged = errors.New("the client secret belongs to another authorization server; set Config.Issuer to the right one")
	// ErrNoPKCE is an authorization server that does not offer PKCE with S256 (RFC 7636).
	ErrNoPKCE = errors.New("the authorization server does not offer PKCE with S256")
	// ErrNoRegistration is an authorization server with which no client can be registered in a way that is configured.
	ErrNoRegistration = errors.New("no way of client registration is configured that the authorization server offers; set AuthorizationCode.ClientID")
	// ErrRegistration is the answer to a dynamic registration that cannot be used (RFC 7591).
	ErrRegistration = errors.New("the registration cannot be used")
	// ErrState is a state that is not known, or no longer: it can be used once.
	ErrState = errors.New("the state is unknown or has been used")
	// ErrExpired is an authorization that took longer than [AuthorizationCode.PromptTTL].
	ErrExpired = errors.New("the authorization has expired; start it again")
	// ErrOtherUser is an authorization that another user started.
	ErrOtherUser = errors.New("the authorization was started by another user")
	// ErrCallback is a query of the redirect that lacks a parameter, has one twice, or has one of an absurd length.
	ErrCallback = errors.New("the query of the redirect is malformed")
	// ErrTokenResponse is an answer of the token endpoint that holds no usable bearer token.
	ErrTokenResponse = errors.New("the answer holds no usable bearer token")
	// ErrBound is a token that a request must not be sent with alone, as it is bound to a key (DPoP, RFC 9449).
	ErrBound = errors.New("the token is bound to a key and goes with a proof for each request; see auth.Chain.ResolveFor")
	// ErrClosed is returned by a [Client] that is closed.
	ErrClosed = errors.New("oauth: the client is closed")
)

// An Error says what failed, for which MCP server and at which authorization server. Its text holds no code, token,
// secret, state or query.
type Error struct {
	Op     string // "discovery", "registration", "authorization", "callback", "token", "refresh", "revocation", "store"
	Server string // Config.Server
	Issuer string // issuer identifier of the authorization server, if it is known
	Err    error
}

// Error names the server, the operation, the issuer and the cause.
func (e *Error) Error() string {
	s := fmt.Sprintf("oauth: %s for server %q", e.Op, e.Server)
	if e.Issuer != "" {
		s += " at " + place(e.Issuer)
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A ResponseError is the refusal of an authorization server: the answer of an endpoint, or what it sent the browser back
// with (RFC 6749 sections 4.1.2.1 and 5.2).
type ResponseError struct {
	Status      int    // HTTP status; 0 for what came with the browser
	Code        string // such as "invalid_grant"; empty if the server gave none
	Description string // printable and short
}

// Error gives the code and description, or else the status.
func (e *ResponseError) Error() string {
	switch {
	case e.Code == "":
		return fmt.Sprintf("the authorization server answered with status %d", e.Status)
	case e.Description == "":
		return fmt.Sprintf("the authorization server answered %q", e.Code)
	}
	return fmt.Sprintf("the authorization server answered %q (%s)", e.Code, e.Description)
}

// newError wraps what failed, reduced to what may be seen. What is typed already stays as it is.
func newError(op, server, issuer string, err error) error {
	var typed *Error
	var required *auth.AuthRequiredError
	if err == nil || errors.As(err, &typed) || errors.As(err, &required) {
		return err
	}
	return &Error{op, server, issuer, reduce(err)}
}

// reduce returns err without the parts that hold what was sent or received.
func reduce(err error) error {
	var panicked *session.PanicError
	if errors.As(err, &panicked) {
		return err // the fault is in the host's own code, which must find it
	}
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		status := 0
		if refused.Response != nil {
			status = refused.Response.StatusCode
		}
		return newResponseError(status, refused.ErrorCode, refused.ErrorDescription)
	}
	var failed *url.Error // holds the URL with its query
	if errors.As(err, &failed) {
		return failed.Err
	}
	// x/oauth2 quotes what it cannot parse.
	if strings.HasPrefix(err.Error(), "oauth2: ") && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return ErrTokenResponse
	}
	return err
}

func newResponseError(status int, code, description string) *ResponseError {
	if !isErrorCode(code) {
		code, description = "", ""
	}
	return &ResponseError{status, code, plain(description)}
}

// isErrorCode is stricter than RFC 6749 section 5.2, which admits most of ASCII: all registered codes are such words, and
// no secret is.
func isErrorCode(s string) bool {
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && s[i] != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

// plain returns what a server says, for people: printable ASCII, at most 200 bytes, and without words that look like a
// code or token.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s[:min(len(s), 1000)])
	words := strings.Fields(s)
	for i, w := range words {
		if len(w) >= 24 || len(w) >= 12 && strings.ContainsAny(w, "0123456789") || strings.ContainsAny(w, "?&=") {
			words[i] = "[removed]"
		}
	}
	s = strings.Join(words, " ")
	return s[:min(len(s), 200)]
}

// place returns the scheme, host and path of a URL, quoted.
func place(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return `"[malformed URL]"`
	}
	return fmt.Sprintf("%q", (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}

// hasCode reports whether an authorization server refused with one of the codes.
func hasCode(err error, codes ...string) bool {
	var r *ResponseError
	if !errors.As(err, &r) {
		return false
	}
	for _, code := range codes {
		if r.Code == code {
			return true
		}
	}
	return false
}

// clientUnknown reports whether an authorization server refused because it does not know the client, or not this
// redirect URI of it: registrations get lost when a server is set up anew.
func clientUnknown(err error) bool {
	var r *ResponseError
	if !errors.As(err, &r) {
		return false
	}
	if r.Code == "invalid_client" || r.Code == "unauthorized_client" || r.Code == "" && r.Status == http.StatusUnauthorized {
		return true
	}
	d := strings.ToLower(strings.ReplaceAll(r.Description, "_", " "))
	return r.Code == "invalid_redirect_uri" ||
		strings.Contains(d, "redirect uri") && (strings.Contains(d, "not registered") || strings.Contains(d, "not match") || strings.Contains(d, "mismatch"))
}
