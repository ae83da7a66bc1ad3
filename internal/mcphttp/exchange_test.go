package mcphttp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

func TestExchangeIsSentOnceTheBodyIsRead(t *testing.T) {
	x := new(Exchange)
	var inBase *http.Request
	c, err := New(Config{Endpoint: "https://h.example/", Base: roundTripper(func(r *http.Request) (*http.Response, error) {
		inBase = r
		return nil, errors.New("refused")
	})})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Client().Do(newPost(WithExchange(t.Context(), x), t, "https://h.example/", call)); err == nil || x.Sent() {
		t.Fatalf("before the body is read: error %v, Sent %v", err, x.Sent())
	}
	// The transport asks for a second body when a kept connection was dead: that one counts too.
	again, err := inBase.GetBody()
	if err != nil || x.Sent() {
		t.Fatalf("asking for the body: error %v, Sent %v", err, x.Sent())
	}
	b, err := io.ReadAll(again)
	if err != nil || string(b) != call || !x.Sent() {
		t.Errorf("reading it: %q, %v, Sent %v", b, err, x.Sent())
	}
}

func TestSentIsKnownOverEveryProtocol(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Abort") != "" {
			panic(http.ErrAbortHandler)
		}
		io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Proto", r.Proto)
		answer(w, "7", "{}")
	})
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		srv := httptest.NewUnstartedServer(h)
		srv.EnableHTTP2 = proto == "HTTP/2.0"
		srv.StartTLS()
		base := srv.Client().Transport.(*http.Transport)
		c, err := New(Config{Endpoint: srv.URL, Base: base})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // on a new connection and on one that was kept
			x := new(Exchange)
			resp, err := c.Client().Do(newPost(WithExchange(t.Context(), x), t, srv.URL, call))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Header.Get("X-Proto"); got != proto || !x.Sent() {
				t.Errorf("%s: Sent %v over %s", proto, x.Sent(), got)
			}
		}
		x := new(Exchange)
		req := newPost(WithExchange(t.Context(), x), t, srv.URL, call)
		req.Header.Set("X-Abort", "1")
		if _, err := c.Client().Do(req); err == nil || !x.Sent() {
			t.Errorf("%s, aborted: error %v, Sent %v", proto, err, x.Sent())
		}
		c.CloseIdleConnections()
		srv.Close()
		if _, err, x := do(t.Context(), t, c, srv.URL, call); err == nil || x.Sent() {
			t.Errorf("%s, server closed: error %v, Sent %v", proto, err, x.Sent())
		}
	}
}

func TestSentIsAssumedOfProtocolsThatTellNothing(t *testing.T) {
	tr := &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}} // HTTP/1 only
	tr.RegisterProtocol("https", roundTripper(func(r *http.Request) (*http.Response, error) {
		io.Copy(io.Discard, r.Body)
		return nil, errors.New("cut")
	}))
	c, err := New(Config{Endpoint: "https://h.example/", Base: tr})
	if err != nil {
		t.Fatal(err)
	}
	if _, err, x := do(t.Context(), t, c, "https://h.example/", call); err == nil || !x.Sent() {
		t.Errorf("error %v, Sent %v", err, x.Sent())
	}
}

func TestNothingIsSentUnderAnEndedContext(t *testing.T) {
	c, url := serve(t, http.NotFoundHandler(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err, x := do(ctx, t, c, url, call); !errors.Is(err, context.Canceled) || x.Sent() {
		t.Errorf("error %v, Sent %v", err, x.Sent())
	}
}

// attempt is a context with an exchange of its own.
type attempt struct {
	context.Context
	exchange Exchange
}

func (a *attempt) Value(key any) any {
	if _, ok := key.(ExchangeKey); ok {
		return &a.exchange
	}
	return a.Context.Value(key)
}

func TestAContextCanHoldItsExchange(t *testing.T) {
	c, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }), nil)
	a := &attempt{Context: t.Context()}
	ctx, cancel := context.WithCancel(a)
	defer cancel()
	_, err := c.Client().Do(newPost(ctx, t, url, call))
	var status *HTTPError
	if err == nil || !a.exchange.Sent() || !errors.As(a.exchange.Err(), &status) {
		t.Errorf("error %v, Sent %v, recorded %v", err, a.exchange.Sent(), a.exchange.Err())
	}
}

func TestTheFirstErrorIsKept(t *testing.T) {
	x := new(Exchange)
	if x.Err() != nil || x.Sent() {
		t.Error("a new exchange has something to tell")
	}
	first := errors.New("first")
	var wg sync.WaitGroup
	x.record(first)
	for range 10 {
		wg.Go(func() {
			if err := errors.New("later"); x.record(err) != err {
				t.Error("record does not return its error")
			}
			x.Err()
		})
	}
	wg.Wait()
	if x.Err() != first {
		t.Errorf("Err() = %v", x.Err())
	}
	if (*Exchange)(nil).record(first) != first {
		t.Error("record needs an exchange")
	}
}

func TestBodyIsClosedWhenNothingIsSent(t *testing.T) {
	c, err := New(Config{Endpoint: "https://h.example/"})
	if err != nil {
		t.Fatal(err)
	}
	body := &closing{Reader: bytes.NewReader([]byte(call))}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://other.example/", body)
	if _, err := c.Client().Do(req); err == nil || !body.closed {
		t.Errorf("error %v, closed %v", err, body.closed)
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}
