package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// userHeader tells the proxy on whose session a request travels.
const userHeader = "X-Example-User"

// A proxy stands in front of a server and keeps a ledger of what it passed on: the only way to know how often a tool ran
// in a server that does not count. Its methods are safe for concurrent use.
type proxy struct {
	http *http.Server
	url  string
	done chan struct{}

	mu         sync.Mutex
	passages   map[string]passage     // by marker
	opened     map[sessionOpening]int // initialize requests that were answered
	generation int                    // of the server behind the proxy
}

// A passage is what became of the tools/call requests with one marker.
type passage struct {
	Tool    string
	Refused int // the server answered that it did not take the request (4xx)
	Ran     int // passed on and not refused: the tool ran, or may have
}

type sessionOpening struct {
	user       string
	generation int
}

// startProxy listens on a loopback port and passes everything on to the server on port.
func startProxy(port int) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("realservers: starting the proxy: %w", err)
	}
	p := &proxy{url: "http://" + l.Addr().String(), done: make(chan struct{}), passages: map[string]passage{}, opened: map[sessionOpening]int{}}
	p.http = &http.Server{Handler: p.handler(&url.URL{Scheme: "http", Host: address(port)}), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(p.done)
		p.http.Serve(l)
	}()
	return p, nil
}

func (p *proxy) stop() {
	p.http.Close()
	<-p.done
}

// A forwarded request, as far as the ledger cares. It travels in the request's context.
type forwarded struct {
	Method string `json:"method"`
	Params struct {
		Name      string `json:"name"`
		Arguments struct {
			Marker string `json:"marker"`
		} `json:"arguments"`
	} `json:"params"`
	user string
}

type forwardedKey struct{}

func (p *proxy) handler(target *url.URL) http.Handler {
	through := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del(userHeader)
		},
		// One connection per request: a kept connection to a killed server fails in a way that leaves open whether the
		// request got there, and the ledger would have to guess.
		Transport:     &http.Transport{DisableKeepAlives: true},
		FlushInterval: -1, // server-sent events must not wait
		ModifyResponse: func(r *http.Response) error {
			p.note(r.Request.Context(), r.StatusCode)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			var op *net.OpError
			if errors.As(err, &op) && op.Op == "dial" {
				// Nothing was passed on. RFC 9110 section 15.6.4 has a way to say so.
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			p.note(r.Context(), 0)
			panic(http.ErrAbortHandler) // cut the client off as the server did
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "unreadable request", http.StatusBadRequest)
			return
		}
		f := forwarded{user: r.Header.Get(userHeader)}
		json.Unmarshal(body, &f) // what is no request, such as a GET, is not counted
		r = r.WithContext(context.WithValue(r.Context(), forwardedKey{}, f))
		r.Body = io.NopCloser(bytes.NewReader(body))
		through.ServeHTTP(w, r)
	})
}

// note enters a request that was passed on. status is 0 if no answer came.
func (p *proxy) note(ctx context.Context, status int) {
	f, _ := ctx.Value(forwardedKey{}).(forwarded)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch f.Method {
	case "initialize":
		if status == http.StatusOK {
			p.opened[sessionOpening{f.user, p.generation}]++
		}
	case "tools/call":
		marker := f.Params.Arguments.Marker
		entry := p.passages[marker]
		entry.Tool = f.Params.Name
		if status >= 400 && status < 500 {
			entry.Refused++
		} else {
			entry.Ran++
		}
		p.passages[marker] = entry
	}
}

// nextGeneration is called when the server behind the proxy has been killed.
func (p *proxy) nextGeneration() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.generation++
}

// ledger returns what became of the calls so far, by marker.
func (p *proxy) ledger() map[string]passage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.passages)
}

// openings returns how many sessions each user opened with each generation of the server.
func (p *proxy) openings() map[sessionOpening]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.opened)
}
