package openapi

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// A field of a multipart form that holds a file, or several.
type field struct{ list bool }

// fileFields returns the properties that hold files.
func fileFields(schema *openapi3.SchemaRef, is30 bool) map[string]field {
	fields := map[string]field{}
	for name, ref := range formProperties(schema) {
		if f, ok := fileField(ref, is30, newBudget()); ok {
			fields[name] = f
		}
	}
	return fields
}

// formProperties returns the properties of an object, those of its allOf included.
func formProperties(schema *openapi3.SchemaRef) openapi3.Schemas {
	out := openapi3.Schemas{}
	left := newBudget()
	var collect func(ref *openapi3.SchemaRef)
	collect = func(ref *openapi3.SchemaRef) {
		if ref == nil || ref.Value == nil || !left.spend() {
			return
		}
		for _, part := range ref.Value.AllOf {
			collect(part)
		}
		for name, p := range ref.Value.Properties {
			out[name] = p
		}
	}
	collect(schema)
	return out
}

// fileField tells files by the rules of both versions: format binary is that of 3.0 (and of many documents that say 3.1);
// in 3.1 it is the content's media type, or having no type at all ("Considerations for File Uploads").
func fileField(ref *openapi3.SchemaRef, is30 bool, left *budget) (field, bool) {
	if ref == nil || ref.Value == nil || !left.spend() {
		return field{}, false
	}
	s := ref.Value
	for _, parts := range []openapi3.SchemaRefs{s.AnyOf, s.OneOf, s.AllOf} { // "a file or null", as generators write it
		for _, part := range parts {
			if f, ok := fileField(part, true, left); ok {
				return f, true
			}
		}
	}
	switch {
	case s.Type.Includes("array"):
		if f, ok := fileField(s.Items, is30, left); ok && !f.list {
			return field{list: true}, true
		}
	case s.Type.Includes("string"):
		media := s.ContentMediaType != "" && s.ContentEncoding == "" && !isText(s.ContentMediaType)
		return field{}, s.Format == "binary" || media
	case s.Type == nil || len(*s.Type) == 0:
		bare := len(s.Properties)+len(s.AnyOf)+len(s.OneOf)+len(s.AllOf)+len(s.Enum) == 0 && s.Const == nil && s.Items == nil &&
			s.ContentEncoding == "" && s.Not == nil && (s.Always == nil || *s.Always)
		return field{}, bare && (!is30 || s.Format == "binary")
	}
	return field{}, false
}

// A file is the content of a part or of a whole body.
type file struct {
	name, contentType string
	data              []byte
}

// newFile reads {"text": ...} or {"base64": ...}. A plain text is one too: models forget the object.
func newFile(v any) (file, error) {
	if s, ok := v.(string); ok {
		return file{data: []byte(s)}, nil
	}
	o, ok := v.(object)
	if !ok {
		return file{}, errors.New(`a file is an object with "text" or "base64"`)
	}
	var f file
	var content int
	for _, m := range o {
		if m.value == nil {
			continue
		}
		s, ok := m.value.(string)
		if !ok {
			return file{}, fmt.Errorf("%q of a file must be a text", bound(m.key, 50))
		}
		switch m.key {
		case "text":
			f.data = []byte(s)
			content++
		case "base64":
			data, err := decodeBase64(s)
			if err != nil {
				return file{}, errors.New(`"base64" of a file is not base64`)
			}
			f.data = data
			content++
		case "filename":
			f.name = s
		case "contentType":
			f.contentType = s
		default:
			return file{}, fmt.Errorf(`a file has no %q; it has "text" or "base64", and perhaps "filename" and "contentType"`, bound(m.key, 50))
		}
	}
	if content != 1 {
		return file{}, errors.New(`a file needs either "text" or "base64"`)
	}
	return f, nil
}

// decodeBase64 takes both alphabets, with and without padding, and line breaks.
func decodeBase64(s string) ([]byte, error) {
	s = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n', '=':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, s)
	return base64.RawStdEncoding.DecodeString(s)
}

// media returns the content type to send where the document allows a comma-separated list, or anything if it is empty.
func (f file) media(allowed string) (string, error) {
	var concrete string
	for a := range strings.SplitSeq(allowed, ",") {
		a = strings.TrimSpace(a)
		if f.contentType != "" && a != "" && mediaMatches(f.contentType, a) {
			concrete = f.contentType
			break
		}
		if concrete == "" && a != "" && !strings.Contains(a, "*") {
			concrete = a
		}
	}
	if allowed == "" {
		concrete = f.contentType
	}
	if concrete == "" {
		concrete = "application/octet-stream"
	}
	base, params, err := mime.ParseMediaType(concrete)
	if err != nil {
		return "", fmt.Errorf("%q is not a content type", bound(concrete, 100))
	}
	if out := mime.FormatMediaType(base, params); out != "" {
		return out, nil
	}
	return "", fmt.Errorf("%q is not a content type", bound(concrete, 100))
}

// multipart writes multipart/form-data (RFC 7578).
func (b *body) multipart(o object) ([]byte, string, error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for _, m := range o {
		if err := b.part(w, m.key, m.value); err != nil {
			return nil, "", fmt.Errorf("field %q: %w", bound(m.key, 100), err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return buf.Bytes(), w.FormDataContentType(), nil
}

func (b *body) part(w *multipart.Writer, name string, v any) error {
	if v == nil {
		return nil
	}
	var allowed string
	if e := b.encodings[name]; e != nil {
		allowed = e.ContentType
	}
	if f, ok := b.fields[name]; ok {
		list, isList := v.([]any)
		if !f.list || !isList {
			list = []any{v}
		}
		for _, x := range list {
			file, err := newFile(x)
			if err != nil {
				return err
			}
			contentType, err := file.media(allowed)
			if err != nil {
				return err
			}
			if file.name == "" {
				file.name = name // without one, servers take the part for a text
			}
			if err := writePart(w, multipart.FileContentDisposition(name, file.name), contentType, file.data); err != nil {
				return err
			}
		}
		return nil
	}
	if s, ok := b.styled(name); ok {
		pairs, err := s.pairs(v, partCoder)
		if err != nil {
			return err
		}
		for _, p := range pairs {
			if err := writePart(w, disposition(p.name), "", []byte(p.value)); err != nil {
				return err
			}
		}
		return nil
	}
	// The first concrete type is the one; without any, objects are JSON and the rest is text, which needs no header.
	contentType := ""
	for a := range strings.SplitSeq(allowed, ",") {
		if a = strings.TrimSpace(a); a != "" && !strings.Contains(a, "*") {
			contentType = a
			break
		}
	}
	values := b.values(name, v)
	for i, s := range values {
		kind := contentType
		if kind == "" && !isPrimitive(itemOf(v, i)) {
			kind = "application/json"
		}
		if err := writePart(w, disposition(name), kind, []byte(s)); err != nil {
			return err
		}
	}
	return nil
}

// itemOf returns what values made its i-th text of.
func itemOf(v any, i int) any {
	if list, ok := present(v).([]any); ok {
		return list[i]
	}
	return v
}

func writePart(w *multipart.Writer, disposition, contentType string, data []byte) error {
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", disposition)
	if contentType != "" {
		if strings.ContainsAny(contentType, "\r\n") {
			return errors.New("its content type has a line break")
		}
		h.Set("Content-Type", contentType)
	}
	part, err := w.CreatePart(h)
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	return err
}

// quoter escapes as package mime/multipart does for the names of files.
var quoter = strings.NewReplacer("\\", "\\\\", `"`, "\\\"", "\r", "%0D", "\n", "%0A")

func disposition(name string) string { return `form-data; name="` + quoter.Replace(name) + `"` }
