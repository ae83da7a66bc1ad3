package mcphttp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// allocated returns how many bytes were allocated in all while f ran, which the heap cannot have grown by more than.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// endless writes chunk until the client has gone, or 64 MiB are out.
func endless(w http.ResponseWriter, chunk string) {
	for n := 0; n < 64<<20; n += len(chunk) {
		if _, err := io.WriteString(w, chunk); err != nil {
			return
		}
	}
}

func TestSizeAttacksAreBounded(t *testing.T) {
	const limit = defaultMaxBody
	// 32 MiB in a few KiB.
	var bomb bytes.Buffer
	z, _ := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	for range 32 {
		z.Write(bytes.Repeat([]byte(" "), 1<<20))
	}
	z.Close()
	mega := strings.Repeat("a", 1<<20)

	s := new(script)
	cs, _ := session(t, s, nil, nil, false)
	for _, tt := range []struct {
		name  string
		serve func(w http.ResponseWriter, r *http.Request, id string)
		want  any
	}{
		{"JSON of unknown length", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Type", "application/json")
			endless(w, mega)
		}, &TooLargeError{}},
		{"JSON of a length that is announced", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(64<<20))
			endless(w, mega)
		}, &TooLargeError{}},
		{"gzip bomb", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		}, &TooLargeError{}},
		{"gzip bomb as a stream", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		}, &TooLargeError{}},
		{"event of one line", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: ")
			endless(w, mega)
		}, &TooLargeError{}},
		{"event of many lines", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Type", "text/event-stream")
			endless(w, strings.Repeat("data\n", 10_000))
		}, &TooLargeError{}},
		{"error", func(w http.ResponseWriter, r *http.Request, id string) {
			w.WriteHeader(400)
			endless(w, mega)
		}, &HTTPError{}},
		{"error as a gzip bomb", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(500)
			w.Write(bomb.Bytes())
		}, &HTTPError{}},
		{"page", func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Content-Type", "text/html")
			endless(w, mega)
		}, &ContentTypeError{}},
		{"depth", json200(`{"jsonrpc":"2.0","id":ID,"result":` + strings.Repeat(`[`, 1<<20)), &AnswerError{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.mu.Lock()
			s.call = tt.serve
			s.mu.Unlock()
			var err error
			var x *Exchange
			grown := allocated(func() { _, err, x = callTool(t.Context(), cs, "large") })
			t.Logf("%.1f MiB were allocated", float64(grown)/(1<<20))
			if err == nil || !sameType(x.Err(), tt.want) {
				t.Errorf("error %v, recorded %v, want a %T", err, x.Err(), tt.want)
			}
			if grown > 4*limit {
				t.Errorf("%d bytes were allocated, want at most %d", grown, 4*limit)
			}
			alive(t, cs)
		})
	}
}

func sameType(err error, want any) bool {
	switch want := want.(type) {
	case *TooLargeError:
		return errors.As(err, &want)
	case *HTTPError:
		return errors.As(err, &want)
	case *ContentTypeError:
		return errors.As(err, &want)
	case *AnswerError:
		return errors.As(err, &want)
	}
	return false
}

func TestDrippingBodiesEndWithTheContext(t *testing.T) {
	for _, tt := range []struct {
		name, contentType string
		status            int
	}{
		{"JSON", "application/json", 200}, {"stream", "text/event-stream", 200}, {"page", "text/html", 200}, {"error", "text/plain", 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var written atomic.Int32
			s := &script{call: func(w http.ResponseWriter, r *http.Request, id string) {
				w.Header().Set("Content-Type", tt.contentType)
				w.WriteHeader(tt.status)
				for r.Context().Err() == nil {
					io.WriteString(w, "a")
					w.(http.Flusher).Flush()
					written.Add(1)
					time.Sleep(5 * time.Millisecond)
				}
			}}
			cs, _ := session(t, s, nil, nil, false)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				_, err, _ := callTool(ctx, cs, "drip")
				done <- err
			}()
			eventually(t, "a few bytes, or the answer", func() bool { return written.Load() > 3 || len(done) > 0 })
			cancel()
			select {
			case err := <-done:
				if err == nil {
					t.Error("the call succeeded")
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the call does not heed its context")
			}
			alive(t, cs)
		})
	}
}

func TestEndlessStreamsAfterTheAnswerLeaveNothingBehind(t *testing.T) {
	var running atomic.Int32
	s := &script{call: func(w http.ResponseWriter, r *http.Request, id string) {
		running.Add(1)
		defer running.Add(-1)
		stream200("data: "+fine+"\n\n")(w, r, id)
		for r.Context().Err() == nil {
			io.WriteString(w, ": ping\n\n")
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}}
	cs, _ := session(t, s, nil, nil, false)
	before := runtime.NumGoroutine()
	for range 30 {
		// Not cancelled by the caller: the chain itself ends the stream.
		if _, err, _ := callUncancelled(t.Context(), cs, "pinging"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the end of all streams", func() bool { return running.Load() == 0 })
	eventually(t, "the end of their goroutines", func() bool { return runtime.NumGoroutine() <= before+10 })
	alive(t, cs)
}

func TestDeleteIsBoundedAndItsFailureHarmless(t *testing.T) {
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"refused": func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") },
		"404":     func(*http.Request) (*http.Response, error) { return respond(404, "text/plain", "gone") },
		"302":     func(*http.Request) (*http.Response, error) { return respond(302, "", "", "Location", "http://[") },
		"hanging": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c, err := New(Config{Endpoint: "https://h.example/mcp", Base: roundTripper(answer)})
				if err != nil {
					t.Fatal(err)
				}
				req, _ := http.NewRequestWithContext(context.Background(), http.MethodDelete, "https://h.example/mcp", nil)
				start := time.Now()
				resp, err := c.Client().Do(req)
				if err != nil || resp.StatusCode != http.StatusNoContent {
					t.Fatalf("%v, %v", resp, err)
				}
				resp.Body.Close()
				if d := time.Since(start); d > 5*time.Second {
					t.Errorf("took %v", d)
				}
			})
		})
	}
}
