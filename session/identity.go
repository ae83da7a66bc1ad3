package session

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxIdentity bounds each part of a key, in bytes. Keys are kept in memory and hashed on every call.
const maxIdentity = 1 << 10

// placeholders are user names that stand for "we do not know", spelt as [fold] leaves them.
var placeholders = map[string]bool{
	"anon": true, "anonymous": true, "anonymoususer": true,
	"default": true, "defaultuser": true,
	"unknown": true, "unknownuser": true,
	"undefined": true, "null": true, "nil": true, "none": true, "nan": true,
	"guest": true, "guestuser": true,
	"user": true, "username": true, "userid": true,
	"objectobject":    true, // JavaScript's String({})
	"snil":            true, // Go's Sprintf("%s", nil)
	"unauthenticated": true, "notset": true, "unset": true, "placeholder": true,
}

// Validate returns an [*IdentityError] if k cannot be the identity of an authenticated user:
//
//   - User is empty, has neither a letter nor a digit, or is a placeholder. The placeholders are anon, anonymous, default,
//     guest and unknown, each alone or followed by "user"; undefined, null, nil, none, NaN, unset, "not set",
//     unauthenticated, placeholder; user, username, "user id"; "[object Object]" and "%!s(<nil>)". Case, spaces and
//     punctuation do not count, so "<nil>", "Default-User" and "default_user" are refused too.
//   - any part holds a control character, is not valid UTF-8 or is longer than 1 KiB.
//
// Tenant and Conversation may be empty, and may have any other name: "default" is a usual name for the only tenant.
func (k Key) Validate() error {
	for _, part := range []struct{ field, value string }{
		{"Tenant", k.Tenant}, {"User", k.User}, {"Conversation", k.Conversation},
	} {
		switch {
		case len(part.value) > maxIdentity:
			return &IdentityError{Field: part.field, Reason: "is longer than 1 KiB"}
		case !utf8.ValidString(part.value):
			return &IdentityError{Field: part.field, Reason: "is not valid UTF-8"}
		case strings.ContainsFunc(part.value, unicode.IsControl):
			return &IdentityError{Field: part.field, Reason: "holds a control character"}
		}
	}
	switch name := fold(k.User); {
	case k.User == "":
		return &IdentityError{Field: "User", Reason: "is empty"}
	case name == "":
		return &IdentityError{Field: "User", Reason: "has neither a letter nor a digit"}
	case placeholders[name]:
		return &IdentityError{Field: "User", Reason: "is a placeholder (" + name + ")"}
	}
	return nil
}

// fold reduces a name to its letters and digits in lower case.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}
