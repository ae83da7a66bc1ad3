package mcphttp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const changed = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`

func TestCutNotificationStreamsCostNeitherSessionNorNotifications(t *testing.T) {
	const cuts = 12
	var mu sync.Mutex
	var resumedAt []string
	s := &script{get: func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n := len(resumedAt)
		resumedAt = append(resumedAt, r.Header.Get(headerEventID))
		mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		if n > cuts {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		fmt.Fprintf(w, "retry: 1\n\nid: e%d\ndata: %s\n\ndata: {\"cut", n, changed)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}}
	var resumes, notified atomic.Int32
	cs, _ := session(t, s, func(c *Config) {
		c.SelfHeal = true
		c.OnResume = func(context.Context) { resumes.Add(1) }
	}, &mcp.ClientOptions{ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { notified.Add(1) }}, true)

	eventually(t, "all notifications", func() bool { return notified.Load() == cuts+1 })
	eventually(t, "all resumes", func() bool { return resumes.Load() == cuts+1 })
	alive(t, cs)
	mu.Lock()
	defer mu.Unlock()
	if resumedAt[0] != "" || resumedAt[cuts] != fmt.Sprintf("e%d", cuts-1) {
		t.Errorf("streams were opened after the events %q", resumedAt)
	}
}

func TestFirstAnswerToAStreamDecidesWhetherThereIsOne(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answer  http.HandlerFunc
		retried bool
	}{
		{"405", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(405) }, false},
		{"404", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }, false},
		{"401", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) }, false},
		{"html", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<p>")) }, false},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login?x", 302) }, false},
		{"bad redirect", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://[")
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(302)
		}, false},
		{"500", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }, true},
		{"503", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, true},
		{"429", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429) }, true},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			// Not before the first byte, after which net/http would repeat the request by itself.
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Write([]byte("HTTP/1.1 2"))
			conn.Close()
		}, true},
		{"silence", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(400 * time.Millisecond):
				panic(http.ErrAbortHandler)
			}
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var gets atomic.Int32
			s := &script{get: func(w http.ResponseWriter, r *http.Request) {
				if gets.Add(1) == 1 {
					tt.answer(w, r)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprintf(w, "data: %s\n\n", changed)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}}
			var notified, resumes atomic.Int32
			cs, _ := session(t, s, func(c *Config) {
				c.SelfHeal = true
				c.OnResume = func(context.Context) { resumes.Add(1) }
			}, &mcp.ClientOptions{ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { notified.Add(1) }}, true)
			alive(t, cs)
			if tt.retried {
				eventually(t, "the notification", func() bool { return notified.Load() == 1 })
				if resumes.Load() != 1 {
					t.Errorf("OnResume was called %d times, want 1: notifications may have been missed", resumes.Load())
				}
				return
			}
			time.Sleep(30 * time.Millisecond)
			if n := gets.Load(); n != 1 {
				t.Errorf("%d attempts, want 1", n)
			}
		})
	}
}

func TestForgottenSessionEndsReconnecting(t *testing.T) {
	var gets atomic.Int32
	s := &script{get: func(w http.ResponseWriter, r *http.Request) {
		if gets.Add(1) > 1 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
	}}
	lost := make(chan string, 10)
	cs, _ := session(t, s, func(c *Config) {
		c.SelfHeal = true
		c.OnSessionLost = func(_ context.Context, id string) { lost <- id }
		c.OnResume = func(context.Context) { t.Error("OnResume was called") }
	}, nil, true)
	if id := <-lost; id != "SESSION-1234" {
		t.Errorf("OnSessionLost(%q)", id)
	}
	alive(t, cs)
	time.Sleep(50 * time.Millisecond)
	if n := gets.Load(); n != 2 {
		t.Errorf("%d attempts, want no more after the loss", n)
	}
}

// restartable is an HTTP server that can be stopped and started on one address.
type restartable struct {
	t    *testing.T
	addr string
	srv  *httptest.Server
}

func (s *restartable) start(h http.Handler) {
	s.t.Helper()
	if s.addr == "" {
		s.addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.srv = httptest.NewUnstartedServer(h)
	s.srv.Listener.Close()
	s.srv.Listener = l
	s.srv.Start()
}

// stop cuts all connections, also those that are made meanwhile.
func (s *restartable) stop() {
	s.srv.Listener.Close()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.srv.Close()
	}()
	for {
		s.srv.CloseClientConnections()
		select {
		case <-closed:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestListenStreamSurvivesRestarts(t *testing.T) {
	newServer := func() (*mcp.Server, http.Handler) {
		server := mcp.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, &mcp.ServerOptions{
			Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{ListChanged: true}},
		})
		return server, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})
	}
	addTool := func(s *mcp.Server, name string) {
		mcp.AddTool(s, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{}, nil, nil
		})
	}
	srv := &restartable{t: t}
	server, h := newServer()
	srv.start(h)
	defer func() { srv.stop() }()

	var resumes, notified atomic.Int32
	c, err := New(Config{Endpoint: "http://" + srv.addr, SelfHeal: true, OnResume: func(context.Context) { resumes.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	c.backoffBase = 5 * time.Millisecond
	client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { notified.Add(1) },
	})
	cs, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: "http://" + srv.addr, HTTPClient: c.Client()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	if v := cs.InitializeResult().ProtocolVersion; v != "2026-07-28" {
		t.Fatalf("negotiated %s", v)
	}
	for restart := range 3 {
		before := notified.Load()
		// The stream may not be registered with the server yet: change the list until it is noticed. Not at every look:
		// the server notifies once it has been left alone for 10 ms.
		n := 0
		eventually(t, "a notification", func() bool {
			if n++; n%20 == 1 {
				addTool(server, fmt.Sprintf("t%d", n))
			}
			return notified.Load() > before
		})
		srv.stop()
		server, h = newServer()
		srv.start(h)
		eventually(t, "the stream's return", func() bool { return int(resumes.Load()) > restart })
		addTool(server, "faulty")
		if _, err, _ := callTool(t.Context(), cs, "faulty"); err != nil {
			t.Fatal(err)
		}
	}
}

// fakeStream is a server in memory, for tests in virtual time.
type fakeStream struct {
	mu    sync.Mutex
	at    []time.Duration
	since time.Time
	serve func(n int, req *http.Request) (*http.Response, error)
}

func (f *fakeStream) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	n := len(f.at)
	f.at = append(f.at, time.Since(f.since))
	f.mu.Unlock()
	return f.serve(n, req)
}

func respond(status int, contentType, body string, header ...string) (*http.Response, error) {
	resp := &http.Response{StatusCode: status, Header: make(http.Header), Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
	resp.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp, nil
}

const listen = `{"jsonrpc":"2.0","id":3,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}`

// listen opens the notification stream of revision 2026-07-28 over f.
func (f *fakeStream) listen(t *testing.T, x *Exchange, edit func(*Config)) (*http.Response, error) {
	t.Helper()
	cfg := Config{Endpoint: "https://h.example/mcp", Base: f, SelfHeal: true}
	if edit != nil {
		edit(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	req := newPost(WithExchange(t.Context(), x), t, cfg.Endpoint, listen)
	req.Header.Del(headerSession)
	req.Header.Set(headerVersion, "2026-07-28")
	req.Header.Set(headerMethod, "subscriptions/listen")
	return c.Client().Do(req)
}

func TestSubscriptionThatTheServerEndsIsTakenUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStream{serve: func(n int, req *http.Request) (*http.Response, error) {
			if b, err := io.ReadAll(req.Body); err != nil || string(b) != listen || req.Header.Get(headerEventID) != "" {
				t.Errorf("attempt %d sent %q, %v", n, b, err)
			}
			switch n {
			case 0, 2:
				return respond(200, "text/event-stream", "id: 4\ndata: "+changed+"\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n\n")
			case 1:
				return respond(200, "text/event-stream", "data: {\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32603,\"message\":\"later\"}}\n\n")
			case 3:
				return respond(404, "text/plain", "no backend") // a router in front of a server that restarts
			}
			return respond(200, "text/event-stream", "data: "+changed+"\n\n")
		}}
		var resumes, lost atomic.Int32
		resp, err := f.listen(t, new(Exchange), func(c *Config) {
			c.OnResume = func(context.Context) { resumes.Add(1) }
			c.OnSessionLost = func(_ context.Context, _ string) { lost.Add(1) }
		})
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		lines := bufio.NewScanner(resp.Body)
		for n := 0; n < 3 && lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "data:") {
				n++
				got.WriteString(lines.Text())
			}
		}
		resp.Body.Close()
		synctest.Wait()
		if want := strings.Repeat("data: "+changed, 3); got.String() != want || resumes.Load() != 3 || lost.Load() != 0 {
			t.Errorf("read %s after %d resumes and %d lost sessions", got.String(), resumes.Load(), lost.Load())
		}
	})
}

func TestSubscriptionThatIsRefusedIsNotTriedAgain(t *testing.T) {
	const refusal = `{"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"no such method"}}`
	for name, answer := range map[string]func() (*http.Response, error){
		"JSON":   func() (*http.Response, error) { return respond(200, "application/json", refusal) },
		"400":    func() (*http.Response, error) { return respond(400, "application/json", refusal) },
		"stream": func() (*http.Response, error) { return respond(200, "text/event-stream", "data: "+refusal+"\n\n") },
		"403":    func() (*http.Response, error) { return respond(403, "text/plain", "no") },
		"html":   func() (*http.Response, error) { return respond(200, "text/html", "no") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeStream{serve: func(int, *http.Request) (*http.Response, error) { return answer() }}
				x := new(Exchange)
				resp, err := f.listen(t, x, nil)
				if err != nil {
					if x.Err() == nil {
						t.Errorf("error %v was not recorded", err)
					}
				} else {
					line := make([]byte, len(refusal)+6)
					if n, err := resp.Body.Read(line); err != nil && err != io.EOF || !strings.Contains(string(line[:n]), refusal) {
						t.Errorf("read %q, %v", line[:n], err)
					}
					go io.Copy(io.Discard, resp.Body)
					time.Sleep(time.Hour)
					resp.Body.Close()
				}
				synctest.Wait()
				if len(f.at) != 1 {
					t.Errorf("%d attempts", len(f.at))
				}
			})
		})
	}
}

// get opens the notification stream of a new chain over f.
func (f *fakeStream) get(t *testing.T, ctx context.Context, edit func(*Config)) (*http.Response, error) {
	t.Helper()
	f.mu.Lock()
	f.since = time.Now()
	f.mu.Unlock()
	cfg := Config{Endpoint: "https://h.example/mcp", Base: f, SelfHeal: true}
	if edit != nil {
		edit(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.Endpoint, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(headerVersion, "2025-11-25")
	req.Header.Set(headerSession, "SESSION-1234")
	return c.Client().Do(req)
}

func TestReconnectingBacksOffWithFullJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStream{serve: func(n int, _ *http.Request) (*http.Response, error) {
			if n == 0 {
				return respond(200, "text/event-stream", "")
			}
			return nil, errors.New("refused")
		}}
		resp, err := f.get(t, t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, resp.Body)
		time.Sleep(time.Hour)
		resp.Body.Close()
		synctest.Wait()

		for i := 1; i < len(f.at); i++ {
			bound := min(500*time.Millisecond<<min(i-1, 10), maxBackoff)
			if gap := f.at[i] - f.at[i-1]; gap > bound {
				t.Errorf("pause %d took %v, want at most %v", i, gap, bound)
			}
		}
		// An hour of pauses of 15 s on average.
		if n := len(f.at); n < 180 || n > 350 {
			t.Errorf("%d attempts in an hour", n)
		}
	})
}

func TestManyClientsDoNotComeBackTogether(t *testing.T) {
	h := &healing{c: &Chain{backoffBase: 500 * time.Millisecond}, failures: 5, floor: 3 * time.Second}
	const bound = 8 * time.Second
	windows := make([]int, 100)
	for range 1000 {
		p := h.pause() - h.floor
		if p < 0 || p >= bound {
			t.Fatalf("pause %v outside of what the server asked for and the bound", p+h.floor)
		}
		windows[int(p*100/bound)]++
	}
	if m := slices.Max(windows); m > 30 {
		t.Errorf("one per cent of the time holds %d of 1000 attempts, want at most 30", m)
	}
}

func TestServerChoosesThePauseWithinBounds(t *testing.T) {
	for _, tt := range []struct {
		name       string
		serve      func(n int) (*http.Response, error)
		atLeast    time.Duration
		afterFirst bool
	}{
		{"retry field", func(int) (*http.Response, error) { return respond(200, "text/event-stream", "retry: 7000\n\n") }, 7 * time.Second, true},
		{"retry field of an hour", func(int) (*http.Response, error) {
			return respond(200, "text/event-stream", "retry: 3600000\n\n")
		}, 30 * time.Second, true},
		{"Retry-After", func(int) (*http.Response, error) { return respond(503, "", "", "Retry-After", "9") }, 9 * time.Second, false},
		{"Retry-After of a day", func(int) (*http.Response, error) { return respond(503, "", "", "Retry-After", "86400") }, 30 * time.Second, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeStream{serve: func(n int, _ *http.Request) (*http.Response, error) { return tt.serve(n) }}
				resp, err := f.get(t, t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				go io.Copy(io.Discard, resp.Body)
				time.Sleep(10 * time.Minute)
				resp.Body.Close()
				synctest.Wait()
				if len(f.at) < 5 {
					t.Fatalf("%d attempts in ten minutes", len(f.at))
				}
				for i := 1; i < len(f.at); i++ {
					if gap := f.at[i] - f.at[i-1]; gap < tt.atLeast || gap > tt.atLeast+maxBackoff {
						t.Errorf("pause %d took %v, want %v and some jitter", i, gap, tt.atLeast)
					}
				}
			})
		})
	}
}

func TestConnectWaitsForASilentStreamTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		f := &fakeStream{serve: func(n int, req *http.Request) (*http.Response, error) {
			select {
			case <-open:
				return respond(200, "text/event-stream", "data: "+changed+"\n\n")
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		}}
		resumed := 0
		start := time.Now()
		resp, err := f.get(t, t.Context(), func(c *Config) { c.OnResume = func(context.Context) { resumed++ } })
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("the first answer took %v", d)
		}
		time.AfterFunc(time.Hour, func() { close(open) })
		line, err := bufio.NewReader(resp.Body).ReadString('\n')
		if err != nil || !strings.Contains(line, "list_changed") || resumed != 1 || len(f.at) != 1 {
			t.Errorf("read %q, %v after %d attempts and %d resumes", line, err, len(f.at), resumed)
		}
		resp.Body.Close()
		synctest.Wait()
	})
}

func TestEndOfTheContextEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStream{serve: func(n int, req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := f.get(t, ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("opening failed with %v, want the end of the context", err)
		}

		ctx, cancel = context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		resp, err := f.get(t, ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("reading failed with %v, want the end of the context", err)
		}
		resp.Body.Close()
		synctest.Wait()
	})
}

func TestHeadersAreResolvedForEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tokens []string
		f := &fakeStream{serve: func(n int, req *http.Request) (*http.Response, error) {
			tokens = append(tokens, req.Header.Get("Authorization"))
			return respond(200, "text/event-stream", "")
		}}
		n := 0
		resp, err := f.get(t, t.Context(), func(c *Config) {
			c.Headers = func(context.Context, *http.Request) (http.Header, error) {
				if n++; n == 2 {
					return nil, errors.New("the token endpoint is down")
				}
				return http.Header{"Authorization": {fmt.Sprintf("Bearer t%d", n)}}, nil
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, resp.Body)
		time.Sleep(time.Minute)
		resp.Body.Close()
		synctest.Wait()
		if want := []string{"Bearer t1", "Bearer t3", "Bearer t4"}; len(tokens) < 3 || !slices.Equal(tokens[:3], want) {
			t.Errorf("tokens %q, want %q first", tokens, want)
		}
	})
}

func TestWithoutSelfHealTheStreamIsTheServers(t *testing.T) {
	for name, tt := range map[string]struct {
		get      http.HandlerFunc
		notifies bool
	}{
		"stream": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: nonsense\n\ndata: %s\n\n", changed)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, true},
		"404": {http.NotFound, false},
		"503": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, false},
		"302": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "https://evil.example/", 302) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{get: tt.get}
			notified := make(chan struct{}, 1)
			cs, _ := session(t, s, nil, &mcp.ClientOptions{
				ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { notified <- struct{}{} },
			}, true)
			if tt.notifies {
				<-notified
			}
			alive(t, cs)
			if n := s.count("GET"); n != 1 {
				t.Errorf("%d attempts", n)
			}
		})
	}
}

// A stream whose credential does not come back is left alone.
func TestAHopelessStreamIsNotTriedAgain(t *testing.T) {
	gone := errors.New("the request that brought the credential is over")
	var asked atomic.Int64
	c, url := serve(t, http.NotFoundHandler(), func(cfg *Config) {
		cfg.SelfHeal = true
		cfg.Hopeless = func(err error) bool { return errors.Is(err, gone) }
		cfg.Headers = func(context.Context, *http.Request) (http.Header, error) {
			asked.Add(1)
			return nil, gone
		}
	})
	c.backoffBase = time.Millisecond
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(headerVersion, "2025-11-25")
	resp, err := c.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(resp.Body)
		read <- err
	}()
	time.Sleep(100 * time.Millisecond) // a hundred times the longest pause
	if n := asked.Load(); n != 1 {
		t.Errorf("tried %d times, want once", n)
	}
	resp.Body.Close()
	<-read
}
