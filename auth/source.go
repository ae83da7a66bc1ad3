package auth

import "fmt"

// A Source is where the credential of a request comes from. Sources are listed in their order of precedence: the first
// that is present is used. If it is present and cannot be used, the request fails ([SourceError]); a lower source is
// never tried in its place.
type Source int

const (
	// SourceRequest is the value that the request itself brings: [WithCredentials].
	SourceRequest Source = 1 + iota
	// SourceRequestID is the credential id that the request brings: [WithCredentials].
	SourceRequestID
	// SourceAgent is the credential of the agent that makes the request: [WithAgentCredentials].
	SourceAgent
	// SourceServer is the credential of the server's own configuration: [ChainConfig.Credential] and [Chain.SetServerCredential].
	SourceServer
	// SourceOAuth is the OAuth token of the user, or of the server: [ChainConfig.OAuth].
	SourceOAuth
	// SourceNone is no credential: none of the above is present.
	SourceNone
)

// String returns the name of the source as it stands in logs and errors.
func (s Source) String() string {
	switch s {
	case SourceRequest:
		return "request authorization"
	case SourceRequestID:
		return "request credential id"
	case SourceAgent:
		return "agent credential"
	case SourceServer:
		return "server secret"
	case SourceOAuth:
		return "OAuth token"
	case SourceNone:
		return "none"
	}
	return fmt.Sprintf("Source(%d)", int(s))
}
