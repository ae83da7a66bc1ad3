package openapi

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// authorize lets fn add credentials to r. Where fn added to what arguments had set, the arguments' part is taken out again,
// so that no server can pick theirs. It returns what fn added, to be kept out of answers.
func authorize(ctx context.Context, r *http.Request, fn func(context.Context, *http.Request) error) ([]string, error) {
	before, query, target := r.Header.Clone(), r.URL.RawQuery, origin(r.URL)
	if err := fn(ctx, r); err != nil {
		return nil, err
	}
	if r.URL == nil || origin(r.URL) != target {
		return nil, errors.New("Options.Authorize changed where the request goes")
	}
	var secrets []string
	for name, values := range r.Header {
		old := before[name]
		if slices.Equal(values, old) {
			continue
		}
		if name == "Cookie" {
			secrets = append(secrets, mergeCookies(r, old)...)
			continue
		}
		if len(old) > 0 && len(values) > len(old) && slices.Equal(values[:len(old)], old) {
			values = values[len(old):]
			r.Header[name] = values
		}
		secrets = append(secrets, values...)
	}
	if r.Host != "" && r.Host != r.URL.Host {
		return nil, errors.New("Options.Authorize changed where the request goes")
	}
	if r.URL.RawQuery != query {
		secrets = append(secrets, mergeQuery(r.URL, query)...)
	}
	if r.URL.User != nil {
		password, _ := r.URL.User.Password()
		secrets = append(secrets, password)
	}
	return secrets, nil
}

// mergeCookies keeps the arguments' cookies whose names the credentials do not use, and returns the values of the latter.
func mergeCookies(r *http.Request, old []string) (secrets []string) {
	pairs := func(lines []string) (out []pair) {
		for _, line := range lines {
			for part := range strings.SplitSeq(line, ";") {
				if name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name != "" {
					out = append(out, pair{name, value})
				}
			}
		}
		return out
	}
	before, after := pairs(old), pairs(r.Header["Cookie"])
	added := after
	if len(after) >= len(before) && slices.Equal(after[:len(before)], before) {
		added = after[len(before):]
	} else {
		before = nil // they were replaced
	}
	owned := map[string]bool{}
	for _, c := range added {
		owned[c.name] = true
		secrets = append(secrets, c.value)
	}
	kept := slices.DeleteFunc(before, func(c pair) bool { return owned[c.name] })
	r.Header.Set("Cookie", joinPairs(append(kept, added...), "; "))
	return secrets
}

// mergeQuery does the same for the query. Names whose values are as they were stay the arguments'.
func mergeQuery(u *url.URL, old string) (secrets []string) {
	if added, ok := strings.CutPrefix(u.RawQuery, old); ok && (old == "" || strings.HasPrefix(added, "&")) {
		owned := map[string]bool{}
		for part := range strings.SplitSeq(strings.TrimPrefix(added, "&"), "&") {
			name, value := unescapePair(part)
			owned[name] = true
			secrets = append(secrets, value)
		}
		var kept []string
		for part := range strings.SplitSeq(old, "&") {
			if name, _ := unescapePair(part); part != "" && !owned[name] {
				kept = append(kept, part)
			}
		}
		u.RawQuery = strings.Join(append(kept, strings.TrimPrefix(added, "&")), "&")
		return secrets
	}
	before, _ := url.ParseQuery(old)
	after := u.Query()
	changed := false
	for name, values := range after {
		was := before[name]
		if slices.Equal(values, was) {
			continue
		}
		if len(was) > 0 && len(values) > len(was) && slices.Equal(values[:len(was)], was) {
			after[name] = values[len(was):]
			changed = true
		}
		secrets = append(secrets, after[name]...)
	}
	if changed {
		u.RawQuery = after.Encode()
	}
	return secrets
}

func unescapePair(part string) (name, value string) {
	name, value, _ = strings.Cut(part, "=")
	if s, err := url.QueryUnescape(name); err == nil {
		name = s
	}
	if s, err := url.QueryUnescape(value); err == nil {
		value = s
	}
	return name, value
}

// minSecret is the length from which a part of a credential is blotted out; a shorter one would take words with it.
const minSecret = 6

// A redactor blots out what Authorize added.
type redactor struct{ replace *strings.Replacer }

const redacted = "[redacted]"

func newRedactor(secrets []string) redactor {
	var words []string
	add := func(s string) {
		if len(s) < minSecret {
			return
		}
		// As it is, as JSON may write it, and as a URL may.
		quoted := asJSON(s)
		words = append(words, s, quoted[1:len(quoted)-1], strings.ReplaceAll(s, "/", `\/`), url.QueryEscape(s), url.PathEscape(s), escape(s))
	}
	for _, s := range secrets {
		add(s)
		scheme, token, ok := strings.Cut(s, " ")
		if !ok {
			continue
		}
		add(strings.TrimSpace(token))
		if strings.EqualFold(scheme, "basic") {
			if data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token)); err == nil {
				_, password, _ := strings.Cut(string(data), ":")
				add(string(data))
				add(password)
			}
		}
	}
	// The longest first, or the scheme of a header would stay behind.
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(words))
	for _, w := range slices.Compact(words) {
		pairs = append(pairs, w, redacted)
	}
	if len(pairs) == 0 {
		return redactor{}
	}
	return redactor{strings.NewReplacer(pairs...)}
}

func (r redactor) text(s string) string {
	if r.replace == nil {
		return s
	}
	return r.replace.Replace(s)
}
