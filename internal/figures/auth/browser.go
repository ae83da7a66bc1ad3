package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync/atomic"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

// browserUser names a browser's user to the authorization server and to the host: it stands for the cookies of somebody
// who is logged in at both.
const (
	browserUser   = "X-Browser-User"
	browserDenies = "X-Browser-Denies"
)

// browser is one user's browser.
type browser struct {
	user   string
	denies bool // refuse when asked for consent
}

// visit opens a page, follows it wherever it leads, and returns the status and the text of the last page.
func (b browser) visit(ctx context.Context, url string) (status int, page string, err error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return 0, "", err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set(browserUser, b.user)
	if b.denies {
		req.Header.Set(browserDenies, "yes")
	}
	resp, err := (&http.Client{Jar: jar, Transport: transport}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// authorize visits the page where the user authorizes, and fails unless it leads to a callback that is content.
func (b browser) authorize(ctx context.Context, url string) error {
	status, page, err := b.visit(ctx, url)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the browser of %s ended at a page with status %d: %.200s", b.user, status, page)
	}
	return err
}

// site is the host's own web site, which knows its users and has the callback.
type site struct {
	host     *mcptest.Host
	callback atomic.Pointer[http.Handler]
}

func newSite(tenant string) *site {
	s := &site{}
	identify := func(r *http.Request) (session.Key, error) {
		return session.Key{Tenant: tenant, User: r.Header.Get(browserUser)}, nil
	}
	s.host = mcptest.Listen(session.Middleware(identify)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := s.callback.Load(); h != nil && strings.HasPrefix(r.URL.Path, "/callback") {
			(*h).ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})))
	return s
}

func (s *site) redirectURL() string { return s.host.URL() + "/callback" }

// serve makes h the callback, and what is below it.
func (s *site) serve(h http.Handler) { s.callback.Store(&h) }

func (s *site) close() { s.host.Close() }
