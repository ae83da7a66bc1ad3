package openapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// answering is an operation whose back end answers that.
func answering(t *testing.T, method, responses string, status int, contentType, body string, opts *Options) *mcp.CallToolResult {
	t.Helper()
	a := newAPI(t, document("3.1.0", `{"/x/y":{"`+method+`":{"operationId":"op","responses":`+responses+`}}}`), func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.Header().Set("Etag", `"v1"`)
		if status == http.StatusCreated {
			w.Header().Set("Location", "/things/7?token=t")
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}, opts)
	return a.call("op", `{}`)
}

func TestAnswersBecomeContentOfTheirKind(t *testing.T) {
	const list = `{"200":{"description":"","content":{"application/json":{"schema":{"type":"array"}}}}}`
	for _, c := range []struct {
		what, contentType, body, responses string
		structured, content                string // the content as JSON, URLs replaced
	}{
		{"an object", "application/json", "{ \"id\": 12345678901234567890,\n \"f\": 1.0 }", `{}`,
			`{"id":12345678901234567890,"f":1.0}`, `[{"type":"text","text":"{\"id\":12345678901234567890,\"f\":1.0}"}]`},
		{"a list", "application/json; charset=utf-8", `[1]`, list, `{"result":[1]}`, `[{"type":"text","text":"{\"result\":[1]}"}]`},
		{"an object where a list was promised", "application/json", `{"a":1}`, list, `{"result":{"a":1}}`, `[{"type":"text","text":"{\"result\":{\"a\":1}}"}]`},
		{"null", "application/problem+json", `null`, `{}`, `{"result":null}`, `[{"type":"text","text":"{\"result\":null}"}]`},
		{"no JSON after all", "application/json", `{"a":`, `{}`, ``, `[{"type":"text","text":"{\"a\":"}]`},
		{"JSON without saying so", "", `{"a":1}`, `{}`, `{"a":1}`, `[{"type":"text","text":"{\"a\":1}"}]`},
		{"text", "text/plain; charset=utf-8", "a\nü", `{}`, ``, `[{"type":"text","text":"a\nü"}]`},
		{"Latin-1", "text/plain; charset=ISO-8859-1", "\xfc", `{}`, ``, `[{"type":"text","text":"ü"}]`},
		{"no text", "text/plain", "a\xffb", `{}`, ``, `[{"type":"text","text":"a\ufffdb"}]`},
		{"YAML", "application/yaml", "a: 1", `{}`, ``, `[{"type":"text","text":"a: 1"}]`},
		{"an SVG", "image/svg+xml", "<svg/>", `{}`, ``, `[{"type":"text","text":"<svg/>"}]`},
		{"an image", "image/png", "\x89PNG", `{}`, ``, `[{"type":"image","mimeType":"image/png","data":"iVBORw=="}]`},
		{"audio", "Audio/MPEG", "x", `{}`, ``, `[{"type":"audio","mimeType":"audio/mpeg","data":"eA=="}]`},
		{"bytes", "application/zip", "PK", `{}`, ``, `[{"type":"resource","resource":{"uri":"URL/x/y","mimeType":"application/zip","blob":"UEs="}}]`},
		{"an image without saying so", "", "\x89PNG\r\n\x1a\n", `{}`, ``, `[{"type":"image","mimeType":"image/png","data":"iVBORw0KGgo="}]`},
		{"nothing", "", "", `{}`, ``, `[{"type":"text","text":"200 OK"}]`},
	} {
		t.Run(c.what, func(t *testing.T) {
			res := answering(t, "get", c.responses, 200, c.contentType, c.body, nil)
			if res.IsError {
				t.Errorf("it is an error: %s", textOf(res))
			}
			got, _ := json.Marshal(res.Content)
			for _, x := range res.Content {
				if r, ok := x.(*mcp.EmbeddedResource); ok {
					got = bytes.ReplaceAll(got, []byte(strings.TrimSuffix(r.Resource.URI, "/x/y")), []byte("URL"))
				}
			}
			var a, b any
			if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(c.content), &b) != nil {
				t.Fatalf("%s, %s", got, c.content)
			}
			sameJSON(t, a, c.content)
			structured := ""
			if res.StructuredContent != nil {
				structured = string(marshal(res.StructuredContent))
			}
			if (structured == "") != (c.structured == "") {
				t.Errorf("structured content %s, want %s", structured, c.structured)
			} else if c.structured != "" {
				sameJSON(t, json.RawMessage(structured), c.structured)
			}
		})
	}
}

func TestAnswersWithoutABodySayTheirStatus(t *testing.T) {
	if got := textOf(answering(t, "delete", `{}`, 204, "", "", nil)); got != "204 No Content" {
		t.Errorf("got %q", got)
	}
	if got := textOf(answering(t, "head", `{}`, 200, "text/plain", "", nil)); got != "200 OK\nContent-Type: text/plain\nEtag: \"v1\"" {
		t.Errorf("got %q", got)
	}
	got := textOf(answering(t, "post", `{}`, 201, "", "", nil))
	if !strings.HasPrefix(got, "201 Created\nLocation: http://127.0.0.1:") || !strings.HasSuffix(got, "/things/7") {
		t.Errorf("got %q", got)
	}
}

func TestRefusalsAreErrorsWithTheStatusAndTheBody(t *testing.T) {
	for _, c := range []struct {
		status                  int
		contentType, body, want string
	}{
		{404, "application/json", `{"message":"no such pet"}`, "openapi: GET /x/y: the API answered 404 Not Found\n{\"message\":\"no such pet\"}"},
		{500, "", "", "openapi: GET /x/y: the API answered 500 Internal Server Error"},
		{502, "image/png", "x", "openapi: GET /x/y: the API answered 502 Bad Gateway; its body is image/png"},
		{499, "text/plain", "gone", "openapi: GET /x/y: the API answered 499\ngone"},
	} {
		res := answering(t, "get", `{"200":{"description":"","content":{"application/json":{"schema":{"type":"object"}}}}}`, c.status, c.contentType, c.body, nil)
		if got := textOf(res); !res.IsError || got != c.want || res.StructuredContent != nil {
			t.Errorf("isError %t, %q, want %q", res.IsError, got, c.want)
		}
	}
	long := answering(t, "get", `{}`, 400, "text/plain", strings.Repeat("ü", 10_000), nil)
	if got := textOf(long); len(got) > maxErrorBody+100 || !strings.HasSuffix(got, "ü...") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-10:])
	}
}

func TestLargeAnswersAreCutOff(t *testing.T) {
	at := answering(t, "get", `{}`, 200, "text/plain", strings.Repeat("x", 100), &Options{MaxResponseBytes: 100})
	over := answering(t, "get", `{}`, 200, "text/plain", strings.Repeat("x", 101), &Options{MaxResponseBytes: 100})
	if at.IsError || !over.IsError || !strings.Contains(textOf(over), "more than 100 bytes; the request was executed") {
		t.Errorf("at the limit: %s\nover it: %s", textOf(at), textOf(over))
	}
	// What counts is what comes out of the compression.
	a := newAPI(t, operationDoc("3.1.0", "/x", "get", `"summary":"x"`), func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("no compression was asked for")
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "text/plain")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, strings.Repeat("x", 1_000_000))
		z.Close()
	}, &Options{MaxResponseBytes: 100_000})
	a.fails("op", `{}`, "more than 100000 bytes")
}

func TestEndlessAnswersAreNotReadToTheEnd(t *testing.T) {
	a := newAPI(t, operationDoc("3.1.0", "/x", "get", `"summary":"x"`), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, strings.Repeat("x", 10_000)); err != nil {
				return
			}
		}
	}, &Options{MaxResponseBytes: 100_000, Timeout: 5 * time.Second})
	a.fails("op", `{}`, "more than 100000 bytes")
}

func TestOutputSchemasCanBeLeftOut(t *testing.T) {
	doc := document("3.1.0", `{"/x":{"get":{"operationId":"op","responses":{"200":{"description":"","content":{"application/json":{"schema":{"type":"array"}}}}}}}}`)
	a := newAPI(t, doc, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"a":1}`)
	}, &Options{OmitOutputSchemas: true})
	if tool := a.tools()["op"]; tool.OutputSchema != nil {
		t.Errorf("got %v", tool.OutputSchema)
	}
	if got := a.ok("op", `{}`); got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
}

func TestTheDocumentSaysWhatToAskFor(t *testing.T) {
	doc := document("3.1.0", `{"/x":{"get":{"operationId":"op","responses":{"200":{"description":"","content":{"text/csv":{},"application/json":{},"*/*":{}}},"400":{"description":"","content":{"application/xml":{}}}}}}}`)
	a := newAPI(t, doc, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Accept")) }, nil)
	if got := a.ok("op", `{}`); got != "application/json, text/csv, */*;q=0.1" {
		t.Errorf("got %q", got)
	}
}
