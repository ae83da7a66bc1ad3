package auth

import (
	"context"
	"net/http"
	"net/url"

	"github.com/mcpfleet/mcpfleet/internal/httptext"
)

// maxRedirects is how many redirects of one origin are followed.
const maxRedirects = 5

// Client returns a new HTTP client whose requests, redirects and connections are those that e allows. It keeps no
// cookies and has no timeout of its own: contexts bound what it does.
//
// It follows up to 5 redirects that stay within the origin, which is the scheme, the host and the port. Any other
// redirect fails with an [*EgressError]; what it points to is not looked up, and gets no header and no body. Like all
// errors of an [http.Client] it comes within a [*url.Error], whose text repeats the URL of the request with its query;
// the target of a refused redirect is in it without its path and query.
func (e *Egress) Client() *http.Client {
	t := &egressTripper{e.clone(), e.Transport()}
	return &http.Client{Transport: t, CheckRedirect: t.redirect}
}

// An egressTripper checks every request. A transport cannot do that by itself: it does not ask for a proxy, where ours
// checks the URL, if it has an HTTP/2 connection already.
type egressTripper struct {
	guard *Egress
	base  *http.Transport
}

// refusedKey is the context key of what is wrong with a redirect.
type refusedKey struct{}

func (t *egressTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	err, _ := r.Context().Value(refusedKey{}).(error)
	if err == nil {
		err = t.check(r)
	}
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	return t.base.RoundTrip(r)
}

// CloseIdleConnections closes the connections that no request uses.
func (t *egressTripper) CloseIdleConnections() { t.base.CloseIdleConnections() }

// redirect is called by the client before it follows a redirect. It refuses none itself: the client would put the whole
// target into its error. It takes from the target what nobody should see, and leaves the refusal to RoundTrip.
func (t *egressTripper) redirect(r *http.Request, _ []*http.Request) error {
	if err := t.check(r); err != nil {
		*r = *r.WithContext(context.WithValue(r.Context(), refusedKey{}, err))
		r.URL = &url.URL{Scheme: r.URL.Scheme, Host: shownHost(r.URL.Host)}
	}
	return nil
}

// check returns an *EgressError unless r may be sent.
func (t *egressTripper) check(r *http.Request) error {
	if err := t.guard.CheckURL(r.URL); err != nil {
		return err
	}
	hops := 0
	for q := r; q.Response != nil && q.Response.Request != nil; q = q.Response.Request {
		hops++
		if hops > maxRedirects {
			return &EgressError{Host: shownHost(r.URL.Hostname()), Reason: "it is the sixth redirect in a row"}
		}
		if !httptext.SameOrigin(q.URL, q.Response.Request.URL) {
			return &EgressError{Host: shownHost(r.URL.Hostname()), Reason: "a redirect leads there, away from the origin of the request"}
		}
	}
	return nil
}
