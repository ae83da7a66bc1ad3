package lines

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Three messages as they are encoded.
const (
	one   = `{"jsonrpc":"2.0","id":1,"method":"one"}`
	two   = `{"jsonrpc":"2.0","method":"two","params":{"text":"line\nbreak"}}`
	three = `{"jsonrpc":"2.0","id":"3","result":{}}`
)

// message returns a message of n bytes.
func message(n int) string {
	const start, end = `{"jsonrpc":"2.0","method":"`, `"}`
	return start + strings.Repeat("x", n-len(start)-len(end)) + end
}

func TestReadTakesTheMessagesOfEveryLineInOrder(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"no line", "", nil},
		{"lines", one + "\n" + two + "\n" + three + "\n", []string{one, two, three}},
		{"lines that end with CRLF", one + "\r\n" + two + "\r\n", []string{one, two}},
		{"blank lines", "\n\r\n" + one + "\n \t\n\n" + two + "\n\r\n", []string{one, two}},
		{"white space around", " \t" + one + " \r\n" + two + "\t\n", []string{one, two}},
		{"no newline at the end", one + "\n" + two, []string{one, two}},
		{"a blank at the end", one + "\n ", []string{one}},
		{"a batch", "[" + one + "," + two + "]\n" + three + "\n", []string{one, two, three}},
		{"batches in disorder", " [ " + three + " , " + two + " ] \r\n[" + one + "]", []string{three, two, one}},
	} {
		for i, r := range []io.Reader{
			strings.NewReader(tt.text), iotest.OneByteReader(strings.NewReader(tt.text)), iotest.DataErrReader(strings.NewReader(tt.text)),
		} {
			all, err := readAll(t.Context(), readFrom(t, r))
			if got := encode(t, all...); err != io.EOF || !slices.Equal(got, tt.want) {
				t.Errorf("%s, reader %d: %q and %v, want %q and io.EOF", tt.name, i, got, err, tt.want)
			}
		}
	}
}

func TestReadTakesLinesOfAnyLength(t *testing.T) {
	// bufio's buffer has 4096 bytes.
	for _, n := range []int{4094, 4095, 4096, 4097, 8191, 8192, 8193, 1 << 20} {
		for _, end := range []string{"\n", "\r\n"} {
			want := []string{message(n), one, message(n), message(n + 1), two}
			all, err := readAll(t.Context(), readFrom(t, strings.NewReader(strings.Join(want, end))))
			if got := encode(t, all...); err != io.EOF || !slices.Equal(got, want) {
				t.Errorf("of lines of %d bytes and %q came %d messages and %v, want %d and io.EOF", n, end, len(got), err, len(want))
			}
		}
	}
}

func TestReadDeliversNothingOfALineItRefuses(t *testing.T) {
	for _, line := range []string{
		`[]`, `[ ]`, `null`, `true`, `7`, `"x"`, `{}`, `{"jsonrpc":"1.0","id":1,"method":"m"}`, `{"jsonrpc":"2.0"}`, `{"jsonrpc":"2.0","id":{},"method":"m"}`,
		"[" + one + ",{}]", "[" + one + ",null]", "[" + one + ",7]", "[" + one + ",[" + two + "]]", "[[" + one + "]]",
		"[" + one + "," + two + ",]", "[" + one + " " + two + "]", "[" + one + "," + two,
		one + two, one + " " + two, one + "," + two, one + "\r" + two, one + "x", one + " x", one + "}", "[" + one + "]" + two, "[" + one + "]]",
		"\uFEFF" + one, "\x00" + one, one + "\x00",
	} {
		all, err := readAll(t.Context(), readFrom(t, strings.NewReader(three+"\n"+line+"\n"+three+"\n")))
		if got := encode(t, all...); err == nil || err == io.EOF || !slices.Equal(got, []string{three}) {
			t.Errorf("%s: %q and %v, want an error after the line before", line, got, err)
		}
	}
}

func TestAnErrorOverBrokenJSONDoesNotTellTheText(t *testing.T) {
	for _, line := range []string{
		`secret`, `{"token":"secret"`, `{"token":"secret`, `{secret:1}`, `"secret`, `{"token":"secret"}}`, `{"token":"secret"} secret`,
		one + ` {"token":"secret"}`, `[` + one + `,{"token":"secret"]`, `{"jsonrpc":"2.0","id":1,"result":"` + "secret\x01" + `"}`,
		`{"token":"` + strings.Repeat("secret", 10_000),
	} {
		_, err := readFrom(t, strings.NewReader(line+"\n")).Read(t.Context())
		if err == nil || err == io.EOF || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "token") {
			t.Errorf("%.60s: error = %.300v, want one without the text", line, err)
		}
	}
}

func TestReadReturnsTheErrorOfAStreamThatEnds(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		text string
		want int
	}{
		{"", 0}, {" ", 0}, {one[:10], 0}, {one + "\n", 1}, {one, 1}, {one + "\n" + two[:20], 1}, {"[" + one + "," + two, 0}, {message(1 << 20)[:1<<20-1], 0},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"after":        func(r io.Reader) io.Reader { return r },
			"with":         iotest.DataErrReader,
			"byte by byte": iotest.OneByteReader,
		} {
			c := readFrom(t, wrap(io.MultiReader(strings.NewReader(tt.text), iotest.ErrReader(broken))))
			all, err := readAll(t.Context(), c)
			if err != broken || len(all) != tt.want {
				t.Errorf("%.60q, error %s the data: %d messages and %v, want %d and the stream's error", tt.text, name, len(all), err, tt.want)
			}
			if _, err := c.Read(t.Context()); err != broken {
				t.Errorf("%.60q, error %s the data: Read once more = %v, want the stream's error", tt.text, name, err)
			}
		}
	}
}

func TestALaterReadDoesNotChangeAMessage(t *testing.T) {
	line := func(letter string) string {
		s := strings.Repeat(letter, 20)
		return `{"jsonrpc":"2.0","id":"` + s + `","method":"` + s + `","params":{"p":"` + s + `"}}`
	}
	long := `{"jsonrpc":"2.0","id":"l","result":"` + strings.Repeat("l", 10_000) + `"}`
	want := []string{line("a"), line("b"), line("c"), line("d"), long, line("e"), long, line("f")}
	c := readFrom(t, io.MultiReader( // which ends a Read with every part, so that the buffer starts anew
		strings.NewReader(line("a")+"\n"), strings.NewReader(line("b")+"\n"), strings.NewReader("["+line("c")+","+line("d")+"]\n"),
		strings.NewReader(long+"\n"), strings.NewReader(line("e")+"\n"), strings.NewReader(long+"\n"), strings.NewReader(line("f")+"\n")))
	var all []jsonrpc.Message
	for range want {
		m, err := c.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
		if got := encode(t, all...); !slices.Equal(got, want[:len(all)]) {
			t.Fatalf("after message %d: %.100q, want %.100q", len(all), got, want[:len(all)])
		}
	}
}

// announced tells when a Read begins.
type announced struct {
	io.ReadWriteCloser
	reads chan struct{}
}

func (a announced) Read(b []byte) (int, error) {
	a.reads <- struct{}{}
	return a.ReadWriteCloser.Read(b)
}

func netPipe(*testing.T) (here io.ReadWriteCloser, there io.WriteCloser) { return net.Pipe() }

func osPipe(t *testing.T) (here io.ReadWriteCloser, there io.WriteCloser) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return stream{Reader: r, close: r.Close}, w
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	for name, pipe := range map[string]func(*testing.T) (io.ReadWriteCloser, io.WriteCloser){"net.Pipe": netPipe, "os.Pipe": osPipe} {
		for _, begun := range []string{"", one + "\n", one[:10], one + "\n" + message(10_000)[:5000]} {
			t.Run(fmt.Sprintf("%s after %d bytes", name, len(begun)), func(t *testing.T) {
				here, there := pipe(t)
				defer there.Close()
				reads := make(chan struct{}, 100)
				c := connect(t, Transport{Stream: announced{here, reads}})
				ended := make(chan error)
				go func() {
					_, err := readAll(t.Context(), c)
					ended <- err
				}()
				<-reads
				for part := range slices.Chunk([]byte(begun), 1000) {
					there.Write(part)
					<-reads // for more
				}
				if err := c.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				if err := <-ended; err != io.EOF {
					t.Errorf("Read = %v, want io.EOF", err)
				}
				if _, err := c.Read(t.Context()); err != io.EOF {
					t.Errorf("Read once more = %v, want io.EOF", err)
				}
			})
		}
	}
}

func TestCloseClosesTheStreamOnce(t *testing.T) {
	stuck := errors.New("stuck")
	var closed atomic.Int32
	c := connect(t, Transport{Stream: stream{close: func() error {
		closed.Add(1)
		return stuck
	}}})
	var wg sync.WaitGroup
	var told atomic.Int32
	for range 10 {
		wg.Go(func() {
			if c.Close() == stuck {
				told.Add(1)
			}
		})
	}
	wg.Wait()
	if closed.Load() != 1 || told.Load() != 1 {
		t.Errorf("10 calls closed the stream %d times and returned its error %d times, want once", closed.Load(), told.Load())
	}
}

// writeFunc is a stream's half.
type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(b []byte) (int, error) { return f(b) }

func TestWriteWritesALineWithOneCall(t *testing.T) {
	var written []string
	c := connect(t, Transport{Stream: stream{Writer: writeFunc(func(b []byte) (int, error) {
		written = append(written, string(b))
		return len(b), nil
	})}})
	id, err := jsonrpc.MakeID("a\nb")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range []jsonrpc.Message{
		&jsonrpc.Request{Method: "m"},
		&jsonrpc.Request{ID: id, Method: "m\n", Params: json.RawMessage("{\n\"text\": \"a\\nb\",\r\n\"n\": 1\n}\n")},
		&jsonrpc.Response{ID: id, Result: json.RawMessage("[\n]")},
		&jsonrpc.Response{ID: id, Error: &jsonrpc.Error{Code: 1, Message: "a\nb\r\n"}},
		&jsonrpc.Request{Method: "m", Params: json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)},
	} {
		if err := c.Write(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		want = append(want, encode(t, m)[0]+"\n")
	}
	if !slices.Equal(written, want) {
		t.Errorf("written are %.300q, want %.300q", written, want)
	}
	for _, line := range written {
		if strings.IndexByte(line, '\n') != len(line)-1 {
			t.Errorf("%.300q is not one line", line)
		}
	}
}

func TestWriteReturnsAnError(t *testing.T) {
	broken := errors.New("broken")
	c := connect(t, Transport{Stream: stream{Writer: writeFunc(func([]byte) (int, error) { return 0, broken })}})
	if err := c.Write(t.Context(), &jsonrpc.Request{Method: "m"}); err != broken {
		t.Errorf("Write = %v, want the stream's error", err)
	}
	c = connect(t, Transport{Stream: stream{}}) // panics if it is written to
	if err := c.Write(t.Context(), &jsonrpc.Request{Method: "m", Params: json.RawMessage("{")}); err == nil {
		t.Error("Write of what is not JSON succeeded")
	}
}

func TestConcurrentWritesDoNotMix(t *testing.T) {
	var written []byte // without a lock, so that the race detector sees two writes at once
	c := connect(t, Transport{Stream: stream{Writer: writeFunc(func(b []byte) (int, error) {
		for i := range b {
			written = append(written, b[i])
			if i%8 == 0 {
				runtime.Gosched()
			}
		}
		return len(b), nil
	})}})
	var wg sync.WaitGroup
	var want []string
	for i := range 10 {
		for j := range 20 {
			want = append(want, fmt.Sprintf(`{"jsonrpc":"2.0","method":"%d-%d"}`, i, j))
		}
		wg.Go(func() {
			for j := range 20 {
				if err := c.Write(t.Context(), &jsonrpc.Request{Method: fmt.Sprintf("%d-%d", i, j)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all, err := readAll(t.Context(), readFrom(t, bytes.NewReader(written)))
	got := encode(t, all...)
	slices.Sort(got)
	slices.Sort(want)
	if err != io.EOF || !slices.Equal(got, want) {
		t.Errorf("%d messages and %v, want the %d that were written", len(got), err, len(want))
	}
}

func TestNothingIsReadOrWrittenOnceTheContextHasEnded(t *testing.T) {
	c := connect(t, Transport{Stream: stream{}}) // panics if it is used
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Read(ctx); err != context.Canceled {
		t.Errorf("Read = %v, want context.Canceled", err)
	}
	if err := c.Write(ctx, &jsonrpc.Request{Method: "m"}); err != context.Canceled {
		t.Errorf("Write = %v, want context.Canceled", err)
	}

	c = readFrom(t, strings.NewReader("["+one+","+two+"]\n"))
	if _, err := c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(ctx); err != context.Canceled {
		t.Errorf("Read within a batch = %v, want context.Canceled", err)
	}
	if m, err := c.Read(t.Context()); err != nil || encode(t, m)[0] != two {
		t.Errorf("Read after that = %v, %v, want the rest of the batch", m, err)
	}
}

// newServer has a tool that reports progress, asks the user for a name and a model for a greeting.
func newServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "greet"}, func(ctx context.Context, req *mcp.CallToolRequest, _ any) (*mcp.CallToolResult, any, error) {
		err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
			ProgressToken: req.Params.GetProgressToken(), Progress: 1, Message: "a\nb"})
		if err != nil {
			return nil, nil, err
		}
		user, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: "Who?", RequestedSchema: map[string]any{
			"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}}})
		if err != nil {
			return nil, nil, err
		}
		model, err := req.Session.CreateMessage(ctx, &mcp.CreateMessageParams{MaxTokens: 10,
			Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: fmt.Sprint(user.Content["name"])}}}})
		if err != nil {
			return nil, nil, err
		}
		return &mcp.CallToolResult{Content: []mcp.Content{model.Content}}, nil, nil
	})
	return s
}

func TestAClientAndAServerTalkBothWays(t *testing.T) {
	for name, closeFirst := range map[string]func(*mcp.ClientSession, *mcp.ServerSession) error{
		"until the client closes": func(cs *mcp.ClientSession, _ *mcp.ServerSession) error { return cs.Close() },
		"until the server closes": func(_ *mcp.ClientSession, ss *mcp.ServerSession) error { return ss.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			progress := make(chan string, 1)
			client := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, &mcp.ClientOptions{
				ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "alice"}}, nil
				},
				CreateMessageHandler: func(_ context.Context, req *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
					name := req.Params.Messages[0].Content.(*mcp.TextContent).Text
					return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "hello\n" + name}}, nil
				},
				ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
					progress <- req.Params.Message
				},
			})
			here, there := net.Pipe()
			ss, err := newServer().Connect(t.Context(), Transport{Stream: there}, nil)
			if err != nil {
				t.Fatal(err)
			}
			// The last revision in which a server asks within a call.
			cs, err := client.Connect(t.Context(), Transport{Stream: here}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
			if err != nil {
				t.Fatal(err)
			}
			params := &mcp.CallToolParams{Name: "greet"}
			params.SetProgressToken("p")
			res, err := cs.CallTool(t.Context(), params)
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Content[0].(*mcp.TextContent).Text; got != "hello\nalice" {
				t.Errorf("greet = %q, want the model's greeting of the user", got)
			}
			if got := <-progress; got != "a\nb" {
				t.Errorf("progress = %q, want %q", got, "a\nb")
			}
			if err := closeFirst(cs, ss); err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := errors.Join(cs.Wait(), ss.Wait()); err != nil {
				t.Errorf("the sessions ended with %v", err)
			}
		})
	}
}
