package openapi

import (
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// An operation is what a tool is made of. All but the schemas is known when the document is parsed; schemas are made when
// the first server asks for them.
type operation struct {
	name, id, method, path string
	summary, description   string
	tags                   []string
	deprecated             bool

	servers  openapi3.Servers // nil: those of the document
	template template
	params   []*parameter
	body     *body // nil: it takes none
	result   *openapi3.SchemaRef
	accept   string

	doc   *Document
	cache *schemaCache
	// authorized is the operation without the parameters that carry API keys, for servers whose Authorize adds them; nil if
	// there are none.
	authorized *operation
}

// A schemaCache keeps the schemas of one operation by their limit in bytes.
type schemaCache struct {
	mu      sync.Mutex // guards byLimit
	byLimit map[int]toolSchemas
}

// A parameter is written into one of the four places of a request.
type parameter struct {
	arg         string // the name of the argument that gives its value
	name, in    string
	required    bool
	serial      serialization
	contentType string // of a parameter that has content instead of a style
	schema      *openapi3.SchemaRef
	description string
	deprecated  bool
}

func (o *operation) key() string { return o.method + " " + o.path }

func (o *operation) public() Operation {
	return Operation{
		Name: o.name, ID: o.id, Method: o.method, Path: o.path, Summary: o.summary, Description: o.description,
		Tags: slices.Clone(o.tags), Deprecated: o.deprecated,
	}
}

func (d *Document) newOperation(path, method string, item *openapi3.PathItem, source *openapi3.Operation) (*operation, error) {
	o := &operation{
		doc: d, cache: &schemaCache{}, id: source.OperationID, method: method, path: path,
		summary: source.Summary, description: source.Description, tags: source.Tags, deprecated: source.Deprecated,
	}
	if o.summary == "" {
		o.summary = item.Summary
	}
	if o.description == "" {
		o.description = item.Description
	}
	if len(item.Servers) > 0 {
		o.servers = item.Servers
	}
	if source.Servers != nil && len(*source.Servers) > 0 {
		o.servers = *source.Servers
	}
	if err := o.readParameters(item.Parameters, source.Parameters); err != nil {
		return nil, err
	}
	var err error
	if o.template, err = newTemplate(path, o.params); err != nil {
		return nil, err
	}
	o.implyPathParameters()
	if err := o.readBody(source.RequestBody); err != nil {
		return nil, err
	}
	o.readResponses(source.Responses)
	o.nameArguments()
	isKey := func(p *parameter) bool { return d.keys[newCredentialKey(p.in, p.name)] }
	if slices.ContainsFunc(o.params, isKey) {
		without := *o
		without.cache = &schemaCache{}
		without.params = slices.DeleteFunc(slices.Clone(o.params), isKey)
		o.authorized = &without
	}
	return o, nil
}

// readParameters merges those of the path with those of the operation, which replace the former.
func (o *operation) readParameters(lists ...openapi3.Parameters) error {
	index := map[credentialKey]int{}
	for _, list := range lists {
		for _, ref := range list {
			if ref == nil || ref.Value == nil {
				return fmt.Errorf("a parameter is not an object")
			}
			p, err := newParameter(ref.Value)
			if err != nil {
				return err
			}
			if p == nil {
				continue
			}
			key := newCredentialKey(p.in, p.name)
			if i, ok := index[key]; ok {
				o.params[i] = p
				continue
			}
			index[key] = len(o.params)
			o.params = append(o.params, p)
		}
	}
	return nil
}

// newParameter returns nil for what no caller may set.
func newParameter(source *openapi3.Parameter) (*parameter, error) {
	p := &parameter{
		name: source.Name, in: source.In, required: source.Required, schema: source.Schema,
		description: source.Description, deprecated: source.Deprecated,
	}
	if p.name == "" {
		return nil, fmt.Errorf("a parameter has no name")
	}
	if p.in == openapi3.ParameterInHeader {
		if forbiddenHeader(p.name) {
			return nil, nil
		}
		if !validToken(p.name) {
			return nil, fmt.Errorf("the name of header parameter %q is not one of HTTP", bound(p.name, 100))
		}
	}
	if len(source.Content) > 0 {
		kinds := make([]string, 0, len(source.Content))
		for kind := range source.Content {
			kinds = append(kinds, kind)
		}
		p.contentType = slices.Min(kinds)
		if media := source.Content[p.contentType]; media != nil {
			p.schema = media.Schema
		}
	}
	p.serial = serialization{name: p.name, style: source.Style, allowReserved: source.AllowReserved && p.in == openapi3.ParameterInQuery,
		allowEmpty: source.AllowEmptyValue && p.in == openapi3.ParameterInQuery}
	if p.serial.style == "" {
		p.serial.style = defaultStyle[p.in]
	}
	p.serial.explode = p.serial.style == "form"
	if source.Explode != nil {
		p.serial.explode = *source.Explode
	}
	if !slices.Contains(stylesOf[p.in], p.serial.style) {
		return nil, fmt.Errorf("parameter %q is in %q with style %q, which OpenAPI does not know", bound(p.name, 100), bound(p.in, 20), bound(p.serial.style, 20))
	}
	return p, nil
}

var defaultStyle = map[string]string{"path": "simple", "query": "form", "header": "simple", "cookie": "form"}

var stylesOf = map[string][]string{
	"path":   {"simple", "label", "matrix"},
	"query":  {"form", "spaceDelimited", "pipeDelimited", "deepObject"},
	"header": {"simple"},
	"cookie": {"form"},
}

// implyPathParameters adds what the template names and nobody declared, as texts, and drops what it does not name.
func (o *operation) implyPathParameters() {
	o.params = slices.DeleteFunc(o.params, func(p *parameter) bool { return p.in == "path" && !o.template.has(p.name) })
	for i, piece := range o.template {
		if piece.name == "" || piece.param != nil {
			continue
		}
		p := &parameter{name: piece.name, in: "path", serial: serialization{name: piece.name, style: "simple"},
			schema: openapi3.NewStringSchema().NewRef()}
		for j := range o.template[i:] {
			if o.template[i+j].name == piece.name {
				o.template[i+j].param = p
			}
		}
		o.params = append(o.params, p)
	}
	for _, p := range o.params {
		if p.in == "path" {
			p.required = true
		}
	}
}

// nameArguments gives each parameter the name that the model uses. Names are spelled as providers of models want them;
// those that occur in two places, or that the body needs, get their place as a suffix.
func (o *operation) nameArguments() {
	count := map[string]int{}
	if o.body != nil {
		count[bodyArg]++
	}
	for _, p := range o.params {
		p.arg = argName(p.name)
		count[p.arg]++
	}
	taken := map[string]bool{bodyArg: o.body != nil}
	for _, p := range o.params {
		if count[p.arg] == 1 {
			taken[p.arg] = true
		}
	}
	for _, p := range o.params {
		if count[p.arg] == 1 {
			continue
		}
		name := bound(p.arg, maxName-len(p.in)-4) + "_" + p.in
		p.arg = name
		for n := 2; taken[p.arg]; n++ {
			p.arg = name + strconv.Itoa(n)
		}
		taken[p.arg] = true
	}
}

// bodyArg is the argument that holds the request body.
const bodyArg = "body"

// argName spells a parameter's name in [A-Za-z0-9_.-]: "filter[status]" becomes "filter_status".
func argName(name string) string {
	parts := strings.Split(name, ".")
	for i := range parts {
		parts[i] = spell(parts[i])
	}
	s := strings.Join(parts, ".")
	if strings.Trim(s, "._-") == "" {
		s = "value"
	}
	if len(s) > maxName {
		s = s[:maxName]
	}
	return s
}

// readResponses keeps the schema of the first successful answer in JSON, and what to ask for.
func (o *operation) readResponses(responses *openapi3.Responses) {
	var accept []string
	for _, code := range successCodes(responses) {
		ref := responses.Value(code)
		if ref == nil || ref.Value == nil {
			continue
		}
		kinds := make([]string, 0, len(ref.Value.Content))
		for kind := range ref.Value.Content {
			kinds = append(kinds, kind)
		}
		slices.Sort(kinds)
		slices.SortStableFunc(kinds, func(a, b string) int { return rankMedia(a) - rankMedia(b) })
		for _, kind := range kinds {
			if base, _, err := mime.ParseMediaType(kind); err != nil || strings.Contains(base, "*") {
				continue
			}
			if len(accept) < 4 && !slices.Contains(accept, kind) {
				accept = append(accept, kind)
			}
			if media := ref.Value.Content[kind]; o.result == nil && isJSON(kind) && media != nil && o.method != http.MethodHead {
				o.result = media.Schema
			}
		}
	}
	if len(accept) == 0 {
		accept = []string{"application/json"}
	}
	o.accept = strings.Join(append(accept, "*/*;q=0.1"), ", ")
}

// successCodes returns the codes that stand for success, single ones before the range.
func successCodes(responses *openapi3.Responses) []string {
	var codes []string
	for code := range responses.Map() {
		if len(code) == 3 && code[0] == '2' {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes) // "2XX" after the digits
	return codes
}
