package session

import (
	"context"
	"net/http"
)

type contextKey struct{}

// NewContext returns a context that carries k: calls made with it are made on behalf of k.
//
// Whoever calls NewContext vouches for k. It must come from an authenticated source, such as a verified token or a server-side
// session; a header, a query parameter or a model's output that names a user proves nothing and would hand over that
// user's sessions. NewContext does not check k, because it has no way to report an error: [Key.Validate] does, and the
// packages that use the key call it.
func NewContext(ctx context.Context, k Key) context.Context {
	return context.WithValue(ctx, contextKey{}, k)
}

// FromContext returns the key that ctx carries and whether it carries one.
func FromContext(ctx context.Context) (Key, bool) {
	k, ok := ctx.Value(contextKey{}).(Key)
	return k, ok
}

// Middleware wraps an HTTP handler so that the context of each request carries the key that identify returns for it.
//
// identify must authenticate the request: verify a token or look a cookie up, and never believe a name that the client merely
// states. If it returns an error, or a key that [Key.Validate] refuses, the request is answered with status 401 and the
// wrapped handler does not run. The answer gives no reason, since that would help only somebody who is guessing; an identify
// that wants its errors logged logs them.
//
// RFC 9110 section 15.5.2 demands a challenge with each 401. It is the one an outer handler has set, or else "Bearer".
//
// Middleware panics if identify is nil, and the function it returns panics if the handler is nil.
func Middleware(identify func(*http.Request) (Key, error)) func(http.Handler) http.Handler {
	if identify == nil {
		panic("session: Middleware: identify is nil; pass a function that authenticates a request")
	}
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("session: Middleware: the handler is nil; pass the one that is to run for authenticated requests")
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			k, err := identify(r)
			if err == nil {
				err = k.Validate()
			}
			if err != nil {
				if w.Header().Get("WWW-Authenticate") == "" {
					w.Header().Set("WWW-Authenticate", "Bearer")
				}
				http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), k)))
		})
	}
}
