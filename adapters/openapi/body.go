package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// A body says how the argument "body" is written.
type body struct {
	required    bool
	contentType string
	kind        bodyKind
	schema      *openapi3.SchemaRef
	description string
	encodings   openapi3.Encodings
	fields      map[string]field // of a multipart form: those that hold files
}

type bodyKind int

const (
	jsonBody bodyKind = iota
	formBody
	multipartBody
	textBody
	bytesBody
)

func kindOf(contentType string) bodyKind {
	switch base := baseMedia(contentType); {
	case isJSON(base) || base == "*/*" || base == "application/*":
		return jsonBody
	case base == formMedia:
		return formBody
	case base == multipartMedia:
		return multipartBody
	case isText(base):
		return textBody
	}
	return bytesBody
}

// readBody picks the media type that a model writes best. A GET's body has a meaning from 3.1 on only, a HEAD's never; that
// of a DELETE is kept although 3.0 ignores it, because APIs do not.
func (o *operation) readBody(ref *openapi3.RequestBodyRef) error {
	if ref == nil || ref.Value == nil || o.method == "HEAD" || o.method == "GET" && o.doc.is30 {
		return nil
	}
	kinds := make([]string, 0, len(ref.Value.Content))
	for kind := range ref.Value.Content {
		kinds = append(kinds, kind)
	}
	if len(kinds) == 0 {
		return nil
	}
	slices.Sort(kinds)
	slices.SortStableFunc(kinds, func(a, b string) int { return rankMedia(a) - rankMedia(b) })
	pick := func(kind string) *body {
		b := &body{required: ref.Value.Required, contentType: kind, kind: kindOf(kind), description: ref.Value.Description}
		if media := ref.Value.Content[kind]; media != nil {
			b.schema, b.encodings = media.Schema, media.Encoding
		}
		if b.kind == multipartBody {
			b.fields = fileFields(b.schema, o.doc.is30)
		}
		return b
	}
	o.body = pick(kinds[0])
	if o.body.kind == formBody {
		// A plain form has no place for files: take the multipart one if it has.
		for _, kind := range kinds {
			if b := pick(kind); b.kind == multipartBody && len(b.fields) > 0 {
				o.body = b
			}
		}
	}
	if strings.Contains(o.body.contentType, "*") && o.body.kind == jsonBody {
		o.body.contentType = "application/json"
	}
	return nil
}

// encode returns the body and its content type.
func (b *body) encode(raw json.RawMessage) ([]byte, string, error) {
	if b.kind == jsonBody {
		var buf bytes.Buffer
		if err := json.Compact(&buf, raw); err != nil {
			return nil, "", err
		}
		return buf.Bytes(), b.contentType, nil
	}
	v, err := decodeValue(raw)
	if err != nil {
		return nil, "", err
	}
	switch b.kind {
	case textBody:
		contentType := b.contentType
		if strings.HasPrefix(contentType, "text/") && !strings.Contains(contentType, ";") {
			contentType += "; charset=utf-8"
		}
		return []byte(text(v)), contentType, nil
	case bytesBody:
		f, err := newFile(v)
		if err != nil {
			return nil, "", err
		}
		contentType, err := f.media(b.contentType)
		return f.data, contentType, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, "", errors.New("it must be an object, a form's fields by name")
	}
	if b.kind == formBody {
		data, err := b.form(o)
		return data, b.contentType, err
	}
	return b.multipart(o)
}

// form writes application/x-www-form-urlencoded. A field with a style in its Encoding Object is written like a query
// parameter; any other one by its content type, where objects are JSON and the items of an array share its name
// (OpenAPI 3.1.2, "Encoding the x-www-form-urlencoded Media Type").
func (b *body) form(o object) ([]byte, error) {
	var pairs []pair
	for _, m := range o {
		if s, ok := b.styled(m.key); ok {
			more, err := s.pairs(m.value, s.coder())
			if err != nil {
				return nil, fmt.Errorf("field %q: %w", bound(m.key, 100), err)
			}
			pairs = append(pairs, more...)
			continue
		}
		for _, s := range b.values(m.key, m.value) {
			pairs = append(pairs, pair{escapeForm(m.key), escapeForm(s)})
		}
	}
	return []byte(joinPairs(pairs, "&")), nil
}

// styled returns the serialization of a field whose Encoding Object asks for one.
func (b *body) styled(name string) (serialization, bool) {
	e := b.encodings[name]
	if e == nil || e.Style == "" && e.Explode == nil && !e.AllowReserved {
		return serialization{}, false
	}
	s := serialization{name: name, style: e.Style, allowReserved: e.AllowReserved}
	if s.style == "" {
		s.style = "form"
	}
	s.explode = s.style == "form"
	if e.Explode != nil {
		s.explode = *e.Explode
	}
	return s, true
}

// values are the texts of one field: one for each item of an array.
func (b *body) values(name string, v any) []string {
	v = present(v)
	write := text
	if e := b.encodings[name]; e != nil && isJSON(e.ContentType) {
		write = asJSON
	}
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		out := make([]string, len(v))
		for i, x := range v {
			out[i] = write(x)
		}
		return out
	}
	return []string{write(v)}
}
