package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	yaml "github.com/oasdiff/yaml3"
)

// decode reads JSON or YAML within the limits. It returns the document as a tree, whose numbers are [json.Number], and as
// JSON, so that the parser proper sees no YAML: what an alias expands to is counted here.
func decode(data []byte, opts ParseOptions) (map[string]any, []byte, error) {
	if int64(len(data)) > opts.MaxBytes {
		return nil, nil, fmt.Errorf("the document is larger than %d bytes", opts.MaxBytes)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var tree any
	if json.Valid(data) {
		if err := bounded(data, opts); err != nil {
			return nil, nil, err
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(&tree); err != nil {
			return nil, nil, err
		}
	} else {
		var err error
		if tree, err = decodeYAML(data, opts); err != nil {
			return nil, nil, err
		}
		if data, err = json.Marshal(tree); err != nil {
			return nil, nil, err
		}
	}
	root, ok := tree.(map[string]any)
	if !ok {
		return nil, nil, errors.New("the document is not an object")
	}
	return root, data, nil
}

// bounded counts the depth and the values of valid JSON without decoding it.
func bounded(data []byte, opts ParseOptions) error {
	depth, values := 0, 1
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth++; depth > opts.MaxDepth {
				return tooDeep(opts)
			}
			values++
		case '}', ']':
			depth--
		case ',':
			values++
		case '"':
			for i++; data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		}
	}
	if values > opts.MaxValues {
		return tooMany(opts)
	}
	return nil
}

func tooDeep(opts ParseOptions) error {
	return fmt.Errorf("the document nests deeper than %d levels", opts.MaxDepth)
}

func tooMany(opts ParseOptions) error {
	return fmt.Errorf("the document has more than %d values", opts.MaxValues)
}

func decodeYAML(data []byte, opts ParseOptions) (tree any, err error) {
	// The parser reports some malformed documents by panicking.
	defer func() {
		if p := recover(); p != nil {
			tree, err = nil, fmt.Errorf("the document is neither JSON nor YAML: %v", p)
		}
	}()
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("the document is neither JSON nor YAML: %w", err)
	}
	if len(doc.Content) == 0 {
		return nil, errors.New("the document is empty")
	}
	r := yamlReader{opts: opts}
	return r.value(doc.Content[0], 0)
}

type yamlReader struct {
	opts   ParseOptions
	values int
}

func (r *yamlReader) value(n *yaml.Node, depth int) (any, error) {
	if r.values++; r.values > r.opts.MaxValues {
		return nil, tooMany(r.opts)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return r.value(n.Alias, depth) // it stands for an object or array that costs a level, so one within itself ends
	case yaml.ScalarNode:
		return scalar(n)
	}
	if depth++; depth > r.opts.MaxDepth {
		return nil, tooDeep(r.opts)
	}
	if n.Kind == yaml.SequenceNode {
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := r.value(c, depth)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	}
	return r.mapping(n, depth)
}

func (r *yamlReader) mapping(n *yaml.Node, depth int) (any, error) {
	m := make(map[string]any, len(n.Content)/2)
	merged := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: a key is not a text", key.Line)
		}
		v, err := r.value(n.Content[i+1], depth)
		if err != nil {
			return nil, err
		}
		if key.ShortTag() == "!!merge" {
			if err := merge(merged, v); err != nil {
				return nil, fmt.Errorf("line %d: %w", key.Line, err)
			}
			continue
		}
		if _, ok := m[key.Value]; ok {
			return nil, fmt.Errorf("line %d: key %q occurs twice", key.Line, bound(key.Value, 100))
		}
		m[key.Value] = v
	}
	for k, v := range merged {
		if _, ok := m[k]; !ok {
			m[k] = v
		}
	}
	return m, nil
}

// merge adds what "<<" stands for: a map, or maps of which the first ones win.
func merge(into map[string]any, v any) error {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if _, ok := into[k]; !ok {
				into[k] = x
			}
		}
		return nil
	case []any:
		for _, x := range v {
			m, ok := x.(map[string]any)
			if !ok {
				return errors.New("<< takes a map")
			}
			if err := merge(into, m); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("<< takes a map")
}

func scalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value), nil
		}
		if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return json.Number(strconv.FormatInt(i, 10)), nil
		}
		var f float64
		if err := n.Decode(&f); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, fmt.Errorf("line %d: %q is not a number of JSON", n.Line, bound(n.Value, 100))
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
	}
	return n.Value, nil // dates included: JSON has none
}
