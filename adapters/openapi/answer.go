package openapi

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// answer makes a result of a successful response.
func (e *endpoint) answer(res *http.Response, data []byte, secrets redactor) *mcp.CallToolResult {
	if len(data) == 0 {
		return textResult(secrets.text(e.headline(res)))
	}
	contentType := mediaOf(res, data)
	base := baseMedia(contentType)
	switch {
	case isJSON(base):
		if result := e.jsonResult(secrets.text(strings.ToValidUTF8(string(data), "\uFFFD"))); result != nil {
			return result
		}
		return textResult(secrets.text(decodeText(contentType, data)))
	case isText(base): // before images, for image/svg+xml is one
		return textResult(secrets.text(decodeText(contentType, data)))
	case strings.HasPrefix(base, "image/"):
		return contentResult(&mcp.ImageContent{Data: data, MIMEType: base})
	case strings.HasPrefix(base, "audio/"):
		return contentResult(&mcp.AudioContent{Data: data, MIMEType: base})
	}
	return contentResult(&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{
		URI: display(res.Request.URL), MIMEType: base, Blob: data,
	}})
}

func textResult(s string) *mcp.CallToolResult { return contentResult(&mcp.TextContent{Text: s}) }

func contentResult(c mcp.Content) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{c}}
}

// jsonResult returns nil for what is not JSON after all. Numbers and the order of members stay as the API wrote them.
func (e *endpoint) jsonResult(s string) *mcp.CallToolResult {
	var buf bytes.Buffer
	if json.Compact(&buf, []byte(s)) != nil {
		return nil
	}
	data := buf.Bytes()
	if e.wrap || data[0] != '{' {
		data = []byte(`{"` + resultKey + `":` + string(data) + `}`)
	}
	out := textResult(string(data))
	out.StructuredContent = json.RawMessage(data)
	return out
}

// headline stands for an answer without a body: its status and, since there is nothing else, what its headers tell.
func (e *endpoint) headline(res *http.Response) string {
	names := []string{"Location"}
	if e.op.method == http.MethodHead || e.op.method == http.MethodOptions {
		names = append(names, "Allow", "Content-Type", "Content-Length", "Etag", "Last-Modified")
	}
	out := status(res)
	for _, name := range names {
		value := res.Header.Get(name)
		if name == "Location" && value != "" {
			u, err := res.Request.URL.Parse(value)
			if err != nil {
				continue
			}
			value = display(u)
		}
		if value != "" {
			out += "\n" + name + ": " + bound(value, 300)
		}
	}
	return out
}

// mediaOf is the content type of a response, or what its body looks like if it has none.
func mediaOf(res *http.Response, data []byte) string {
	if contentType := res.Header.Get("Content-Type"); contentType != "" {
		return contentType
	}
	if json.Valid(data) {
		return "application/json"
	}
	return http.DetectContentType(data)
}

// decodeText reads a text in the one charset next to UTF-8 that APIs still use.
func decodeText(contentType string, data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		switch strings.ToLower(params["charset"]) {
		case "iso-8859-1", "latin1", "windows-1252":
			runes := make([]rune, len(data))
			for i, c := range data {
				runes[i] = rune(c)
			}
			return string(runes)
		}
	}
	return strings.ToValidUTF8(string(data), "\uFFFD")
}
