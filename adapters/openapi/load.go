package openapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Load reads the document at source, a path or an https URL, and parses it. A URL is fetched with [ParseOptions.Client];
// redirects that the client follows must stay on https. A document from a path has no URL of its own: relative server URLs
// need [Options.BaseURL].
func Load(ctx context.Context, source string, opts *ParseOptions) (*Document, error) {
	o := opts.withDefaults()
	var data []byte
	var err error
	where := source
	if scheme, _, ok := strings.Cut(source, "://"); ok {
		u, bad := url.Parse(source)
		if bad != nil || u.Host == "" { // the error would repeat the source
			return nil, errors.New("openapi: loading: the source is not a URL; use https://host/path or the path of a file")
		}
		where = display(u)
		if strings.ToLower(scheme) != "https" {
			return nil, fmt.Errorf("openapi: loading %s: use https, or fetch the document yourself and call Parse", where)
		}
		data, o.URL, err = fetch(ctx, u, o)
	} else {
		data, err = readFile(source, o.MaxBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("openapi: loading %s: %w", where, err)
	}
	d, err := parse(ctx, data, o)
	if err != nil {
		return nil, fmt.Errorf("openapi: parsing %s: %w", where, err)
	}
	return d, nil
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	return readAll(f, limit)
}

// fetch returns the document and its URL after redirects.
func fetch(ctx context.Context, u *url.URL, o ParseOptions) ([]byte, *url.URL, error) {
	client := http.Client{CheckRedirect: noRedirects, Timeout: 30 * time.Second}
	if o.Client != nil {
		client = *o.Client
		check := o.Client.CheckRedirect
		client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
			if r.URL.Scheme != "https" {
				return errors.New("redirected away from https")
			}
			return checkRedirect(check, r, via)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, bare(err)
	}
	r.Header.Set("Accept", "application/json, application/yaml, */*;q=0.5")
	res, err := client.Do(r)
	if err != nil {
		return nil, nil, bare(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("the server answered %s", bound(res.Status, 100))
	}
	data, err := readAll(res.Body, o.MaxBytes)
	return data, res.Request.URL, bare(err)
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("the document is larger than %d bytes", limit)
	}
	return data, err
}

// checkRedirect does what an http.Client does with its CheckRedirect.
func checkRedirect(check func(*http.Request, []*http.Request) error, r *http.Request, via []*http.Request) error {
	if check != nil {
		return check(r, via)
	}
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	return nil
}

// bare strips what net/http and package os put around an error, because it repeats the URL with its query.
func bare(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err
}
