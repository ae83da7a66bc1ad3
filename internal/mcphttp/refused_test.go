package mcphttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// guarded answers status until the request brings the token "new".
func guarded(status int, requests *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		body := make([]byte, 1024)
		n, _ := r.Body.Read(body)
		if r.Header.Get("Authorization") != "Bearer new" {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			http.Error(w, "no", status)
			return
		}
		if !strings.Contains(string(body[:n]), "tools/call") {
			http.Error(w, "the body is gone", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"jsonrpc":"2.0","id":7,"result":{}}`)
	}
}

// renewed makes a chain whose credential is renewed by a refusal.
func renewed(cfg *Config, refusals *atomic.Int64) {
	var token atomic.Value
	token.Store("old")
	cfg.Headers = func(context.Context, *http.Request) (http.Header, error) {
		return http.Header{"Authorization": {"Bearer " + token.Load().(string)}}, nil
	}
	cfg.Refused = func(_ context.Context, resp *http.Response) (bool, error) {
		refusals.Add(1)
		if got := resp.Request.Header.Get("Authorization"); got != "Bearer old" {
			return false, fmt.Errorf("refused was a request with %q", got)
		}
		token.Store("new")
		return true, nil
	}
}

func TestARefusedRequestIsSentOnceMoreWithANewCredential(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		var requests, refusals atomic.Int64
		c, url := serve(t, guarded(status, &requests), func(cfg *Config) { renewed(cfg, &refusals) })
		got, err, x := do(t.Context(), t, c, url, call)
		if err != nil || !strings.Contains(got, "result") {
			t.Errorf("%d: answer %q, error %v", status, got, err)
		}
		if requests.Load() != 2 || refusals.Load() != 1 || !x.Sent() {
			t.Errorf("%d: %d requests, %d refusals, sent %t; want 2, 1, true", status, requests.Load(), refusals.Load(), x.Sent())
		}
	}
}

// 401, then with the new token 403: each of the two is looked at once, and no more.
func TestARefusalIsLookedAtOncePerStatus(t *testing.T) {
	var requests, refusals atomic.Int64
	c, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader([]int{http.StatusUnauthorized, http.StatusForbidden}[requests.Add(1)%2])
	}), func(cfg *Config) {
		cfg.Refused = func(context.Context, *http.Response) (bool, error) { refusals.Add(1); return true, nil }
	})
	_, err, _ := do(t.Context(), t, c, url, call)
	var h *HTTPError
	if !errors.As(err, &h) || requests.Load() != 3 || refusals.Load() != 2 {
		t.Errorf("error %v after %d requests and %d refusals, want an *HTTPError after 3 and 2", err, requests.Load(), refusals.Load())
	}
}

func TestARefusalStandsWhereThereIsNoRemedy(t *testing.T) {
	var requests atomic.Int64
	c, url := serve(t, guarded(http.StatusUnauthorized, &requests), func(cfg *Config) {
		cfg.Refused = func(context.Context, *http.Response) (bool, error) { return false, nil }
	})
	_, err, _ := do(t.Context(), t, c, url, call)
	var h *HTTPError
	if !errors.As(err, &h) || h.StatusCode != http.StatusUnauthorized || len(h.WWWAuthenticate) != 1 || !strings.Contains(h.Body, "no") {
		t.Errorf("error %v, want the refusal itself", err)
	}
	if requests.Load() != 1 {
		t.Errorf("%d requests, want 1", requests.Load())
	}
}

func TestAnErrorTakesThePlaceOfARefusal(t *testing.T) {
	var requests atomic.Int64
	wanted := errors.New("log in first")
	c, url := serve(t, guarded(http.StatusUnauthorized, &requests), func(cfg *Config) {
		cfg.Refused = func(context.Context, *http.Response) (bool, error) { return true, wanted }
	})
	_, err, x := do(t.Context(), t, c, url, call)
	if !errors.Is(err, wanted) || !errors.Is(x.Err(), wanted) {
		t.Errorf("error %v, recorded %v; want both to be the callback's", err, x.Err())
	}
}

// A request whose body cannot be had again is not sent again without it.
func TestARequestWithoutASecondBodyIsNotSentAgain(t *testing.T) {
	var requests, refusals atomic.Int64
	c, url := serve(t, guarded(http.StatusUnauthorized, &requests), func(cfg *Config) { renewed(cfg, &refusals) })
	req := newPost(t.Context(), t, url, call)
	req.GetBody = nil
	if resp, err := c.Client().Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("answer %d, want an error", resp.StatusCode)
	}
	if requests.Load() != 1 || refusals.Load() != 0 {
		t.Errorf("%d requests, %d refusals; want 1 and 0", requests.Load(), refusals.Load())
	}
}

// A refusal proves that the request was not acted on; whether the next one was sent is a question of its own.
func TestAfterARefusalNothingWasSent(t *testing.T) {
	var requests atomic.Int64
	failed := errors.New("no credential any more")
	var headers atomic.Int64
	c, url := serve(t, guarded(http.StatusUnauthorized, &requests), func(cfg *Config) {
		cfg.Headers = func(context.Context, *http.Request) (http.Header, error) {
			if headers.Add(1) > 1 {
				return nil, failed
			}
			return nil, nil
		}
		cfg.Refused = func(context.Context, *http.Response) (bool, error) { return true, nil }
	})
	_, err, x := do(t.Context(), t, c, url, call)
	if !errors.Is(err, failed) || x.Sent() {
		t.Errorf("error %v, sent %t; want %v and false", err, x.Sent(), failed)
	}
}

// 401 for want of a credential, and with that one for want of a nonce (RFC 9449 section 9): neither is the other's remedy.
func TestARefusalThatBringsANonceCountsForItself(t *testing.T) {
	var requests, refusals atomic.Int64
	c, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch requests.Add(1) {
		case 1:
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.Header().Set("DPoP-Nonce", fmt.Sprint(requests.Load()))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}), func(cfg *Config) {
		cfg.Refused = func(context.Context, *http.Response) (bool, error) { refusals.Add(1); return true, nil }
	})
	_, err, _ := do(t.Context(), t, c, url, call)
	var h *HTTPError
	if !errors.As(err, &h) || requests.Load() != 3 || refusals.Load() != 2 {
		t.Errorf("error %v after %d requests and %d refusals, want an *HTTPError after 3 and 2", err, requests.Load(), refusals.Load())
	}
}
