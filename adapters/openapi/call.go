package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// handle runs one call. Whatever fails is told in an error result, because the model is who can mend it.
func (e *endpoint) handle(ctx context.Context, call *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	ctx, cancel := context.WithTimeout(ctx, e.opts.Timeout)
	defer cancel()

	res, secrets, failed := e.send(ctx, call.Params.Arguments)
	if failed != nil {
		return failed, nil
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return e.failed("%s", secrets.text(refusal(res))), nil
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, e.opts.MaxResponseBytes+1))
	switch {
	case err != nil:
		return e.failed("the API answered %s, but the answer broke off: %s", status(res), secrets.text(reason(err))), nil
	case int64(len(data)) > e.opts.MaxResponseBytes:
		return e.failed("the API answered %s with more than %d bytes; the request was executed, ask for less at a time",
			status(res), e.opts.MaxResponseBytes), nil
	}
	return e.answer(res, data, secrets), nil
}

// send returns the answer of the API, whose body the caller closes, or why there is none. A request that is answered 401, or 403
// for want of scope, was not acted on (RFC 9110 sections 15.5.2 and 15.5.4): it is sent once more for each of them if another
// credential has been found.
func (e *endpoint) send(ctx context.Context, args json.RawMessage) (res *http.Response, secrets redactor, failed *mcp.CallToolResult) {
	var added []string // by both requests: an answer may know the first one's credential too
	answered := map[int]bool{}
	for {
		r, err := e.op.newRequest(ctx, e.base, args)
		if err != nil {
			return nil, secrets, e.failed("%v; nothing was sent", err)
		}
		if e.authorize != nil {
			more, err := authorize(ctx, r, e.authorize)
			if err != nil {
				// The error may hold what a model must not see.
				e.opts.Logger.Warn("authorization failed", slog.String("operation", e.op.key()), slog.Any("error", err))
				return nil, secrets, e.failed("authorization failed; nothing was sent")
			}
			added = append(added, more...)
			secrets = newRedactor(added)
		}
		var seen progress
		res, err = e.client.Do(r.WithContext(httptrace.WithClientTrace(ctx, seen.trace())))
		if err != nil {
			return nil, secrets, e.failed("%s", secrets.text(e.noAnswer(err, &seen)))
		}
		if answered[res.StatusCode] || !e.renewable(res) {
			return res, secrets, nil
		}
		answered[res.StatusCode] = true
		renewed, err := e.opts.refused(ctx, r, res)
		if err != nil {
			res.Body.Close()
			e.opts.Logger.Warn("renewing the credential failed", slog.String("operation", e.op.key()), slog.Any("error", err))
			return nil, secrets, e.failed("the API answered %s, and no other credential could be had; nothing was executed", status(res))
		}
		if !renewed {
			return res, secrets, nil
		}
		res.Body.Close()
	}
}

// renewable reports whether res refuses the credential of a request that was not acted on. One that was redirected may have
// been: what was refused then is only the request that followed.
func (e *endpoint) renewable(res *http.Response) bool {
	redirected := res.Request != nil && res.Request.Response != nil
	return e.authorize != nil && e.opts.refused != nil && !redirected &&
		(res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden && lacksScope(res))
}

// lacksScope reports whether a 403 says that a token with more scope would do (RFC 6750 section 3.1). To most APIs it means
// that the user may not do this.
func lacksScope(res *http.Response) bool {
	return slices.ContainsFunc(res.Header.Values("WWW-Authenticate"), func(challenge string) bool {
		return strings.Contains(challenge, "insufficient_scope")
	})
}

func (e *endpoint) failed(format string, args ...any) *mcp.CallToolResult {
	return &mcp.CallToolResult{
		IsError: true,
		Content: []mcp.Content{&mcp.TextContent{Text: "openapi: " + bound(e.op.key(), 200) + ": " + fmt.Sprintf(format, args...)}},
	}
}

// A progress is how far a request got. Transports other than net/http's may not report anything.
type progress struct{ asked, wrote atomic.Bool }

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { p.asked.Store(true) },
		WroteHeaders: func() { p.wrote.Store(true) },
	}
}

// noAnswer says what happened to a request that got no answer, and whether it may be repeated.
func (e *endpoint) noAnswer(err error, seen *progress) string {
	var dial *net.OpError
	var dns *net.DNSError
	unsent := seen.asked.Load() && !seen.wrote.Load() ||
		!seen.asked.Load() && (errors.As(err, &dns) || errors.As(err, &dial) && dial.Op == "dial")
	out := "no answer: " + reason(err)
	if errors.Is(err, context.DeadlineExceeded) {
		out = "no answer in time" // the caller's or the options'
	}
	switch {
	case unsent:
		return out + "; the request was not sent"
	case e.op.annotations().ReadOnlyHint:
		return out + "; the API may have executed the request, which changes nothing and can be repeated"
	}
	return out + "; the API may have executed the request"
}

// reason is the text of an error without URLs, which may hold what arguments or credentials put there.
func reason(err error) string { return bound(bare(err).Error(), 300) }

func status(res *http.Response) string {
	if text := http.StatusText(res.StatusCode); text != "" {
		return fmt.Sprintf("%d %s", res.StatusCode, text)
	}
	return fmt.Sprint(res.StatusCode)
}

// maxErrorBody is how much of a refusal's body the model gets to read.
const maxErrorBody = 8 << 10

// refusal describes an answer other than 2xx.
func refusal(res *http.Response) string {
	var b strings.Builder
	b.WriteString("the API answered ")
	b.WriteString(status(res))
	if after := res.Header.Get("Retry-After"); after != "" {
		b.WriteString(" (retry after " + bound(after, 40) + ")")
	}
	if location := res.Header.Get("Location"); location != "" && res.StatusCode/100 == 3 {
		b.WriteString("; the redirect was not followed")
		if u, err := res.Request.URL.Parse(location); err == nil {
			b.WriteString(": " + bound(display(u), 500))
		}
	}
	data, _ := io.ReadAll(io.LimitReader(res.Body, maxErrorBody+1)) // what of it there is
	contentType := mediaOf(res, data)
	switch {
	case len(data) == 0 || res.StatusCode/100 == 3: // a redirect's body repeats where to
	case isText(contentType):
		b.WriteString("\n" + bound(decodeText(contentType, data), maxErrorBody))
	default:
		b.WriteString("; its body is " + bound(baseMedia(contentType), 100))
	}
	return b.String()
}
