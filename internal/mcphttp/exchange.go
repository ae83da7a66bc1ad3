package mcphttp

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// An Exchange watches what becomes of one attempt of one call. Its zero value is ready; use a new one for every attempt.
// It must not be copied. Its methods are safe for concurrent use.
type Exchange struct {
	sent   atomic.Bool
	opaque atomic.Bool // the transport has not shown that it reports to trace
	err    atomic.Pointer[error]

	traced sync.Once
	trace  httptrace.ClientTrace // set by traced
}

// ExchangeKey is the key under which a request's context holds its *[Exchange]. A context type that embeds an Exchange
// can answer it from its Value method.
type ExchangeKey struct{}

// WithExchange returns a context whose requests report to x.
func WithExchange(ctx context.Context, x *Exchange) context.Context {
	return context.WithValue(ctx, ExchangeKey{}, x)
}

// Sent reports whether some of the request's body may have left this process. False is proof that the server cannot
// have received the request.
func (x *Exchange) Sent() bool { return x.sent.Load() }

// How it is known that nothing was sent. A [http.Transport] reports when it has written the headers, before it writes
// any of the body without which there is no request. That report can only be trusted if it would have come: a protocol
// that was registered with the transport sends none, and gives itself away by not asking for a connection either.
// Other transports are watched by wrapping the body, which is as certain, but makes net/http send headers and body in
// two packets: a third of the time of a short call over loopback.

// follow returns a context under which an http.Transport reports to x. Once something was sent there is nothing more to
// learn.
//
// Headers count as written while they are still in a buffer. If a kept connection turns out to be dead before anything
// left that buffer, and only then, net/http takes another connection for the same POST: asking for one takes the report
// back.
func (x *Exchange) follow(ctx context.Context) context.Context {
	if x.sent.Load() {
		return ctx
	}
	x.traced.Do(func() {
		x.trace.GetConn = func(string) {
			x.opaque.Store(false)
			x.sent.Store(false)
		}
		x.trace.WroteHeaders = func() { x.sent.Store(true) }
	})
	x.opaque.Store(true)
	return httptrace.WithClientTrace(ctx, &x.trace)
}

// settle draws the conclusion once the transport is done with the headers.
func (x *Exchange) settle() {
	if x != nil && x.opaque.Load() {
		x.sent.Store(true)
	}
}

// refused takes back that the request was sent: a server that wants another credential first has not acted on it
// (RFC 9110 sections 15.5.2 and 15.5.4).
func (x *Exchange) refused() {
	if x != nil {
		x.sent.Store(false)
	}
}

// Err returns the first error that the chain found, also where the SDK loses or flattens it on the way to the caller.
// It is nil if the chain found nothing wrong, whatever the SDK says.
func (x *Exchange) Err() error {
	if p := x.err.Load(); p != nil {
		return *p
	}
	return nil
}

// record keeps the first error and returns err. x may be nil.
func (x *Exchange) record(err error) error {
	if x != nil && err != nil && x.err.Load() == nil {
		// A copy, so that err itself stays on the stack of those who have nothing to record.
		kept := err
		x.err.CompareAndSwap(nil, &kept)
	}
	return err
}

func exchangeOf(ctx context.Context) *Exchange {
	x, _ := ctx.Value(ExchangeKey{}).(*Exchange)
	return x
}

// watchedBody is a request body that tells x when the transport begins to read it, which is before anything is written.
type watchedBody struct {
	io.ReadCloser
	x     *Exchange
	again func() (io.ReadCloser, error)
}

// watch makes r report to x. r is a copy that the chain owns.
func (x *Exchange) watch(r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	w := &watchedBody{r.Body, x, r.GetBody}
	r.Body = w
	if r.GetBody != nil {
		// The transport takes a fresh body when a kept connection turns out to be dead.
		r.GetBody = w.fresh
	}
}

func (w *watchedBody) Read(p []byte) (int, error) {
	w.x.sent.Store(true)
	return w.ReadCloser.Read(p)
}

func (w *watchedBody) fresh() (io.ReadCloser, error) {
	b, err := w.again()
	if err != nil {
		return nil, err
	}
	return &watchedBody{ReadCloser: b, x: w.x}, nil
}
