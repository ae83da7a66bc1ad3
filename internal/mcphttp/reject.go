package mcphttp

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxRetryAfter = 5 * time.Minute
	maxErrorText  = 512
)

// reject judges an answer whose status is not a success. The result is nil for a JSON-RPC error that is the answer as such, if
// asked for with rpc; its body is then in memory. Otherwise the answer is used up.
func (c *Chain) reject(resp *http.Response, rpc bool) error {
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		resp.Body.Close()
		return redirectError(resp)
	}
	// What lies beyond the limit is not drained: the connection is worth less than the time.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, c.cfg.MaxErrorBody))
	resp.Body.Close()

	out := resp.Request
	secrets := c.secrets(out)
	e := &HTTPError{
		StatusCode:  resp.StatusCode,
		SessionLost: out.Header.Get(headerSession) != "" && sessionLost(resp.StatusCode, body),
		Body:        cleanText(without(string(body), secrets), maxErrorText),
	}
	for _, challenge := range resp.Header.Values("WWW-Authenticate") {
		e.WWWAuthenticate = append(e.WWWAuthenticate, without(challenge, secrets))
	}
	e.RetryAfter, e.HasRetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	m := parse(body)
	if rpc && m.kind == failure && !e.SessionLost && !flattened(resp.StatusCode) {
		mask(body, secrets)
		setBody(resp, body)
		return nil
	}
	e.Code, e.Message = looseError(body, m)
	e.Message = cleanText(without(e.Message, secrets), maxErrorText)
	return e
}

// flattened reports whether the status of an answer says more than the JSON-RPC error in it: what to do, or that it may not
// be the server that speaks.
func flattened(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// looseError returns the JSON-RPC error in body, also if nothing else of body is as it should be.
func looseError(body []byte, m message) (code int64, text string) {
	if m.kind != failure {
		s := scanner{text: body}
		s.space()
		if s.next() != '{' {
			return 0, ""
		}
		s.object(func(name, value []byte) {
			if key(name) == "error" {
				m.error = value
			}
		})
	}
	if m.error == nil {
		return 0, ""
	}
	code, text, _ = rpcError(m.error)
	return code, text
}

func redirectError(resp *http.Response) error {
	e := &RedirectError{StatusCode: resp.StatusCode}
	if to := resp.Header.Get("Location"); to != "" {
		// Relative to the request's own URL, as RFC 9110 section 10.2.2 has it.
		if u, err := url.Parse(to); err == nil {
			if e.Host = cleanText(u.Host, 128); e.Host == "" && resp.Request != nil {
				e.Host = resp.Request.URL.Host
			}
		}
	}
	return e
}

// retryAfter reads a Retry-After field (RFC 9110 section 10.2.3).
func retryAfter(v string, now time.Time) (time.Duration, bool) {
	v = strings.TrimSpace(v)
	if v == "" {
		return 0, false
	}
	if strings.Trim(v, "0123456789") == "" {
		seconds, err := strconv.ParseInt(v, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	return min(max(t.Sub(now), 0), maxRetryAfter), true
}
