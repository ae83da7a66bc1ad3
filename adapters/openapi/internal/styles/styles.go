// Package styles holds the style table of the OpenAPI Specification and what is needed to check an encoder against it: a
// document with one operation per row, a back end that says what it got, and a decoder that knows nothing of the encoder.
package styles

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A Case is one cell of the table: a parameter named color, a value, and how it stands in the request.
type Case struct {
	In, Style string
	Explode   bool
	Kind      string // "primitive", "array" or "object"
	Value     string // JSON
	// Want is the part of the request that holds the parameter, byte by byte: a path segment, the query, the value of the
	// header, or the value of the Cookie header.
	Want string
	// Beyond marks what the table calls n/a, with what this encoder promises for it.
	Beyond bool
}

const (
	Primitive = `"blue"`
	Array     = `["blue","black","brown"]`
	Object    = `{"R":100,"G":200,"B":150}`
)

// Table returns the section "Style Examples" of OpenAPI 3.1.2, for every place that a style may be used in. Cookies are
// separated as appendix D says, because the ampersand of the table has no meaning there.
func Table() []Case {
	var out []Case
	row := func(in, style string, explode bool, primitive, array, object string) {
		for _, c := range []Case{
			{Kind: "primitive", Value: Primitive, Want: primitive},
			{Kind: "array", Value: Array, Want: array},
			{Kind: "object", Value: Object, Want: object},
		} {
			if c.Want != "" {
				c.In, c.Style, c.Explode = in, style, explode
				out = append(out, c)
			}
		}
	}
	row("path", "matrix", false, ";color=blue", ";color=blue,black,brown", ";color=R,100,G,200,B,150")
	row("path", "matrix", true, ";color=blue", ";color=blue;color=black;color=brown", ";R=100;G=200;B=150")
	row("path", "label", false, ".blue", ".blue,black,brown", ".R,100,G,200,B,150")
	row("path", "label", true, ".blue", ".blue.black.brown", ".R=100.G=200.B=150")
	row("path", "simple", false, "blue", "blue,black,brown", "R,100,G,200,B,150")
	row("path", "simple", true, "blue", "blue,black,brown", "R=100,G=200,B=150")
	row("header", "simple", false, "blue", "blue,black,brown", "R,100,G,200,B,150")
	row("header", "simple", true, "blue", "blue,black,brown", "R=100,G=200,B=150")
	row("query", "form", false, "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150")
	row("query", "form", true, "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150")
	row("cookie", "form", false, "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150")
	row("cookie", "form", true, "color=blue", "color=blue; color=black; color=brown", "R=100; G=200; B=150")
	row("query", "spaceDelimited", false, "", "color=blue%20black%20brown", "color=R%20100%20G%20200%20B%20150")
	row("query", "pipeDelimited", false, "", "color=blue%7Cblack%7Cbrown", "color=R%7C100%7CG%7C200%7CB%7C150")
	row("query", "deepObject", true, "", "", "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150")
	defined := len(out)
	row("query", "spaceDelimited", true, "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150")
	row("query", "pipeDelimited", true, "color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150")
	row("query", "spaceDelimited", false, "color=blue", "", "")
	row("query", "pipeDelimited", false, "color=blue", "", "")
	row("query", "deepObject", true, "color=blue", "color=blue&color=black&color=brown", "")
	row("query", "deepObject", false, "color=blue", "color=blue&color=black&color=brown", "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150")
	for i := range out[defined:] {
		out[defined+i].Beyond = true
	}
	return out
}

// Tool is the name of the operation of case i in [Document].
func Tool(i int) string { return fmt.Sprintf("case%d", i) }

func (c Case) String() string {
	return fmt.Sprintf("%s in %s, explode %t, %s", c.Style, c.In, c.Explode, c.Kind)
}

// Document returns an OpenAPI 3.1 document with one operation per case.
func Document(cases []Case) []byte {
	schemas := map[string]any{
		"primitive": map[string]any{"type": "string"},
		"array":     map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
		"object":    map[string]any{"type": "object", "additionalProperties": true},
	}
	paths := map[string]any{}
	for i, c := range cases {
		path := "/" + Tool(i)
		if c.In == "path" {
			path += "/{color}"
		}
		paths[path] = map[string]any{"get": map[string]any{
			"operationId": Tool(i),
			"parameters": []any{map[string]any{
				"name": "color", "in": c.In, "style": c.Style, "explode": c.Explode, "required": true, "schema": schemas[c.Kind],
			}},
			"responses": map[string]any{"200": map[string]any{"description": "what arrived"}},
		}}
	}
	data, err := json.Marshal(map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": "styles", "version": "1"}, "paths": paths,
	})
	if err != nil {
		panic(err)
	}
	return data
}

// A Wire is what a back end sees of a request.
type Wire struct {
	Path   string `json:"path"` // the last segment, escaped
	Query  string `json:"query"`
	Header string `json:"header"`
	Cookie string `json:"cookie"`
}

// At returns the part for parameters in that place.
func (w Wire) At(in string) string {
	switch in {
	case "path":
		return w.Path
	case "query":
		return w.Query
	case "header":
		return w.Header
	}
	return w.Cookie
}

// Backend answers every request with its Wire.
var Backend = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Wire{
		Path: path[strings.LastIndexByte(path, '/')+1:], Query: query, Header: r.Header.Get("Color"), Cookie: r.Header.Get("Cookie"),
	})
})

// Decode reads what stands at c.In of a request and returns nil, a string, []string, or map[string]string. It splits before
// it unescapes, as RFC 6570 has it.
func (c Case) Decode(wire string) (any, error) {
	unescape := func(s string) string {
		if c.In == "header" {
			return s
		}
		out, err := url.PathUnescape(s)
		if err != nil {
			return "undecodable: " + s
		}
		return out
	}
	switch {
	case c.In == "header" || c.Style == "simple":
		return c.items(wire, ",", unescape)
	case c.Style == "label":
		rest, ok := strings.CutPrefix(wire, ".")
		if !ok {
			return nil, fmt.Errorf("%q has no dot in front", wire)
		}
		if c.Explode {
			return c.items(rest, ".", unescape)
		}
		return c.items(rest, ",", unescape)
	case c.Style == "matrix":
		rest, ok := strings.CutPrefix(wire, ";")
		if !ok {
			return nil, fmt.Errorf("%q has no semicolon in front", wire)
		}
		return c.named(strings.Split(rest, ";"), ",", unescape)
	case c.In == "cookie":
		return c.named(strings.Split(wire, "; "), ",", unescape)
	}
	delim := ","
	switch c.Style {
	case "spaceDelimited":
		delim = "%20"
	case "pipeDelimited":
		delim = "%7C"
	}
	if wire == "" {
		return c.named(nil, delim, unescape)
	}
	return c.named(strings.Split(wire, "&"), delim, unescape)
}

// items reads values without a name.
func (c Case) items(s, delim string, unescape func(string) string) (any, error) {
	if c.Kind == "primitive" {
		return unescape(s), nil
	}
	parts := strings.Split(s, delim)
	if c.Kind == "array" {
		out := make([]string, len(parts))
		for i, p := range parts {
			out[i] = unescape(p)
		}
		return out, nil
	}
	out := map[string]string{}
	if c.Explode {
		for _, p := range parts {
			k, v, ok := strings.Cut(p, "=")
			if !ok {
				return nil, fmt.Errorf("%q has no equals sign", p)
			}
			out[unescape(k)] = unescape(v)
		}
		return out, nil
	}
	if len(parts)%2 != 0 {
		return nil, fmt.Errorf("%q has a key without a value", s)
	}
	for i := 0; i < len(parts); i += 2 {
		out[unescape(parts[i])] = unescape(parts[i+1])
	}
	return out, nil
}

// named reads name=value pairs.
func (c Case) named(parts []string, delim string, unescape func(string) string) (any, error) {
	if c.Kind == "object" && (c.Explode || c.Style == "deepObject") {
		out := map[string]string{}
		for _, p := range parts {
			k, v, _ := strings.Cut(p, "=")
			k = unescape(k)
			if c.Style == "deepObject" {
				inner, ok := strings.CutPrefix(k, "color[")
				if !ok || !strings.HasSuffix(inner, "]") {
					return nil, fmt.Errorf("%q is not a property of color", k)
				}
				k = strings.TrimSuffix(inner, "]")
			}
			out[k] = unescape(v)
		}
		return out, nil
	}
	var values []string
	for _, p := range parts {
		k, v, _ := strings.Cut(p, "=")
		if unescape(k) != "color" {
			return nil, fmt.Errorf("%q is not color", k)
		}
		values = append(values, v)
	}
	if c.Kind == "array" && (c.Explode || c.Style == "deepObject") {
		out := make([]string, len(values))
		for i, v := range values {
			out[i] = unescape(v)
		}
		return out, nil
	}
	if len(values) != 1 {
		return nil, fmt.Errorf("color occurs %d times", len(values))
	}
	return c.items(values[0], delim, unescape)
}

// Plain turns the JSON of a value into what Decode returns for it.
func Plain(value string) any {
	var v any
	if err := json.Unmarshal([]byte(value), &v); err != nil {
		panic(err)
	}
	switch v := v.(type) {
	case []any:
		out := make([]string, len(v))
		for i, x := range v {
			out[i] = fmt.Sprint(x)
		}
		return out
	case map[string]any:
		out := map[string]string{}
		for k, x := range v {
			out[k] = fmt.Sprint(x)
		}
		return out
	}
	return fmt.Sprint(v)
}
