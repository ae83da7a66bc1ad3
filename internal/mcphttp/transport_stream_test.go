package mcphttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func TestListeningStreamIsOpenedOnceByTheOneWhoAsksForIt(t *testing.T) {
	for _, tt := range []struct {
		version string
		listen  bool
		want    int
	}{
		{"2025-11-25", true, 1},
		{"2025-03-26", true, 1},
		{"2025-11-25", false, 0},
		{"2026-07-28", true, 0},
	} {
		t.Run(fmt.Sprint(tt.version, tt.listen), func(t *testing.T) {
			var order []string
			d := &desk{results: map[string]string{"initialize": `{"protocolVersion":"` + tt.version + `"}`}}
			conn := bare(t, &Transport{Listen: tt.listen, Chain: over(t, func(r *http.Request) (*http.Response, error) {
				order = append(order, r.Method)
				return d.RoundTrip(r)
			})})
			var opened []http.Header
			for _, m := range []*jsonrpc.Request{
				newCall(1, "initialize", `{}`), {Method: "notifications/initialized"}, {Method: "notifications/progress"}, newCall(2, "ping", `{}`),
			} {
				if _, err := ask(t, conn, m); err != nil {
					t.Fatal(err)
				}
			}
			for i, method := range order {
				if method == http.MethodGet {
					opened = append(opened, d.headers[i])
				}
			}
			if len(opened) != tt.want {
				t.Fatalf("sent %v, want %d streams", order, tt.want)
			}
			if tt.want == 0 {
				return
			}
			if order[1] != http.MethodGet {
				t.Errorf("sent %v, want the stream before the server learns that the client is ready", order)
			}
			if h := opened[0]; h.Get("Accept") != "text/event-stream" || h.Get("Content-Type") != "" || h.Get(headerVersion) != tt.version {
				t.Errorf("the stream was opened with %v", h)
			}
		})
	}
}

func TestListeningStreamBringsWhatTheServerSendsOnItsOwn(t *testing.T) {
	s := &script{get: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\n", changed)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}}
	notified := make(chan struct{})
	cs, _ := session(t, s, nil, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { close(notified) },
	}, true)
	<-notified
	alive(t, cs)
}

func TestListeningStreamThatCannotBeReachedFailsTheConnect(t *testing.T) {
	c, _ := serve(t, &script{get: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}, nil)
	client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil)
	_, err := client.Connect(t.Context(), &Transport{Chain: c, Listen: true}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	var send *SendError
	if !errors.As(err, &send) || send.Method != "notifications/initialized" {
		t.Errorf("error %v, want a SendError", err)
	}
}

func TestCloseEndsStreamsThatHang(t *testing.T) {
	hanging := make(chan struct{}, 2)
	ended := make(chan struct{}, 2)
	hang := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Write([]byte("id: 1\n\n"))
		w.(http.Flusher).Flush()
		hanging <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	}
	s := &script{get: hang, call: func(w http.ResponseWriter, r *http.Request, _ string) { hang(w, r) }}
	c, _ := serve(t, s, nil)
	conn := bare(t, &Transport{Chain: c, Listen: true})
	for _, m := range []*jsonrpc.Request{newCall(1, "initialize", `{}`), {Method: "notifications/initialized"}} {
		if _, err := ask(t, conn, m); err != nil {
			t.Fatal(err)
		}
	}
	written := make(chan error)
	go func() { written <- conn.Write(t.Context(), newCall(2, "tools/call", `{"name":"x"}`)) }()
	<-hanging
	<-hanging
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := <-written; err != nil {
		t.Errorf("Write of the call that hung: %v", err)
	}
	<-ended
	<-ended
	if _, err := conn.Read(t.Context()); err != io.EOF {
		t.Errorf("Read after Close: %v, want EOF", err)
	}
}

func TestStreamedAnswerIsThereBeforeItsStreamEnds(t *testing.T) {
	answered := make(chan struct{})
	s := &script{call: func(w http.ResponseWriter, r *http.Request, id string) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s\n\n", strings.ReplaceAll(fine, "ID", id))
		w.(http.Flusher).Flush()
		<-answered
	}}
	var dials atomic.Int32
	conn := bare(t, &Transport{Chain: func() *Chain {
		c, _ := serve(t, s, func(c *Config) {
			base := newTransport()
			dial := base.DialContext
			base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				dials.Add(1)
				return dial(ctx, network, addr)
			}
			c.Base = base
		})
		return c
	}()})
	for i := range 5 {
		idle := make(chan error, 1)
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{PutIdleConn: func(err error) { idle <- err }})
		if err := conn.Write(ctx, newCall(float64(i), "tools/call", `{"name":"x"}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		answered <- struct{}{}
		if err := <-idle; err != nil {
			t.Errorf("the connection was not kept: %v", err)
		}
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("5 calls took %d connections, want 1", n)
	}
}

func TestStreamBringsWhatComesBeforeTheAnswerInOrder(t *testing.T) {
	conn := bare(t, &Transport{Chain: over(t, func(*http.Request) (*http.Response, error) {
		return respond(200, "text/event-stream", strings.Join([]string{
			"event: ping\ndata: 12:00", "data: " + changed, `data: {"jsonrpc":"2.0","id":"s1","method":"ping"}`, "id: 3\ndata:",
			"data: " + strings.ReplaceAll(fine, "ID", "1"), "data: " + changed, "",
		}, "\n\n"))
	})})
	written := make(chan error)
	go func() { written <- conn.Write(t.Context(), newCall(1, "tools/call", `{"name":"x"}`)) }()
	var methods []string
	for range 3 {
		m, err := conn.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if req, ok := m.(*jsonrpc.Request); ok {
			methods = append(methods, req.Method)
		} else {
			methods = append(methods, "answer")
		}
	}
	if want := []string{"notifications/tools/list_changed", "ping", "answer"}; !slices.Equal(methods, want) {
		t.Errorf("read %q, want %q", methods, want)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestCutStreamIsResumedAfterThePauseTheServerAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const cuts = 2 * maxResumes // progress is never held against the server
		var start time.Time
		var gets int
		conn := bare(t, &Transport{Chain: over(t, after(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				gets++
				if id := r.Header.Get(headerEventID); id != fmt.Sprint(gets-1) {
					t.Errorf("resumption %d is after event %q", gets, id)
				}
				if waited := time.Since(start); waited != time.Duration(gets)*3*time.Second {
					t.Errorf("resumption %d comes after %v", gets, waited)
				}
			}
			if gets == cuts {
				return respond(200, "text/event-stream", "data: "+strings.ReplaceAll(fine, "ID", "1")+"\n\n")
			}
			return respond(200, "text/event-stream", fmt.Sprintf("id: %d\nretry: 3000\ndata:\n\n", gets))
		}))})
		begin(t, conn)
		start = time.Now()
		if _, err := ask(t, conn, newCall(1, "tools/call", `{"name":"x"}`)); err != nil {
			t.Error(err)
		}
		if gets != cuts {
			t.Errorf("resumed %d times, want %d", gets, cuts)
		}
		conn.Close()
	})
}

func TestStreamIsResumedOverFailuresOfTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var gets int
		conn := bare(t, &Transport{Chain: over(t, after(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost {
				return respond(200, "text/event-stream", "id: 1\ndata:\n\n")
			}
			if gets++; gets < maxResumes {
				return nil, errors.New("unreachable")
			}
			return respond(200, "text/event-stream", "data: "+strings.ReplaceAll(fine, "ID", "1")+"\n\n")
		}))})
		begin(t, conn)
		if _, err := ask(t, conn, newCall(1, "tools/call", `{"name":"x"}`)); err != nil {
			t.Error(err)
		}
		conn.Close()
	})
}

func TestStreamWithoutAnIDCannotBeResumed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start := time.Now()
		conn := bare(t, &Transport{Chain: over(t, after(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPost {
				t.Errorf("%s was sent", r.Method)
			}
			return respond(200, "text/event-stream", "retry: 3000\ndata: "+changed+"\n\n")
		}))})
		begin(t, conn)
		written := make(chan error)
		go func() { written <- conn.Write(t.Context(), newCall(1, "tools/call", `{"name":"x"}`)) }()
		if _, err := conn.Read(t.Context()); err != nil { // the notification
			t.Fatal(err)
		}
		m, err := conn.Read(t.Context())
		if answer, ok := m.(*jsonrpc.Response); err != nil || !ok || !errors.Is(answer.Error, errNoAnswer) {
			t.Errorf("Read() = %v, %v, want an answer that fails", m, err)
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the call failed after %v, want at once", waited)
		}
		conn.Close()
	})
}

func TestStreamThatNeverProgressesFailsTheCallOnly(t *testing.T) {
	for _, x := range []*Exchange{nil, new(Exchange)} {
		t.Run(fmt.Sprint(x != nil), func(t *testing.T) {
			stuck := func(w http.ResponseWriter, r *http.Request) { stream200("id: 1\nretry: 1\ndata:\n\n")(w, r, "") }
			s := &script{get: stuck, call: func(w http.ResponseWriter, r *http.Request, _ string) { stuck(w, r) }}
			cs, _ := session(t, s, nil, nil, false)
			ctx := t.Context()
			if x != nil {
				ctx = WithExchange(ctx, x)
			}
			var resume *ResumeError
			if _, err := cs.CallTool(ctx, &mcp.CallToolParams{Name: "stuck"}); err == nil {
				t.Error("the call succeeded")
			}
			if x != nil && !errors.As(x.Err(), &resume) {
				t.Errorf("recorded %v, want a ResumeError", x.Err())
			}
			if n := s.count("GET"); n != maxResumes {
				t.Errorf("the stream was resumed %d times, want %d", n, maxResumes)
			}
			alive(t, cs)
		})
	}
}

func TestCallThatIsCancelledBetweenTwoStreamsEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var requests int
		conn := bare(t, &Transport{Chain: over(t, after(func(*http.Request) (*http.Response, error) {
			requests++
			return respond(200, "text/event-stream", "id: 1\nretry: 30000\ndata:\n\n")
		}))})
		begin(t, conn)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := conn.Write(ctx, newCall(1, "tools/call", `{"name":"x"}`)); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if requests != 1 {
			t.Errorf("%d requests, want no other after the call's context has ended", requests)
		}
		conn.Close()
	})
}

func TestSubscriptionDoesNotBlockAndEndsWithItsContext(t *testing.T) {
	for _, heal := range []bool{false, true} {
		t.Run(fmt.Sprint(heal), func(t *testing.T) {
			ended := make(chan struct{})
			c, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get(headerMethod) != "subscriptions/listen" {
					answer(w, "2", `{}`)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprintf(w, "data: %s\n\n", changed)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				close(ended)
			}), func(c *Config) { c.SelfHeal = heal })
			conn := bare(t, &Transport{Chain: c})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			meta := `{"_meta":{"` + mcp.MetaKeyProtocolVersion + `":"2026-07-28"}}`
			if err := conn.Write(ctx, newCall(1, "subscriptions/listen", meta)); err != nil {
				t.Fatal(err)
			}
			if m, err := conn.Read(t.Context()); err != nil || m.(*jsonrpc.Request).Method != "notifications/tools/list_changed" {
				t.Fatalf("Read() = %v, %v, want the notification", m, err)
			}
			if _, err := ask(t, conn, newCall(2, "tools/list", meta)); err != nil {
				t.Errorf("a call next to the subscription: %v", err)
			}
			cancel()
			<-ended
		})
	}
}

func TestCloseDoesNotWaitForAResumptionThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		resuming := make(chan struct{})
		conn := bare(t, &Transport{Chain: over(t, func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost {
				return respond(200, "text/event-stream", "id: 1\ndata:\n\n")
			}
			close(resuming)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		if err := conn.Write(t.Context(), newCall(1, "subscriptions/listen", `{`+modern+`}`)); err != nil {
			t.Fatal(err)
		}
		<-resuming
		conn.Close() // the bubble is dead if this waits
	})
}

func TestStreamOfInitializeIsResumedMoreThanOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var gets int
		conn := bare(t, &Transport{Chain: over(t, func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				gets++
			}
			if gets == 2 {
				return respond(200, "text/event-stream", `data: {"jsonrpc":"2.0","id":0,"result":`+initializeResult+"}\n\n")
			}
			return respond(200, "text/event-stream", fmt.Sprintf("id: %d\ndata:\n\n", gets))
		})})
		begin(t, conn)
		conn.Close()
	})
}

func TestStreamThatIsCutBeforeItBringsAnythingIsResumedAtTheSameEvent(t *testing.T) {
	var resumed []string
	answerTo := make(chan string, 1)
	s := &script{call: func(w http.ResponseWriter, _ *http.Request, id string) {
		answerTo <- id
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "id: 1\nretry: 1\ndata:\n\n")
	}, get: func(w http.ResponseWriter, r *http.Request) {
		resumed = append(resumed, r.Header.Get(headerEventID))
		w.Header().Set("Content-Type", "text/event-stream")
		if len(resumed) == 2 {
			fmt.Fprintf(w, "data: %s\n\n", strings.ReplaceAll(fine, "ID", <-answerTo))
		}
	}}
	cs, _ := session(t, s, nil, nil, false)
	if _, err, _ := callTool(t.Context(), cs, "x"); err != nil || !slices.Equal(resumed, []string{"1", "1"}) {
		t.Errorf("resumed at %q: %v", resumed, err)
	}
}
