package auth

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// A presented is a credential that stands ready to be used: what is needed of it with every request is computed when it
// is first asked for, and only once. It does not change and is shared.
type presented struct {
	Credential
	ended bool // the values are gone; mark is what is left of them

	check    sync.Once
	material *material
	err      error // why the values cannot be used

	name sync.Once
	mark string
}

// A material is what goes into a request. It is never changed.
type material struct {
	header http.Header
	env    map[string]Secret
}

func present(c Credential) *presented { return &presented{Credential: c.clone()} }

// proven returns the credential that sends a token together with the proof for one request (RFC 9449 section 7.1).
func proven(token, proof Secret) *presented {
	return &presented{Credential: Credential{
		Authorization: NewSecret("DPoP " + token.Reveal()), Headers: map[string]Secret{"DPoP": proof},
	}}
}

// reference reports whether p only says where the values are.
func (p *presented) reference() bool { return !p.ended && !p.hasValue() && p.ID != "" }

// values returns what p puts into a request, or an error that wraps ErrInvalidCredential or ErrRequestEnded. It is behind two
// pointers for the reason that [Secret] gives.
func (p *presented) values() (**material, error) {
	p.check.Do(func() {
		if m, err := p.prepare(); err != nil {
			p.err = err
		} else {
			p.material = &m
		}
	})
	return &p.material, p.err
}

func (p *presented) prepare() (m material, err error) {
	switch {
	case p.ended:
		return m, ErrRequestEnded
	case !p.hasValue():
		return m, invalid("it holds no value")
	}
	if !p.Authorization.IsZero() || len(p.Headers) > 0 {
		m.header = make(http.Header, 1+len(p.Headers))
	}
	if !p.Authorization.IsZero() {
		if err := addHeader(m.header, "Authorization", p.Authorization); err != nil {
			return material{}, err
		}
	}
	for name, value := range p.Headers {
		if err := addHeader(m.header, name, value); err != nil {
			return material{}, err
		}
	}
	for name, value := range p.Env {
		if err := checkVariable(name, value); err != nil {
			return material{}, err
		}
	}
	m.env = p.Env
	return m, nil
}

// principal names on whose behalf p speaks. What stands before the first colon tells the kinds of names apart, so that
// no name of one kind can be made to equal one of another.
func (p *presented) principal() string {
	p.name.Do(func() {
		switch {
		case p.ended:
		case p.Principal != "":
			p.mark = "principal:" + p.Principal
		case p.ID != "":
			p.mark = "id:" + p.ID
		case len(p.Headers) == 0 && len(p.Env) == 0:
			p.mark = "value:" + p.Authorization.Fingerprint()
		default:
			p.mark = "values:" + p.fingerprint()
		}
	})
	return p.mark
}

// fingerprint returns 32 hexadecimal digits that are equal for equal values.
func (c Credential) fingerprint() string {
	var b strings.Builder
	add := func(kind, name string, value Secret) {
		b.WriteString(encodeKey(kind, name, value.Fingerprint()) + "\n")
	}
	add("authorization", "", c.Authorization)
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		add("header", name, c.Headers[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		add("variable", name, c.Env[name])
	}
	return fingerprint(b.String())
}

// detached returns what a connection may keep of p.
func (p *presented) detached() *presented {
	if p.ended || !p.hasValue() {
		return p
	}
	return &presented{ended: true, mark: p.principal()}
}

// sentIn reports whether a request with the header h carried p.
func (p *presented) sentIn(h http.Header) bool {
	m, err := p.values()
	if err != nil {
		return false
	}
	for name, values := range (*m).header {
		if !slices.Equal(h[name], values) {
			return false
		}
	}
	return true
}
