// Package mcphttp carries the HTTP traffic of one remote MCP server for the clients of the MCP Go SDK.
//
// A [Transport] carries one session of the SDK's client over a [Chain], which all sessions with a server share. A session is
// not to end over what concerns one request only: a status that nobody expects, a cut or oversize answer, a deadline that
// falls into the reading of a body. So the chain reads JSON answers whole and within a limit, passes on only what can be
// decoded, and turns all else into errors of the round trip, which cost one call. The errors are typed ([HTTPError],
// [TooLargeError], [ContentTypeError], [AnswerError], [RedirectError], [HeaderError]), and the first one of a call is kept
// where the SDK would flatten it on its way to the caller: see [Exchange]. The SDK's own transport for HTTP+SSE uses the
// chain as its HTTP client.
//
// Credentials leave for the configured origin only, redirects are not followed, and notification streams can be kept
// alive over cuts and restarts ([Config.SelfHeal]).
package mcphttp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	defaultMaxBody      = 4 << 20
	defaultMaxErrorBody = 64 << 10
)

// Config configures a [Chain]. Endpoint is required; every other zero value selects the default its field names.
type Config struct {
	// Endpoint is the absolute http or https URL of the server. It must not hold a user or password.
	Endpoint string

	// Header is sent with every request to the endpoint's origin. The default is none. Headers that belong to HTTP or
	// MCP itself (Host, Content-Type, Mcp-Session-Id ...) are refused by [New].
	Header http.Header

	// Headers returns further headers, such as credentials, for one request from that request's context; they win over
	// Header. It is called once per HTTP request, concurrently, must not modify the request, and is also called by
	// reconnecting notification streams. If it fails the request is not sent. The default is none.
	Headers func(ctx context.Context, r *http.Request) (http.Header, error)

	// Refused is told that the server answered 401 or 403; resp.Request holds what was sent. If it returns true the
	// request is sent once more, with headers resolved anew; if it fails its error takes the place of the answer, else
	// the answer stands. It may take its time, within ctx, and must leave the body of resp alone. The default is that
	// answers stand.
	Refused func(ctx context.Context, resp *http.Response) (again bool, err error)

	// Hopeless says of an error of Headers or Refused that it will not pass: a notification stream is then not opened
	// again. The default is that all errors may pass.
	Hopeless func(err error) bool

	// Base sends the requests. The default is a transport of the chain's own, which uses no proxy.
	Base http.RoundTripper

	// MaxBody is the most bytes of one JSON answer after decompression, and of one server-sent event. The default is
	// 4 MiB.
	MaxBody int64

	// MaxErrorBody is the most bytes that are read of the body of an error answer. The default is 64 KiB.
	MaxErrorBody int64

	// SelfHeal keeps notification streams open: the stream that a GET opens (MCP 2025-11-25 and before) and the one of
	// the request subscriptions/listen (MCP 2026-07-28). A cut stream is opened again for as long as it is read.
	SelfHeal bool

	// OnResume is called whenever a notification stream was opened again, with the stream's context: notifications may have
	// been missed. It must not block.
	OnResume func(ctx context.Context)

	// OnSessionLost is called when a stream learns that the server has forgotten the protocol session, with the stream's
	// context. It must not block.
	OnSessionLost func(ctx context.Context, sessionID string)

	// Logger gets what happens to notification streams. Nil is silent.
	Logger *slog.Logger
}

// A Chain is the HTTP client side of one server. It is safe for concurrent use; all sessions with the server share one,
// and with it the connections.
type Chain struct {
	cfg      Config
	endpoint *url.URL
	origin   origin
	base     http.RoundTripper
	traces   bool // base reports to httptrace
	client   *http.Client
	log      *slog.Logger

	habit habit

	// How notification streams are opened. Fields, so that tests need not wait.
	openWait    time.Duration // how long a transport waits for the first answer
	backoffBase time.Duration // the longest first pause
}

// New returns a chain. The error names the field that is wrong, and never its value.
func New(cfg Config) (*Chain, error) {
	u, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return nil, errors.New("mcphttp: Config.Endpoint is not a URL")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("mcphttp: Config.Endpoint must be an absolute http or https URL")
	case u.Hostname() == "":
		return nil, errors.New("mcphttp: Config.Endpoint names no host")
	case u.User != nil:
		return nil, errors.New("mcphttp: Config.Endpoint holds a user or password; send credentials in a header")
	case u.Fragment != "":
		return nil, errors.New("mcphttp: Config.Endpoint holds a fragment, which HTTP does not send; remove it")
	case cfg.MaxBody < 0 || cfg.MaxErrorBody < 0:
		return nil, errors.New("mcphttp: Config.MaxBody and Config.MaxErrorBody must not be negative")
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	// Beyond this, sums of sizes could overflow.
	cfg.MaxBody = min(cfg.MaxBody, math.MaxInt/4)
	if cfg.MaxErrorBody == 0 {
		cfg.MaxErrorBody = defaultMaxErrorBody
	}
	if cfg.Header, err = checkHeaders(cfg.Header); err != nil {
		return nil, fmt.Errorf("mcphttp: Config.Header: %w", err)
	}
	c := &Chain{
		cfg: cfg, endpoint: u, origin: originOf(u), base: cfg.Base, log: cfg.Logger,
		openWait: 10 * time.Second, backoffBase: 500 * time.Millisecond,
	}
	if c.base == nil {
		c.base = newTransport()
	}
	_, c.traces = c.base.(*http.Transport)
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.client = &http.Client{
		Transport:     tripper{c},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// newTransport returns the transport that is used by default. A response may take any time, so there is no limit on
// that; dead peers are found by keep-alive probes (HTTP/1) and pings (HTTP/2).
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		// A proxy would resolve and dial in our place, past any check of addresses.
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    64,
		MaxResponseHeaderBytes: 256 << 10,
		ForceAttemptHTTP2:      true, // a custom DialContext switches it off
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// RoundTripper returns what sends the requests of a [Transport].
func (c *Chain) RoundTripper() http.RoundTripper { return c.client.Transport }

// Client returns the HTTP client to hand to the SDK's transport for HTTP+SSE. It follows no redirects, keeps no cookies and
// sets no timeout of its own: contexts bound what it does. All calls return the same client.
func (c *Chain) Client() *http.Client { return c.client }

// CloseIdleConnections closes the connections that no request uses.
func (c *Chain) CloseIdleConnections() {
	if b, ok := c.base.(interface{ CloseIdleConnections() }); ok {
		b.CloseIdleConnections()
	}
}

// MaxEvent returns the event limit of transports, in bytes. It lies above Config.MaxBody, as going past it costs the session
// with the SDK's.
func (c *Chain) MaxEvent() int { return int(2*c.cfg.MaxBody) + 4096 }
