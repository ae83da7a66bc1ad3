package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/mcpfleet/mcpfleet/auth"
)

const (
	maxAnswer     = 4 << 20 // bytes; a credential takes some hundred
	firstWait     = 100 * time.Millisecond
	largestWait   = 2 * time.Second
	maxRetryAfter = 30 * time.Second // a server that wants to be left alone for longer is unavailable
)

var errTooLarge = errors.New("the answer is larger than 4 MiB")

// A request is one of the server's API.
type request struct {
	op     string // for errors: "reading"
	method string
	path   string // without /v1/, of unreserved bytes
	body   any    // nil, or what package json encodes
}

// An answer is what a request brought back.
type answer struct {
	*api.Secret
	// What package api leaves out of a login: how often the token can be used, where 0 is any number, and whether it is a
	// batch token, which cannot be revoked.
	uses  int64
	batch bool
}

// A wire sends requests. It speaks HTTP itself and leaves to package api what an answer means: api.Client takes addresses,
// tokens, headers and proxies from the environment, which cannot be switched off; it follows a redirect with the token to
// whatever host it names; and it reads answers of any size.
type wire struct {
	http      *http.Client
	base      *url.URL
	namespace string
	timeout   time.Duration
	retries   int
}

func newWire(cfg Config, base *url.URL) *wire {
	w := &wire{http: &http.Client{}, base: base, namespace: cfg.Namespace, timeout: cfg.Timeout, retries: cfg.MaxRetries}
	if cfg.HTTPClient != nil {
		w.http.Transport, w.http.Timeout = cfg.HTTPClient.Transport, cfg.HTTPClient.Timeout
	} else {
		w.http.Transport = auth.Operator().Client().Transport
	}
	w.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w
}

// once sends r once, with the token if there is one. With the status 404 it returns both an error and what came with it.
func (w *wire) once(ctx context.Context, r request, token auth.Secret) (*answer, error) {
	body, status, header, err := w.exchange(ctx, r, token)
	if err != nil {
		return nil, w.noAnswer(ctx, r, token, err)
	}
	if status/100 == 2 {
		a, err := parse(body)
		if err != nil { // its text may have a piece of the answer
			return nil, &Error{Op: r.op, Path: r.path, StatusCode: status, Reason: "the answer is not JSON of the expected form"}
		}
		return a, nil
	}
	var failure struct{ Errors []string }
	json.Unmarshal(body, &failure) //nolint:errcheck // an answer that is not JSON says nothing but its status
	e := statusError(r.op, r.path, status, failure.Errors)
	if status == http.StatusNotFound {
		// The latest version of a secret may be deleted: then its metadata comes with the status 404.
		if a, err := parse(body); err == nil {
			return a, e
		}
	}
	e.RetryAfter = parseRetryAfter(header.Get("Retry-After"), time.Now())
	return nil, e
}

func parse(body []byte) (*answer, error) {
	secret, err := api.ParseSecret(bytes.NewReader(body))
	if secret == nil || err != nil {
		return &answer{Secret: &api.Secret{}}, err
	}
	var login struct {
		Auth struct {
			NumUses   int64  `json:"num_uses"`
			TokenType string `json:"token_type"`
		}
	}
	if secret.Auth != nil {
		err = json.Unmarshal(body, &login)
	}
	return &answer{secret, login.Auth.NumUses, login.Auth.TokenType == "batch"}, err
}

// exchange sends r once and reads the whole answer.
func (w *wire) exchange(ctx context.Context, r request, token auth.Secret) (answer []byte, status int, _ http.Header, _ error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	var body io.Reader = http.NoBody
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, 0, nil, err
		}
		body = bytes.NewReader(encoded)
	}
	target := *w.base
	target.Path += "/v1/" + r.path
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), body)
	if err != nil {
		return nil, 0, nil, err
	}
	req.Header.Set(api.RequestHeaderName, "true")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.namespace != "" {
		req.Header.Set(api.NamespaceHeaderName, w.namespace)
	}
	if !token.IsZero() {
		req.Header.Set(api.AuthHeaderName, token.Reveal())
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return nil, 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if len(answer) > maxAnswer {
		return nil, 0, nil, errTooLarge
	}
	return answer, resp.StatusCode, resp.Header, err
}

// noAnswer says what it means that r was not answered.
func (w *wire) noAnswer(ctx context.Context, r request, token auth.Secret, err error) error {
	e := &Error{Op: r.op, Path: r.path}
	var egress *auth.EgressError
	var network *url.Error // it repeats the URL
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Err = context.Canceled
		return e
	case err == errTooLarge: //nolint:errorlint // it is never wrapped
		e.Err = err
		return e
	case errors.As(err, &egress): // it will not be allowed later
		e.Err = egress
		return e
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		err = fmt.Errorf("no answer within %v: %w", w.timeout, context.DeadlineExceeded)
	case errors.As(err, &network):
		err = network.Err
	}
	if !token.IsZero() && strings.Contains(err.Error(), token.Reveal()) {
		err = errors.New("the answer is not HTTP") // package http quotes a header that it cannot read
	}
	e.Err = fmt.Errorf("%w: %w", auth.ErrStoreUnavailable, err)
	return e
}

// A final error is that of a login, which has had retries of its own.
type final struct{ error }

// retry calls f until it succeeds, fails for good or has been called often enough.
func (w *wire) retry(ctx context.Context, f func() (*answer, error)) (*answer, error) {
	for n := 0; ; n++ {
		a, err := f()
		if last, ok := err.(final); ok { //nolint:errorlint // it is never wrapped
			return nil, last.error
		}
		if err == nil || n >= w.retries || !errors.Is(err, auth.ErrStoreUnavailable) || ctx.Err() != nil {
			return a, err
		}
		// Full jitter: callers who failed together do not come back together.
		wait := rand.N(min(firstWait<<min(n, 10), largestWait))
		var e *Error
		if errors.As(err, &e) {
			if e.RetryAfter > maxRetryAfter {
				return a, err
			}
			wait += e.RetryAfter
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return a, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			if e != nil && errors.Is(ctx.Err(), context.Canceled) {
				err = &Error{Op: e.Op, Path: e.Path, Err: context.Canceled}
			}
			return a, err
		}
	}
}

// parseRetryAfter reads the Retry-After field (RFC 9110 section 10.2.3). One that cannot be read asks for nothing.
func parseRetryAfter(v string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
