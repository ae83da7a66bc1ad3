package langchaingo

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

func TestTextLeavesATraceOfEveryKindOfContent(t *testing.T) {
	for _, tt := range []struct{ name, result, want string }{
		{"text", `{"content":[{"type":"text","text":"hello"}]}`, "hello"},
		{"two texts", `{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`, "a\nb"},
		{"image", `{"content":[{"type":"image","mimeType":"image/png","data":"AAAA"}]}`, "[image image/png, 3 bytes]"},
		{"audio", `{"content":[{"type":"audio","mimeType":"audio/wav","data":"AAAAAAAA"}]}`, "[audio audio/wav, 6 bytes]"},
		{"image without a type", `{"content":[{"type":"image","mimeType":"","data":"AAAA"}]}`, "[image, 3 bytes]"},
		{"image after text", `{"content":[{"type":"text","text":"see:"},{"type":"image","mimeType":"image/png","data":""}]}`, "see:\n[image image/png, 0 bytes]"},
		{"link", `{"content":[{"type":"resource_link","name":"report","uri":"file:///r.txt","mimeType":"text/plain"}]}`, "[resource report file:///r.txt text/plain]"},
		{"embedded text", `{"content":[{"type":"resource","resource":{"uri":"file:///r.txt","mimeType":"text/plain","text":"line"}}]}`, "[resource file:///r.txt text/plain]\nline"},
		{"embedded blob", `{"content":[{"type":"resource","resource":{"uri":"file:///a.zip","mimeType":"application/zip","blob":"AAAA"}}]}`, "[resource file:///a.zip application/zip, 3 bytes]"},
		{"structured alone", `{"content":[],"structuredContent":{"b":1,"a":"<x>"}}`, `{"a":"<x>","b":1}`},
		{"structured and the same as text", `{"content":[{"type":"text","text":"{ \"b\": 1, \"a\": 2 }"}],"structuredContent":{"a":2,"b":1}}`, `{ "b": 1, "a": 2 }`},
		{"structured beside a summary", `{"content":[{"type":"text","text":"two rows"}],"structuredContent":[1,2]}`, "two rows\n[1,2]"},
		{"structured and other JSON as text", `{"content":[{"type":"text","text":"{\"a\":3}"}],"structuredContent":{"a":2}}`, "{\"a\":3}\n{\"a\":2}"},
		{"error", `{"content":[{"type":"text","text":"no such file"}],"isError":true}`, "Error: no such file"},
		{"error that says so itself", `{"content":[{"type":"text","text":"Error: no such file"}],"isError":true}`, "Error: no such file"},
		{"error without words", `{"content":[],"isError":true}`, "Error: [no content]"},
		{"nothing", `{"content":[]}`, "[no content]"},
		{"empty text", `{"content":[{"type":"text","text":""}]}`, "[no content]"},
		{"input required", `{"resultType":"input_required","content":[],"inputRequests":{
			"mail":{"method":"elicitation/create","params":{"mode":"form","message":"Your address?"}},
			"idea":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}},
			"dirs":{"method":"roots/list","params":{}}}}`,
			`[input required: the client's roots (dirs); an answer of a model (sampling idea); "Your address?" (elicitation mail)]`},
		{"input required of nobody", `{"resultType":"input_required","content":[],"inputRequests":{}}`,
			"[input required: the server is busy; call again later]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r mcp.CallToolResult
			if err := json.Unmarshal([]byte(tt.result), &r); err != nil {
				t.Fatal(err)
			}
			if got := Text(&mcpgroup.Result{CallToolResult: &r}); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
	if got := Text(nil); got != "[no content]" {
		t.Errorf("Text(nil) = %q", got)
	}
}

func TestLongTextKeepsHeadAndTail(t *testing.T) {
	s := "head:" + strings.Repeat("x", 10_000) + ":tail"
	got := middleOut(s, 100)
	if len(got) > 100 || !strings.HasPrefix(got, "head:") || !strings.HasSuffix(got, ":tail") || !strings.Contains(got, " bytes left out ...]") {
		t.Errorf("got %q", got)
	}
	if got := middleOut(s, -1); got != s {
		t.Error("a negative limit must not cut")
	}
}

func FuzzMiddleOutKeepsTheLimitAndWholeRunes(f *testing.F) {
	f.Add("hello", 3)
	f.Add(strings.Repeat("ä€😀", 200), 101)
	f.Add(strings.Repeat("😀", 30), 50)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 0 || limit > 1<<16 {
			return
		}
		for _, cut := range []func(string, int) string{middleOut, headOnly} {
			got := cut(s, limit)
			if len(got) > limit && got != s || len(s) <= limit && got != s {
				t.Errorf("%d bytes cut to %d: %q", len(s), limit, got)
			}
			if utf8.ValidString(s) && !utf8.ValidString(got) {
				t.Errorf("a rune was cut: %q", got)
			}
		}
	})
}
