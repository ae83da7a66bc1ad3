package mcpgroup

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcphttp"
	"github.com/mcpfleet/mcpfleet/internal/stdio"
)

// verdict is what one failed attempt tells: what may have happened to the request, and what is worth doing next.
type verdict struct {
	outcome Outcome
	lost    bool          // the connection or the server's session is gone: connect anew
	again   bool          // trying again may help; whether it is allowed is for the outcome to say
	wait    time.Duration // at least how long to wait before that
	told    bool          // wait is what the server asked for (Retry-After)
	once    bool          // trying again is worth it once: the cure works at once or not at all
	err     error         // the error to return if nobody tries again
}

// codeUnsupportedVersion is the answer to a request in a revision the server does not speak (MCP 2026-07-28, basic).
const codeUnsupportedVersion = -32022

// classify judges the error of an attempt on c. The one rule that matters: an outcome is NotSent only on proof. What the
// SDK says of an error is no proof, so the transport is asked (see [conn.sent]).
//
//	what happened                                            outcome   next
//	connection was closed before, nothing written            not sent  reconnect, repeat
//	server does not know the session (404, 410, 400 ...)     not sent  reconnect, repeat
//	nothing written (refused, no route, DNS, TLS)            not sent  wait, repeat
//	no credential, header refused before sending             not sent  return
//	429, or 503 with Retry-After                             not sent  wait as told, repeat
//	401, 403, other 4xx, redirect                            failed    return
//	JSON-RPC error                                           failed    return
//	unsupported protocol version (-32022, from 2026-07-28)   not sent  negotiate anew, repeat once
//	5xx, connection cut, answer cut or unreadable            unknown   repeat if safe
//	deadline or cancellation after something was written     unknown   return
func classify(c *conn, a *attempt, err error) verdict {
	sent := c.sent(a)
	unproven := NotSent
	if sent {
		unproven = Unknown
	}
	var credential *CredentialError
	if errors.As(err, &credential) && !a.asked.Load() {
		return verdict{outcome: NotSent, err: credential}
	}
	if err := a.Err(); err != nil {
		return verdict{outcome: unproven, err: err}
	}
	if recorded := a.exchange.Err(); recorded != nil {
		err = recorded
	}

	var (
		status   *mcphttp.HTTPError
		large    *mcphttp.TooLargeError
		line     *stdio.LineTooLongError
		header   *mcphttp.HeaderError
		redirect *mcphttp.RedirectError
		rpc      *jsonrpc.Error
		send     *mcphttp.SendError
	)
	switch {
	case errors.As(err, &status):
		v := classifyStatus(status)
		if v.outcome == NotSent && a.asked.Load() {
			v.outcome = Unknown
		}
		return v
	case errors.As(err, &large), errors.As(err, &line):
		return verdict{outcome: Unknown, lost: c.pipe != nil, err: tag(err, ErrResultTooLarge)}
	case errors.As(err, &redirect):
		return verdict{outcome: Failed, err: err}
	case errors.As(err, &header):
		return verdict{outcome: NotSent, err: err}
	case errors.Is(err, mcp.ErrConnectionClosed):
		if sent { // the SDK also says so of a server's own error codes -32003 and -32004
			return verdict{outcome: Unknown, again: true, err: err}
		}
		return verdict{outcome: NotSent, lost: true, again: true, err: &UnavailableError{Err: err}}
	case errors.Is(err, mcp.ErrSessionMissing):
		return verdict{outcome: unproven, lost: true, again: true, err: err}
	case errors.As(err, &send):
		if !sent {
			var certificate *tls.CertificateVerificationError
			return verdict{outcome: NotSent, again: !errors.As(err, &certificate), err: &UnavailableError{Err: err}}
		}
		return verdict{outcome: Unknown, again: true, err: err}
	case errors.As(err, &rpc):
		if rpc.Code == codeUnsupportedVersion && c.stateless() && !a.asked.Load() {
			return verdict{outcome: NotSent, lost: true, again: true, once: true, err: rpcError(rpc)}
		}
		return verdict{outcome: Failed, err: rpcError(rpc)}
	case !sent:
		return verdict{outcome: NotSent, lost: c.pipe != nil && errors.Is(err, io.EOF), again: errors.Is(err, io.EOF), err: err}
	}
	// The answer was cut or could not be read. A broken pipe does not come back.
	return verdict{outcome: Unknown, lost: c.pipe != nil, again: true, err: err}
}

func classifyStatus(h *mcphttp.HTTPError) verdict {
	switch {
	case h.SessionLost:
		return verdict{outcome: NotSent, lost: true, again: true, err: &UnavailableError{Err: h}}
	case h.StatusCode == http.StatusTooManyRequests:
		return verdict{outcome: NotSent, again: true, wait: h.RetryAfter, told: true, err: tag(h, ErrRateLimited)}
	case h.StatusCode == http.StatusServiceUnavailable && h.HasRetryAfter:
		// RFC 9110 section 15.6.4: the server itself is not ready. Without Retry-After a 503 may be a proxy's word
		// for a connection that broke after the request was passed on.
		return verdict{outcome: NotSent, again: true, wait: h.RetryAfter, told: true, err: &UnavailableError{Err: h}}
	case h.StatusCode == http.StatusUnauthorized || h.StatusCode == http.StatusForbidden:
		return verdict{outcome: Failed, err: tag(h, ErrUnauthorized)}
	case h.StatusCode >= 400 && h.StatusCode < 500 && h.StatusCode != http.StatusRequestTimeout:
		return verdict{outcome: Failed, err: h}
	}
	return verdict{outcome: Unknown, again: true, err: h}
}

// neverConnected reports whether err arose before a connection to the server existed.
func neverConnected(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	var dns *net.DNSError
	return errors.As(err, &dns) || errors.Is(err, syscall.ECONNREFUSED)
}

func rpcError(e *jsonrpc.Error) error {
	return &RPCError{Code: e.Code, Message: cleanText(e.Message, 1024)}
}

// ended reports whether err is the end of a context.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
