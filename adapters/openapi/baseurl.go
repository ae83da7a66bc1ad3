package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// baseURL returns the URL below which the paths of most operations lie.
func (d *Document) baseURL(override string) (*url.URL, error) {
	if override != "" {
		u, err := url.Parse(override)
		if err != nil {
			return nil, errors.New("Options.BaseURL is not a URL")
		}
		if err := checkBase(u); err != nil {
			return nil, fmt.Errorf("Options.BaseURL: %w", err)
		}
		return u, nil
	}
	return d.serverURL(d.servers)
}

// serverURL returns the first server with the defaults of its variables. No server is the same as "/"
// (OpenAPI 3.1.2, "OpenAPI Object").
func (d *Document) serverURL(servers openapi3.Servers) (*url.URL, error) {
	address := "/"
	if len(servers) > 0 && servers[0] != nil {
		address = servers[0].URL
		for name, v := range servers[0].Variables {
			if v != nil {
				address = strings.ReplaceAll(address, "{"+name+"}", v.Default)
			}
		}
	}
	if strings.ContainsAny(address, "{}") {
		return nil, errors.New("a server of the document has a variable without a default; set Options.BaseURL")
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("a server of the document is not a URL; set Options.BaseURL")
	}
	if !u.IsAbs() {
		if d.url == nil {
			return nil, errors.New("the document names its server relative to itself, and it has no URL; set Options.BaseURL or ParseOptions.URL")
		}
		u = d.url.ResolveReference(u)
	}
	if err := checkBase(u); err != nil {
		return nil, fmt.Errorf("the server of the document: %w; set Options.BaseURL", err)
	}
	return u, nil
}

func checkBase(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Opaque != "":
		return errors.New("it is not an absolute http or https URL")
	case u.User != nil:
		return errors.New("it holds a user name; use Options.Authorize")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("it has a query or a fragment")
	}
	return nil
}

// origin tells servers apart (RFC 6454 section 4).
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
