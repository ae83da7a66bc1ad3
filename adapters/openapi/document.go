package openapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// A Document is a parsed OpenAPI document. It does not change and is safe for concurrent use; one document may serve many
// servers, which share the tool schemas made from it.
type Document struct {
	title, version string
	is30           bool // OpenAPI 3.0, whose schemas are not JSON Schema yet
	url            *url.URL
	servers        openapi3.Servers
	keys           map[credentialKey]bool
	tree           map[string]any // what references point into
	operations     []*operation
	skipped        []error
}

// An Operation is one method of one path.
type Operation struct {
	// Name is the name of its tool unless [Options.Names] says otherwise: the operationId, or method and path.
	Name string
	// ID is the operationId as written, or "".
	ID string
	// Method is upper case.
	Method string
	// Path is the path template as written.
	Path        string
	Summary     string
	Description string
	Tags        []string
	Deprecated  bool
}

// Title returns the title and the version that the document gives its API.
func (d *Document) Title() (title, version string) { return d.title, d.version }

// Operations returns the operations that can become tools, sorted by path, deprecated ones included.
func (d *Document) Operations() []Operation {
	out := make([]Operation, len(d.operations))
	for i, op := range d.operations {
		out[i] = op.public()
	}
	return out
}

// Skipped returns why the other operations cannot become tools, one error for each. TRACE is left out without a word: its
// answer is the request, credentials included.
func (d *Document) Skipped() []error { return slices.Clone(d.skipped) }

// Parse reads an OpenAPI 3.0 or 3.1 document in JSON or YAML. It fetches nothing: a document that refers to another one is
// refused. What is wrong with one operation leaves that one out, see [Document.Skipped].
func Parse(ctx context.Context, data []byte, opts *ParseOptions) (*Document, error) {
	o := opts.withDefaults()
	d, err := parse(ctx, data, o)
	if err != nil {
		return nil, fmt.Errorf("openapi: parsing: %w", err)
	}
	return d, nil
}

func parse(ctx context.Context, data []byte, o ParseOptions) (*Document, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	tree, data, err := decode(data, o)
	if err != nil {
		return nil, err
	}
	d := &Document{tree: tree, url: o.URL}
	version, _ := tree["openapi"].(string)
	switch {
	case strings.HasPrefix(version, "3.0."):
		d.is30 = true
	case version == "3.1" || strings.HasPrefix(version, "3.1."):
	case tree["swagger"] != nil:
		return nil, errors.New("the document is Swagger 2.0; convert it to OpenAPI 3.0 or 3.1")
	default:
		return nil, fmt.Errorf("the document says openapi: %q; only 3.0 and 3.1 are known", bound(version, 20))
	}
	model, err := load(ctx, data)
	if err != nil {
		return nil, err
	}
	d.servers = model.Servers
	if model.Info != nil {
		d.title, d.version = bound(model.Info.Title, 200), bound(model.Info.Version, 50)
	}
	d.keys = credentialKeys(model)
	if err := d.readPaths(ctx, model); err != nil {
		return nil, err
	}
	return d, nil
}

// load runs the parser proper. It gets JSON within our limits only, and can reach nothing.
func load(ctx context.Context, data []byte) (model *openapi3.T, err error) {
	defer func() {
		if p := recover(); p != nil {
			model, err = nil, fmt.Errorf("the document makes the parser fail: %v", p)
		}
	}()
	loader := openapi3.NewLoader()
	loader.Context = ctx
	loader.ReadFromURIFunc = func(_ *openapi3.Loader, ref *url.URL) ([]byte, error) {
		return nil, &foreignError{bound(display(ref), 200)}
	}
	model, err = loader.LoadFromData(data)
	if foreign := (*foreignError)(nil); errors.As(err, &foreign) {
		err = foreign // without what the loader says around it, which repeats the whole reference
	}
	return model, err
}

type foreignError struct{ url string }

func (e *foreignError) Error() string {
	return fmt.Sprintf("the document refers to another one (%s), which is never fetched; bundle both into one", e.url)
}

// display is what of a URL may be shown: no user, no query, no fragment.
func display(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// A credentialKey is a header, cookie or query parameter that carries an API key.
type credentialKey struct{ in, name string }

func credentialKeys(model *openapi3.T) map[credentialKey]bool {
	keys := map[credentialKey]bool{}
	if model.Components == nil {
		return keys
	}
	for _, ref := range model.Components.SecuritySchemes {
		if ref != nil && ref.Value != nil && ref.Value.Type == "apiKey" {
			keys[newCredentialKey(ref.Value.In, ref.Value.Name)] = true
		}
	}
	return keys
}

func newCredentialKey(in, name string) credentialKey {
	if in == openapi3.ParameterInHeader {
		name = http.CanonicalHeaderKey(name)
	}
	return credentialKey{in, name}
}

// methods are those that become tools, in the order of tools of one path.
var methods = []string{
	http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions, http.MethodHead, http.MethodPatch,
}

func (d *Document) readPaths(ctx context.Context, model *openapi3.T) error {
	if model.Paths == nil {
		return nil
	}
	items := model.Paths.Map()
	paths := make([]string, 0, len(items))
	for path := range items {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		item := items[path]
		if item == nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, method := range methods {
			source := item.GetOperation(method)
			if source == nil {
				continue
			}
			op, err := d.newOperation(path, method, item, source)
			if err != nil {
				d.skipped = append(d.skipped, fmt.Errorf("openapi: %s %s cannot become a tool: %w", method, bound(path, 200), err))
				continue
			}
			d.operations = append(d.operations, op)
		}
	}
	wanted, keys := make([]string, len(d.operations)), make([]string, len(d.operations))
	for i, op := range d.operations {
		keys[i] = op.key()
		if wanted[i] = op.id; wanted[i] == "" {
			wanted[i] = spell(strings.ToLower(op.method) + op.path)
		}
	}
	for i, name := range toolNames(wanted, keys) {
		d.operations[i].name = name
	}
	return nil
}
