package mcphttp

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

func TestParseTellsMessagesApart(t *testing.T) {
	for _, tt := range []struct {
		text string
		want kind
	}{
		{`{"jsonrpc":"2.0","id":1,"result":{}}`, result},
		{` {"jsonrpc" : "2.0" , "id" : "a", "result" : [1, -2.5e+3, true, false, null, "é\u00e9\n"] } `, result},
		{`{"jsonrpc":"2.0","id":1,"result":{},"error":null}`, result},
		{`{"jsonrpc":"2.0","id":1}`, result}, // so says the SDK
		{`{"\u006asonrpc":"2\u002e0","id":1,"result":{}}`, result},
		{`{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"m","data":{}}}`, failure},
		{`{"jsonrpc":"2.0","id":1,"method":"m"}`, request},
		{`{"jsonrpc":"2.0","method":"m","params":{"id":3}}`, notification},
		{`{"jsonrpc":"2.0","id":null,"method":"m"}`, notification},
		{``, invalid},
		{`null`, invalid},
		{`[]`, invalid},
		{`{`, invalid},
		{`{}`, invalid},
		{`{"jsonrpc":"2.0"}`, invalid},
		{`{"id":1,"result":{}}`, invalid},
		{`{"jsonrpc":"1.0","id":1,"result":{}}`, invalid},
		{`{"jsonrpc":2.0,"id":1,"result":{}}`, invalid},
		{`{"JSONRPC":"2.0","id":1,"result":{}}`, invalid},
		{`{"jsonrpc":"2.0","id":null,"result":{}}`, invalid},
		{`{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}`, invalid},
		{`{"jsonrpc":"2.0","id":{},"result":{}}`, invalid},
		{`{"jsonrpc":"2.0","id":[1],"result":{}}`, invalid},
		{`{"jsonrpc":"2.0","id":true,"result":{}}`, invalid},
		{`{"jsonrpc":"2.0","id":1e999,"result":{}}`, invalid},
		{`{"jsonrpc":"2.0","id":1,"error":"no"}`, invalid},
		{`{"jsonrpc":"2.0","id":1,"error":{"code":"x","message":"m"}}`, invalid},
		{`{"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":"m"}}`, invalid},
		{`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":[]}}`, invalid},
		{`{"jsonrpc":"2.0","id":1,"method":7}`, invalid},
		{`{"jsonrpc":"2.0","id":1,"result":{}}x`, invalid},
		{`{"jsonrpc":"2.0","id":1,"result":{},}`, invalid},
		{`{"jsonrpc":"2.0","id":1,"result":01}`, invalid},
		{`{"jsonrpc":"2.0","id":1,"result":"\x"}`, invalid},
		{`{"jsonrpc":"2.0","id":1,"result":` + strings.Repeat("[", 999) + strings.Repeat("]", 999) + `}`, result},
		{`{"jsonrpc":"2.0","id":1,"result":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, invalid},
		{`{"jsonrpc":"2.0","id":1,"result":` + strings.Repeat("[", 1_000_000), invalid},
	} {
		if got := parse([]byte(tt.text)).kind; got != tt.want {
			t.Errorf("parse(%.80s) = %v, want %v", tt.text, got, tt.want)
		}
	}
}

func TestParsingAnAnswerAllocatesNothing(t *testing.T) {
	text := []byte(`{"jsonrpc":"2.0","id":12,"result":{"content":[{"type":"text","text":"a \"quoted\" text"}]}}`)
	if n := testing.AllocsPerRun(100, func() { parse(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The oracles are the SDK's decoder, which ends a session over what it cannot read, and encoding/json.
func FuzzParseIsNoLaxerThanTheSDK(f *testing.F) {
	for _, s := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"a":[1,2.5e3,"x\u0041"]}}`, `{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"m"}}`,
		`{"jsonrpc":"2.0","method":"m","params":null}`, `{"jsonrpc":"2.0","id":-0.1e-7,"method":null}`, `{"a":{"b":[]}}`, `[{}]`, "{\"\\ud800\":1}", "\xff",
		`{"jsonrpc":"2.0","id":1,"error":{"code":null,"message":null}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := parse(b)
		s := scanner{text: b}
		s.space()
		ok := s.value()
		s.space()
		if ok = ok && s.at == len(b); ok && !json.Valid(b) {
			t.Errorf("%q is taken for JSON", b)
		} else if !ok && json.Valid(b) && strings.Count(string(b), "[")+strings.Count(string(b), "{") < maxDepth {
			t.Errorf("%q is not taken for JSON", b)
		}
		if m.kind == invalid {
			return
		}
		msg, err := jsonrpc.DecodeMessage(b)
		if err != nil {
			t.Fatalf("%q is %v here, and to the SDK: %v", b, m.kind, err)
		}
		got := result
		switch msg := msg.(type) {
		case *jsonrpc.Request:
			got = notification
			if msg.IsCall() {
				got = request
			}
		case *jsonrpc.Response:
			if msg.Error != nil {
				got = failure
			}
		}
		if got != m.kind {
			t.Errorf("%q is %v here and %v to the SDK", b, m.kind, got)
		}
	})
}
