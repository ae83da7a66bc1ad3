package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// newRequest writes the arguments into a request without credentials. Its errors are for the model: they name an argument.
func (o *operation) newRequest(ctx context.Context, base *url.URL, args json.RawMessage) (*http.Request, error) {
	given, err := o.arguments(args)
	if err != nil {
		return nil, err
	}
	values := map[*parameter]any{}
	for _, p := range o.params {
		raw, ok := given[p.arg]
		if !ok {
			continue
		}
		v, err := decodeValue(raw)
		if err != nil {
			return nil, fmt.Errorf("argument %q: %w", p.arg, err)
		}
		if v != nil || p.serial.allowEmpty {
			values[p] = v
		}
	}
	for _, p := range o.params {
		if _, ok := values[p]; !ok && p.required {
			return nil, fmt.Errorf("argument %q is required", p.arg)
		}
	}

	path, query, err := o.template.expand(func(p *parameter) (string, error) { return p.writePath(values[p]) })
	if err != nil {
		return nil, err
	}
	u := *base
	u.RawPath = strings.TrimRight(base.EscapedPath(), "/") + path
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, errors.New("the path of the document is not one of a URL")
	}
	var pairs []pair
	header := http.Header{}
	var cookies []pair
	for _, p := range o.params {
		v, ok := values[p]
		if !ok {
			continue
		}
		switch p.in {
		case "query":
			more, err := p.pairs(v)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, more...)
		case "cookie":
			more, err := p.pairs(v)
			if err != nil {
				return nil, err
			}
			cookies = append(cookies, more...)
		case "header":
			s, err := p.header(v)
			if err != nil {
				return nil, err
			}
			header.Set(p.name, s)
		}
	}
	u.RawQuery = strings.Trim(query+"&"+joinPairs(pairs, "&"), "&")
	if len(cookies) > 0 {
		header.Set("Cookie", joinPairs(cookies, "; ")) // "&" separates nothing there (OpenAPI 3.1.2, appendix D)
	}
	header.Set("Accept", o.accept)
	header.Set("User-Agent", "mcpfleet")

	var data []byte
	if raw, ok := given[bodyArg]; ok && o.body != nil {
		encoded, contentType, err := o.body.encode(raw)
		if err != nil {
			return nil, fmt.Errorf("argument %q: %w", bodyArg, err)
		}
		data = encoded
		header.Set("Content-Type", contentType)
	} else if o.body != nil && o.body.required {
		return nil, fmt.Errorf("argument %q is required", bodyArg)
	}
	r, err := http.NewRequestWithContext(ctx, o.method, u.String(), bytes.NewReader(data))
	if err != nil {
		return nil, errors.New("the arguments do not make a request")
	}
	r.URL = &u // the very bytes: parsing again would forget how they were escaped
	if data == nil {
		r.Body, r.GetBody, r.ContentLength = http.NoBody, nil, 0
	}
	r.Header = header
	return r, nil
}

// arguments splits the arguments of a call and refuses those that the tool does not have.
func (o *operation) arguments(args json.RawMessage) (map[string]json.RawMessage, error) {
	given := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(args)) > 0 {
		if err := json.Unmarshal(args, &given); err != nil {
			return nil, errors.New("the arguments are not an object")
		}
	}
	var unknown []string
	for name := range given {
		known := name == bodyArg && o.body != nil
		for _, p := range o.params {
			known = known || p.arg == name
		}
		if !known {
			unknown = append(unknown, bound(name, 50))
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, fmt.Errorf("there is no argument %q", unknown[0])
	}
	return given, nil
}

// content writes a value by the media type of the parameter.
func (p *parameter) content(v any) (string, error) {
	if isJSON(p.contentType) {
		return asJSON(v), nil
	}
	return text(v), nil
}

func (p *parameter) pairs(v any) ([]pair, error) {
	if p.contentType != "" {
		s, err := p.content(v)
		return []pair{{escape(p.name), escape(s)}}, err
	}
	pairs, err := p.serial.pairs(v, p.serial.coder())
	if err != nil {
		return nil, fmt.Errorf("argument %q: %w", p.arg, err)
	}
	return pairs, nil
}

func (p *parameter) header(v any) (string, error) {
	if p.contentType != "" {
		s, err := p.content(v)
		if err != nil {
			return "", err
		}
		v = s
	}
	s, err := p.serial.header(v)
	if err != nil {
		return "", fmt.Errorf("argument %q: %w", p.arg, err)
	}
	return s, nil
}
