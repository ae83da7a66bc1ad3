package mcptest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// RawCall is what a tool sees of a tools/call request.
type RawCall struct {
	Args      json.RawMessage
	Meta      map[string]json.RawMessage
	Header    http.Header
	SessionID string
}

// RawTool is a tool of a [Raw] server.
type RawTool struct {
	// Def is the entry in tools/list, sent as it is; it needs a "name".
	Def map[string]any
	// JSON is sent instead of Def if it is set, for definitions that a map cannot express: key order, big integers, blanks.
	JSON json.RawMessage
	// Run answers a call with a tools/call result or a JSON-RPC error. It must return soon after ctx, which ends when the
	// client goes away. nil answers with the arguments as text. Run is called concurrently.
	Run func(ctx context.Context, c RawCall) (result map[string]any, rpcErr *RawError)
}

// listedTool is a RawTool that was looked at once.
type listedTool struct {
	name string
	def  json.RawMessage
	run  func(context.Context, RawCall) (map[string]any, *RawError)
}

func listTools(tools []RawTool) []listedTool {
	listed := make([]listedTool, 0, len(tools))
	for _, tool := range tools {
		l := listedTool{def: tool.JSON, run: tool.Run}
		if l.def == nil {
			l.def = encode(tool.Def)
		}
		var entry struct {
			Name *string `json:"name"`
		}
		if err := json.Unmarshal(l.def, &entry); err != nil || entry.Name == nil {
			panic(fmt.Sprintf("mcptest: a tool definition needs a \"name\" (%v): %.200s", err, l.def))
		}
		l.name = *entry.Name
		if l.run == nil {
			l.run = func(_ context.Context, c RawCall) (map[string]any, *RawError) { return Text(string(c.Args)), nil }
		}
		listed = append(listed, l)
	}
	return listed
}

// Text is a tools/call result of one text.
func Text(text string) map[string]any { return content(map[string]any{"type": "text", "text": text}) }

func content(blocks ...any) map[string]any { return map[string]any{"content": blocks} }

// prop is a property of an input schema.
func prop(kind, description string) map[string]any {
	return map[string]any{"type": kind, "description": description}
}

// define builds a tools/list entry with an object schema.
func define(name, description string, props map[string]any, required ...string) map[string]any {
	schema := map[string]any{"type": "object", "properties": props}
	if len(required) > 0 {
		schema["required"] = required
	}
	return map[string]any{"name": name, "description": description, "inputSchema": schema}
}

// pixel is a PNG image of one transparent pixel, and silence a WAV file without samples, in base64.
var (
	pixel   = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
	silence = base64.StdEncoding.EncodeToString([]byte("RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00" +
		"\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00"))
)

// BasicTools returns the ready-made tools:
//
//   - echo{text} returns its text, readonly_echo the same with readOnlyHint.
//   - whoami returns {"authorization","user","session"}: the Authorization, X-User and Mcp-Session-Id headers it saw.
//   - inc{key, delayMs} is a side effect: it stands in the journal under its key, then takes delayMs. readonly_inc does the
//     same under the annotations readOnlyHint and idempotentHint, idempotent_inc under idempotentHint alone.
//   - sleep{ms} waits, fail{text} returns a result with isError, badparams a JSON-RPC error -32602.
//   - image, audio, resource_link, resource and structured return that kind of content; mixed returns several.
func BasicTools() []RawTool {
	text := map[string]any{"text": prop("string", "The text to return")}
	inc := map[string]any{
		"key":     prop("string", "What the execution is journaled under"),
		"delayMs": prop("integer", "How long the call takes after the side effect, in milliseconds"),
	}
	return []RawTool{
		{Def: define("echo", "Returns its text", text, "text"), Run: echo},
		{Def: annotate(define("readonly_echo", "Returns its text", text, "text"), "readOnlyHint"), Run: echo},
		{Def: define("whoami", "Returns the credentials that arrived", map[string]any{}), Run: whoami},
		{Def: define("inc", "Increments the counter of a key", inc, "key"), Run: increment},
		{Def: annotate(define("readonly_inc", "Claims to be read-only", inc, "key"), "readOnlyHint", "idempotentHint"), Run: increment},
		{Def: annotate(define("idempotent_inc", "Claims to be idempotent", inc, "key"), "idempotentHint"), Run: increment},
		{Def: define("sleep", "Waits", map[string]any{"ms": prop("integer", "Milliseconds")}, "ms"), Run: sleep},
		{Def: define("fail", "Fails as a tool does", text), Run: failing},
		{Def: define("badparams", "Fails as a bad request does", map[string]any{}), Run: badParams},
		{Def: define("image", "Returns an image", map[string]any{}), Run: returning(content(imageBlock))},
		{Def: define("audio", "Returns a sound", map[string]any{}), Run: returning(content(audioBlock))},
		{Def: define("resource_link", "Returns a link", map[string]any{}), Run: returning(content(linkBlock))},
		{Def: define("resource", "Returns an embedded resource", map[string]any{}), Run: returning(content(resourceBlock))},
		{Def: define("mixed", "Returns several kinds of content", map[string]any{}),
			Run: returning(content(map[string]any{"type": "text", "text": "mixed"}, imageBlock, linkBlock))},
		{Def: structuredDef(), Run: returning(structuredResult())},
	}
}

var (
	imageBlock    = map[string]any{"type": "image", "mimeType": "image/png", "data": pixel}
	audioBlock    = map[string]any{"type": "audio", "mimeType": "audio/wav", "data": silence}
	linkBlock     = map[string]any{"type": "resource_link", "uri": "file:///notes.txt", "name": "notes.txt", "mimeType": "text/plain"}
	resourceBlock = map[string]any{"type": "resource", "resource": map[string]any{
		"uri": "file:///notes.txt", "mimeType": "text/plain", "text": "notes"}}
)

// annotate sets hints to true; the others stay unset, so that their defaults hold.
func annotate(def map[string]any, hints ...string) map[string]any {
	annotations := map[string]any{}
	for _, hint := range hints {
		annotations[hint] = true
	}
	def["annotations"] = annotations
	return def
}

func structuredDef() map[string]any {
	def := define("structured", "Returns structured content", map[string]any{})
	def["outputSchema"] = map[string]any{"type": "object", "required": []string{"answer"},
		"properties": map[string]any{"answer": map[string]any{"type": "integer"}}}
	return def
}

func structuredResult() map[string]any {
	result := Text(`{"answer":42}`)
	result["structuredContent"] = map[string]any{"answer": 42}
	return result
}

// returning always answers the same.
func returning(result map[string]any) func(context.Context, RawCall) (map[string]any, *RawError) {
	return func(context.Context, RawCall) (map[string]any, *RawError) { return result, nil }
}

// arguments decodes the call's arguments into v; what does not fit is the client's fault.
func arguments(c RawCall, v any) *RawError {
	if len(bytes.TrimSpace(c.Args)) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.Args, v); err != nil {
		return &RawError{Code: codeInvalidParams, Message: "Invalid arguments: " + err.Error()}
	}
	return nil
}

func echo(_ context.Context, c RawCall) (map[string]any, *RawError) {
	var args struct{ Text string }
	err := arguments(c, &args)
	return Text(args.Text), err
}

func whoami(_ context.Context, c RawCall) (map[string]any, *RawError) {
	return Text(string(encode(map[string]string{
		"authorization": c.Header.Get("Authorization"), "user": c.Header.Get("X-User"), "session": c.SessionID,
	}))), nil
}

func increment(ctx context.Context, c RawCall) (map[string]any, *RawError) {
	var args struct {
		Key     string
		DelayMs int
	}
	if err := arguments(c, &args); err != nil {
		return nil, err
	}
	pause(ctx, time.Duration(args.DelayMs)*time.Millisecond)
	return Text("incremented " + args.Key), nil
}

func sleep(ctx context.Context, c RawCall) (map[string]any, *RawError) {
	var args struct{ Ms int }
	if err := arguments(c, &args); err != nil {
		return nil, err
	}
	pause(ctx, time.Duration(args.Ms)*time.Millisecond)
	return Text(fmt.Sprintf("slept %d ms", args.Ms)), nil
}

func failing(_ context.Context, c RawCall) (map[string]any, *RawError) {
	args := struct{ Text string }{"the tool failed"}
	err := arguments(c, &args)
	result := Text(args.Text)
	result["isError"] = true
	return result, err
}

func badParams(context.Context, RawCall) (map[string]any, *RawError) {
	return nil, &RawError{Code: codeInvalidParams, Message: "Invalid params: repo must be owner/name", Data: map[string]any{"field": "repo"}}
}
