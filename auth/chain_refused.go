package auth

import (
	"context"

	"github.com/mcpfleet/mcpfleet/session"
)

// Refused is told that the server answered 401 or 403 to a request of ctx and key, and reports whether the request should
// be resolved and sent once more. A token of the OAuth provider is for the provider to renew. A credential from the secret
// store is asked for again, and there is another attempt if it has changed. A value that the request or the agent brought,
// or that is configured, is as it is. If Refused fails, its error takes the place of the answer.
func (c *Chain) Refused(ctx context.Context, key session.Key, r Refusal) (again bool, err error) {
	ch := c.choose(ctx, key)
	switch ch.source {
	case SourceNone:
		return false, nil
	case SourceOAuth:
		// The error stands by itself: it says what the user or the operator must do.
		return recovered("TokenProvider.Refused", func() (bool, error) { return c.oauth.Refused(ctx, key, r) })
	}
	stored, id, err := c.locate(ch, key)
	if err != nil || !stored {
		return false, nil //nolint:nilerr // it was refused before it could be sent
	}
	again, err = c.secrets.refused(ctx, id, r.Sent)
	switch {
	case err == nil:
		return again, nil
	case unavailable(err):
		return false, nil // the server's answer says more
	}
	return false, c.failed(ch, err)
}
