package vault

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcpfleet/mcpfleet/auth"
)

const (
	fieldAuthorization = "authorization"
	fieldToken         = "token"
	fieldUsername      = "username"
	fieldPassword      = "password"
	fieldPrincipal     = "principal"
	fieldID            = "id"
	headerPrefix       = "header:"
	envPrefix          = "env:"
)

// A FieldError reports a secret that is not a credential, or a credential that cannot be kept as one. It wraps
// [auth.ErrInvalidCredential], and its text holds no value.
type FieldError struct {
	Path   string // of the secret, with its mount
	Field  string // empty if there is no field at all
	Reason string
}

// Error names the secret, the field and what is wrong with it.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("auth/vault: the secret %s %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("auth/vault: the field %s of the secret %s %s", shown(e.Field), e.Path, e.Reason)
}

// Unwrap returns [auth.ErrInvalidCredential].
func (e *FieldError) Unwrap() error { return auth.ErrInvalidCredential }

// shown quotes the name of a field, which may have any length.
func shown(field string) string {
	const most = 64
	if len(field) > most {
		return fmt.Sprintf("%q...", field[:most])
	}
	return fmt.Sprintf("%q", field)
}

// decode returns the credential that the data of a secret stands for. The fields are taken in the order of their names, so
// that the error for a secret is always the same.
func decode(path string, data map[string]any) (auth.Credential, error) {
	wrong := func(field, reason string) (auth.Credential, error) {
		return auth.Credential{}, &FieldError{path, field, reason}
	}
	if len(data) == 0 {
		return wrong("", "has no fields")
	}
	var c auth.Credential
	scheme := "" // the field that gave the authorization
	for _, field := range slices.Sorted(maps.Keys(data)) {
		text, ok := data[field].(string)
		if !ok {
			return wrong(field, "is not a string")
		}
		switch field {
		case fieldAuthorization, fieldToken, fieldUsername:
			if scheme != "" {
				return wrong(field, fmt.Sprintf("is one too many: there is %q already", scheme))
			}
			scheme = field
		}
		kind, name, _ := strings.Cut(field, ":")
		switch {
		case text == "" && field != fieldPassword:
			return wrong(field, "is empty")
		case field == fieldAuthorization:
			c.Authorization = auth.NewSecret(text)
		case field == fieldToken:
			c.Authorization = auth.Bearer(text).Authorization
		case field == fieldPassword:
			if _, ok := data[fieldUsername]; !ok {
				return wrong(field, fmt.Sprintf("comes without %q", fieldUsername))
			}
		case field == fieldUsername:
			password, ok := data[fieldPassword].(string)
			if !ok {
				return wrong(fieldPassword, "is missing or not a string")
			}
			// RFC 7617 section 2: what comes after the first colon would become part of the password.
			switch {
			case strings.Contains(text, ":"):
				return wrong(field, "has a colon")
			case strings.ContainsFunc(text, unicode.IsControl):
				return wrong(field, "has a control character")
			case strings.ContainsFunc(password, unicode.IsControl):
				return wrong(fieldPassword, "has a control character")
			}
			c.Authorization = auth.Basic(text, password).Authorization
		case field == fieldPrincipal:
			c.Principal = text
		case field == fieldID:
			c.ID = text
		case kind+":" == headerPrefix && name != "":
			set(&c.Headers, name, text)
		case kind+":" == envPrefix && name != "":
			set(&c.Env, name, text)
		default:
			return wrong(field, "is unknown; put notes into the custom metadata of the secret")
		}
	}
	return c, nil
}

func set(m *map[string]auth.Secret, name, text string) {
	if *m == nil {
		*m = make(map[string]auth.Secret)
	}
	(*m)[name] = auth.NewSecret(text)
}

// encode returns the data of the secret for c, with its values in the clear. decode makes the same credential of it.
func encode(path string, c auth.Credential) (map[string]string, error) {
	data := make(map[string]string)
	put := func(prefix string, values map[string]auth.Secret) error {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			field, text := prefix+name, values[name].Reveal()
			switch {
			case name == "":
				return &FieldError{path, field, "has no name"}
			case text == "":
				return &FieldError{path, field, "is empty"}
			case !utf8.ValidString(field) || !utf8.ValidString(text):
				// Package json would put replacement characters in.
				return &FieldError{path, field, "has a name or a value that is not UTF-8"}
			}
			data[field] = text
		}
		return nil
	}
	plain := make(map[string]auth.Secret)
	for field, value := range map[string]auth.Secret{
		fieldAuthorization: c.Authorization, fieldPrincipal: auth.NewSecret(c.Principal), fieldID: auth.NewSecret(c.ID),
	} {
		if !value.IsZero() {
			plain[field] = value
		}
	}
	if err := put("", plain); err != nil {
		return nil, err
	}
	if err := put(headerPrefix, c.Headers); err != nil {
		return nil, err
	}
	return data, put(envPrefix, c.Env)
}
