package openapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An api is a server made of a document, its back end, and a client of it.
type api struct {
	t       testing.TB
	url     string
	session *mcp.ClientSession
}

// newAPI starts a back end and a server for doc, whose base URL becomes the back end's unless opts say otherwise.
func newAPI(t testing.TB, doc string, backend http.HandlerFunc, opts *Options) *api {
	t.Helper()
	ts := httptest.NewServer(backend)
	t.Cleanup(ts.Close)
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.BaseURL == "" {
		o.BaseURL = ts.URL
	}
	if o.Client == nil {
		o.Client = ts.Client()
		o.Client.CheckRedirect = noRedirects
	}
	return &api{t: t, url: ts.URL, session: connect(t, mustServer(t, mustParse(t, doc), &o))}
}

func mustParse(t testing.TB, doc string) *Document {
	t.Helper()
	d, err := Parse(t.Context(), []byte(doc), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustServer(t testing.TB, d *Document, opts *Options) *mcp.Server {
	t.Helper()
	s, err := NewServer(d, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func connect(t testing.TB, s *mcp.Server) *mcp.ClientSession {
	t.Helper()
	near, far := mcp.NewInMemoryTransports()
	ss, err := s.Connect(context.Background(), far, nil)
	if err != nil {
		t.Fatal(err)
	}
	cs, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), near, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cs.Close()
		ss.Wait()
	})
	return cs
}

// call runs a tool with arguments in JSON, whose order of members and spelling of numbers stay.
func (a *api) call(tool, args string) *mcp.CallToolResult {
	a.t.Helper()
	res, err := a.session.CallTool(a.t.Context(), &mcp.CallToolParams{Name: tool, Arguments: json.RawMessage(args)})
	if err != nil {
		a.t.Fatalf("calling %s with %s: %v", tool, args, err)
	}
	return res
}

// ok runs a tool and returns its text.
func (a *api) ok(tool, args string) string {
	a.t.Helper()
	res := a.call(tool, args)
	if res.IsError {
		a.t.Fatalf("calling %s with %s: %s", tool, args, textOf(res))
	}
	return textOf(res)
}

// fails runs a tool that must fail with a text that contains want.
func (a *api) fails(tool, args, want string) string {
	a.t.Helper()
	res := a.call(tool, args)
	got := textOf(res)
	if !res.IsError || !strings.Contains(got, want) {
		a.t.Errorf("%s with %s: isError %t, %q, want an error with %q", tool, args, res.IsError, got, want)
	}
	if !strings.HasPrefix(got, "openapi: ") {
		a.t.Errorf("%s with %s: %q does not say whose text it is", tool, args, got)
	}
	return got
}

func textOf(res *mcp.CallToolResult) string {
	var b strings.Builder
	for _, c := range res.Content {
		if t, ok := c.(*mcp.TextContent); ok {
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

func (a *api) tools() map[string]*mcp.Tool {
	a.t.Helper()
	out := map[string]*mcp.Tool{}
	for tool, err := range a.session.Tools(a.t.Context(), nil) {
		if err != nil {
			a.t.Fatal(err)
		}
		out[tool.Name] = tool
	}
	return out
}

// document wraps paths, in JSON, in a document of that version.
func document(version, paths string, more ...string) string {
	return `{"openapi":"` + version + `","info":{"title":"Test API","version":"1.0"},"paths":` + paths + strings.Join(more, "") + `}`
}

// operationDoc is a document of one operation, whose fields are given in JSON without braces.
func operationDoc(version, path, method, fields string) string {
	return document(version, `{"`+path+`":{"`+method+`":{"operationId":"op","responses":{"200":{"description":"ok"}},`+fields+`}}}`)
}

// sameJSON compares JSON without regard to the order of members.
func sameJSON(t testing.TB, got any, want string) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(g, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("bad JSON in test: %v\n%s", err, want)
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) {
		t.Errorf("got  %s\nwant %s", x, y)
	}
}
