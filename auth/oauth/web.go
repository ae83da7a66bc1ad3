package oauth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/httptext"
)

const (
	maxBody      = 1 << 20 // bytes of any answer
	maxRedirects = 5
)

// errAbsent says that there is no document at a URL, which is no fault: discovery tries several.
var errAbsent = errors.New("not found")

// A web makes the requests of a [Client]. It has no cookies and takes what it gets for hostile.
type web struct {
	guard
	base     http.RoundTripper
	redirect func(*http.Request, []*http.Request) error // the host's own, asked in addition; may be nil
	nonces   nonces
}

// get reads the JSON document at a URL into v. The error is errAbsent for a status 4xx, and wraps [ErrMetadata] for what
// is no document.
func (w *web) get(ctx context.Context, address string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("%s is malformed: %w", place(address), ErrInsecureURL)
	}
	req.Header.Set("Accept", "application/json")
	client := &http.Client{Transport: w.base, CheckRedirect: w.checkRedirect}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", place(address), reduce(err))
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%s answered with status %d: %w", place(address), resp.StatusCode, ErrMetadata)
	case resp.StatusCode >= 400 && resp.StatusCode < 500:
		return errAbsent
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s answered with status %d: %w", place(address), resp.StatusCode, ErrMetadata)
	case !isJSON(resp.Header):
		return fmt.Errorf("%s is not JSON: %w", place(address), ErrMetadata)
	}
	body, err := readBody(resp)
	if err != nil {
		return fmt.Errorf("%s: %w", place(address), err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s is not JSON of the right form: %w", place(address), ErrMetadata)
	}
	return nil
}

// checkRedirect lets a document move within its origin.
func (w *web) checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case !httptext.SameOrigin(req.URL, via[0].URL) || req.URL.User != nil:
		return fmt.Errorf("to another origin: %w", ErrRedirect)
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d: %w", maxRedirects, ErrRedirect)
	case w.redirect != nil:
		return w.redirect(req, via)
	}
	return nil
}

// post sends a JSON document and reads the answer, whatever its status, of which it returns the body.
func (w *web) post(ctx context.Context, address string, body []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fmt.Errorf("%s is malformed: %w", place(address), ErrInsecureURL)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	client := &http.Client{Transport: w.base, CheckRedirect: stay}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", place(address), reduce(err))
	}
	defer resp.Body.Close()
	answer, err := readBody(resp)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", place(address), err)
	}
	return resp, answer, nil
}

// stay refuses redirects of requests that carry a secret: a 307 would have it sent on.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// tokenClient returns the HTTP client for one token request: see [Client.tokenContext].
func (w *web) tokenClient(key *ecdsa.PrivateKey, add url.Values) *http.Client {
	base := w.base
	if key != nil {
		base = proofTripper{base, key, &w.nonces}
	}
	return &http.Client{Transport: formTripper{base: base, add: add}, CheckRedirect: stay}
}

// A formTripper sends forms to token endpoints.
type formTripper struct {
	base    http.RoundTripper
	add     url.Values
	anyType bool // the answer need not be JSON
}

// RoundTrip sends req with the parameters added. The answer is read whole, so that a large one is known as such.
func (t formTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent []byte
	if req.Body != nil {
		defer req.Body.Close()
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	form, err := url.ParseQuery(string(sent))
	if err != nil {
		return nil, errors.New("the token request is no form")
	}
	for name, values := range t.add {
		if len(values) == 0 || values[0] == "" {
			form.Del(name)
			continue
		}
		form[name] = values
	}
	body := form.Encode()
	out := req.Clone(req.Context())
	out.Body = io.NopCloser(strings.NewReader(body))
	out.ContentLength = int64(len(body))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
	out.Header.Set("Accept", "application/json")
	resp, err := t.base.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := readBody(resp)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return nil, fmt.Errorf("of a token request: %w", ErrRedirect)
	case resp.StatusCode < 300 && !t.anyType && !isJSON(resp.Header):
		return nil, fmt.Errorf("it is not JSON: %w", ErrTokenResponse)
	case resp.StatusCode >= 400:
		answer = withoutSecrets(answer, form)
	case resp.StatusCode < 300 && !t.anyType:
		answer = withUsableLife(answer)
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	return resp, nil
}

// withUsableLife returns the answer of a token endpoint with an expires_in that x/oauth2 understands: it rejects answers
// over a number that is no int64, and with them the refresh token, which may be the only one that is left. Numbers become
// integers of at most 31 bits. One that is less than 1 would have every call ask for a new token; it is left out, so that
// the end of the token is unknown. What is no number stays.
func withUsableLife(answer []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(answer, &fields) != nil {
		return answer
	}
	changed := false
	for name, raw := range fields {
		if !strings.EqualFold(name, "expires_in") { // as encoding/json compares them
			continue
		}
		var number json.Number // which may be in quotes
		if json.Unmarshal(raw, &number) != nil || number == "" {
			continue
		}
		seconds, err := number.Float64()
		switch {
		case err != nil && !errors.Is(err, strconv.ErrRange): // then it is infinite
			continue
		case seconds < 1:
			delete(fields, name)
		default:
			fields[name] = json.RawMessage(strconv.Itoa(int(min(seconds, math.MaxInt32))))
		}
		changed = true
	}
	if !changed {
		return answer
	}
	usable, err := json.Marshal(fields)
	if err != nil {
		return answer
	}
	return usable
}

// withoutSecrets removes from the answer to a form what the form kept secret: some servers say what they dislike.
func withoutSecrets(answer []byte, form url.Values) []byte {
	for _, name := range []string{"code", "refresh_token", "client_secret", "code_verifier", "client_assertion", "assertion", "subject_token", "actor_token", "token"} {
		for _, v := range form[name] {
			if len(v) >= 4 { // a shorter one is in every word
				answer = bytes.ReplaceAll(answer, []byte(v), []byte("[removed]"))
			}
		}
	}
	return answer
}

func readBody(resp *http.Response) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the answer: %w", reduce(err))
	case len(b) > maxBody:
		return nil, ErrTooLarge
	}
	return b, nil
}

func isJSON(h http.Header) bool {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && (media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}
