package schema

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A dialect is a version of JSON Schema, by the year of its release for the newer ones.
type dialect int

const (
	draft7    dialect = 7 // also draft-06, whose keywords are a subset
	draft2019 dialect = 2019
	draft2020 dialect = 2020
)

func dialectOf(uri string) (dialect, bool) {
	uri = strings.TrimSuffix(uri, "#")
	_, name, _ := strings.Cut(uri, "://")
	switch name {
	case "json-schema.org/draft-06/schema", "json-schema.org/draft-07/schema":
		return draft7, true
	case "json-schema.org/draft/2019-09/schema":
		return draft2019, true
	case "json-schema.org/draft/2020-12/schema":
		return draft2020, true
	}
	return 0, false
}

// A resource is the part of a document that shares a base URI and a set of anchors (JSON Schema 2020-12 core,
// section 4.3.5).
type resource struct {
	base     *url.URL // absolute, without a fragment
	root     *object
	dialect  dialect
	anchors  map[string]*object
	dynamic  map[string]*object // those of anchors that are a $dynamicAnchor
	dynNodes map[string]*node   // the same, compiled
}

// rootURI is the base of a document that does not name itself. Relative references resolve against it and lead nowhere.
const rootURI = "mcp-tool-schema:///root"

// index finds the resources and anchors at and below o, wherever a keyword holds a schema. It sets res on every object
// it visits and hands it to visit.
func (c *compiler) index(o *object, res *resource, visit func(*object)) error {
	if o.res != nil {
		return nil
	}
	res, err := c.identify(o, res)
	if err != nil {
		return err
	}
	o.res = res
	visit(o)
	for _, name := range holders {
		v := o.members[name]
		if v == nil {
			continue
		}
		for _, sub := range subschemas(name, v) {
			if err := c.index(sub, res, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// identify reads the keywords that name a schema: $id, $schema beside it, and anchors.
func (c *compiler) identify(o *object, outer *resource) (*resource, error) {
	res := outer
	isRoot := res == nil
	if isRoot {
		base, err := url.Parse(rootURI)
		if err != nil {
			panic(err)
		}
		res = &resource{base: base, root: o, dialect: draft2020}
		if err := res.readDialect(o); err != nil {
			return nil, err
		}
	}
	id, _ := o.members["$id"].(string)
	if _, isRef := o.members["$ref"]; isRef && res.dialect == draft7 {
		id = "" // draft-07 core, section 8.3: keywords beside $ref are ignored
	}
	id, fragment, _ := strings.Cut(id, "#")
	if fragment != "" && res.dialect == draft7 && id == "" { // draft-07 core, section 8.2.3: a location-independent id
		if err := res.anchor(fragment, o, false); err != nil {
			return nil, err
		}
	}
	if id != "" {
		ref, err := url.Parse(id)
		if err != nil {
			return nil, refuse(RuleBadRef, o.at.at("$id"), "it is not a URI reference")
		}
		base := res.base.ResolveReference(ref)
		if !isRoot {
			res = &resource{root: o, dialect: res.dialect}
			if err := res.readDialect(o); err != nil {
				return nil, err
			}
		}
		res.base = base
	}
	if isRoot || id != "" {
		key := res.base.String()
		if c.resources[key] != nil {
			return nil, refuse(RuleBadRef, o.at.at("$id"), "two subschemas have the same $id")
		}
		c.resources[key] = res
		c.resourceList = append(c.resourceList, res)
	}
	if res.dialect >= draft2019 {
		for _, keyword := range []string{"$anchor", "$dynamicAnchor"} {
			name, ok := o.members[keyword].(string)
			if !ok || keyword == "$dynamicAnchor" && res.dialect < draft2020 {
				continue
			}
			if err := res.anchor(name, o, keyword == "$dynamicAnchor"); err != nil {
				return nil, err
			}
		}
	}
	return res, nil
}

func (r *resource) readDialect(o *object) error {
	v, ok := o.members["$schema"]
	if !ok || v == nil {
		return nil
	}
	uri, _ := v.(string)
	d, ok := dialectOf(uri)
	if !ok {
		return refuse(RuleDialect, o.at.at("$schema"), "use draft-06, draft-07, 2019-09 or 2020-12, or leave $schema out")
	}
	r.dialect = d
	return nil
}

func (r *resource) anchor(name string, o *object, dynamic bool) error {
	if other := r.anchors[name]; other != nil && other != o {
		return refuse(RuleBadRef, o.at, "two subschemas have the same anchor")
	}
	if r.anchors == nil {
		r.anchors = map[string]*object{}
	}
	r.anchors[name] = o
	if dynamic {
		if r.dynamic == nil {
			r.dynamic = map[string]*object{}
		}
		r.dynamic[name] = o
	}
	return nil
}

// resolve finds the target of a reference inside the document: an *object or a bool. anchor is the name by which the
// target was found, if it was a plain name.
func (c *compiler) resolve(ref string, from *object, at *where) (target any, anchor string, err error) {
	uri, fragment, _ := strings.Cut(ref, "#")
	res := from.res
	if uri != "" {
		rel, err := url.Parse(uri)
		if err != nil {
			return nil, "", refuse(RuleBadRef, at, "it is not a URI reference")
		}
		abs := res.base.ResolveReference(rel)
		if res = c.resources[abs.String()]; res == nil {
			where := "a relative location"
			if rel.IsAbs() || rel.Host != "" {
				where = clip(strconv.Quote(rel.Scheme+"://"+rel.Hostname()), maxText)
			}
			return nil, "", refuse(RuleRemoteRef, at, "it refers to another document (%s), which is never loaded; inline it under $defs", where)
		}
	}
	if fragment, err = url.PathUnescape(fragment); err != nil {
		return nil, "", refuse(RuleBadRef, at, "its fragment is not percent-encoded correctly")
	}
	if fragment != "" && fragment[0] != '/' {
		if o := res.anchors[fragment]; o != nil {
			return o, fragment, nil
		}
		return nil, "", refuse(RuleBadRef, at, "there is no such anchor")
	}
	target, err = c.follow(res.root, fragment, at)
	return target, "", err
}

// follow walks a JSON pointer (RFC 6901). A target that no keyword knows as a schema is indexed on arrival, as part of
// the nearest schema around it.
func (c *compiler) follow(from *object, pointer string, at *where) (any, error) {
	var v any = from
	near := from
	for pointer != "" {
		token, rest := pointer[1:], ""
		if i := strings.IndexByte(token, '/'); i >= 0 {
			token, rest = token[:i], token[i:]
		}
		pointer = rest
		found := false
		switch container := v.(type) {
		case *object:
			v, found = container.members[pointerUnescaper.Replace(token)]
		case *array:
			i, err := strconv.Atoi(token)
			if found = err == nil && i >= 0 && i < len(container.items); found {
				v = container.items[i]
			}
		}
		if !found {
			return nil, refuse(RuleBadRef, at, "it points to nothing")
		}
		if o, ok := v.(*object); ok && o.res != nil {
			near = o
		}
	}
	switch o := v.(type) {
	case bool:
		return o, nil
	case *object:
		return o, c.index(o, near.res, c.enqueue)
	}
	return nil, refuse(RuleBadRef, at, "it points to something that is not a schema")
}

var pointerUnescaper = strings.NewReplacer("~1", "/", "~0", "~")

// The keywords that hold schemas, by the shape in which they do.
var (
	holdsSchema = []string{
		"additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
		"propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
	}
	holdsList = []string{"allOf", "anyOf", "items", "oneOf", "prefixItems"}
	holdsMap  = []string{"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)

// holders is all of them once, in a fixed order.
var holders = slices.Compact(slices.Sorted(slices.Values(slices.Concat(holdsSchema, holdsList, holdsMap))))

// subschemas returns the schemas that a keyword holds and that are objects, in a fixed order.
func subschemas(keyword string, v any) []*object {
	var found []*object
	add := func(v any) {
		if o, ok := v.(*object); ok {
			found = append(found, o)
		}
	}
	switch v := v.(type) {
	case *object:
		switch {
		case slices.Contains(holdsSchema, keyword):
			add(v)
		case slices.Contains(holdsMap, keyword):
			for _, name := range sortedKeys(v.members) {
				add(v.members[name])
			}
		}
	case *array:
		if slices.Contains(holdsList, keyword) {
			for _, item := range v.items {
				add(item)
			}
		}
	}
	return found
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
