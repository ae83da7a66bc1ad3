package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
)

const redacted = "[redacted]"

// A Secret is a text that must not be seen: a token, a password, the value of a header. Whatever prints, encodes or logs
// it gets "[redacted]". The zero Secret is no secret at all. Secrets are immutable and may be copied and shared.
//
// The text lies behind two pointers because no method helps where a Secret is an unexported field: package fmt then prints
// the fields of the struct by itself. Of a pointer it prints the address, but with a verb that does not fit a pointer, as
// %s, it follows one to a struct. It follows no second one.
type Secret struct{ p **box }

type box struct {
	self *box // what Secret.p points to
	text string
	// What is computed from text at most once; two callers who race compute the same.
	mark   atomic.Pointer[string]    // the fingerprint
	bearer atomic.Pointer[presented] // the credential that sends text as a bearer token
}

// NewSecret returns a secret that holds text. An empty text gives the zero Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	b := &box{text: text}
	b.self = b
	return Secret{&b.self}
}

// Reveal returns the text. What is done with it is the caller's to answer for.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return (*s.p).text
}

// IsZero reports whether s holds nothing.
func (s Secret) IsZero() bool { return s.p == nil }

// Equal compares two secrets in a time that depends on their lengths only.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// Fingerprint returns 32 hexadecimal digits that are equal for equal secrets within this process, and tell nothing about
// the secret to anyone else: the key they are made with is random and leaves the process in no way. It is empty for the
// zero Secret.
func (s Secret) Fingerprint() string {
	if s.p == nil {
		return ""
	}
	b := *s.p
	if mark := b.mark.Load(); mark != nil {
		return *mark
	}
	mark := fingerprint(b.text)
	b.mark.Store(&mark)
	return mark
}

// asBearer returns the credential that sends s, which is not zero, as a bearer token.
func (s Secret) asBearer() *presented {
	b := *s.p
	p := b.bearer.Load()
	if p == nil {
		p = present(Bearer(b.text))
		b.bearer.Store(p)
	}
	return p
}

var fingerprintKey = sync.OnceValue(func() []byte {
	key := make([]byte, 32)
	rand.Read(key)
	return key
})

func fingerprint(text string) string {
	h := hmac.New(sha256.New, fingerprintKey())
	io.WriteString(h, text)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb, %p and %x included.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]" as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// GobEncode returns "[redacted]".
func (Secret) GobEncode() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText sets s to text, so that a configuration can hold secrets. It refuses "[redacted]": a configuration that
// was written out by means of the methods above holds no secrets any more.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == redacted {
		return errors.New("auth: a secret reads " + redacted + ": it was lost when it was written; put the real one in")
	}
	*s = NewSecret(string(text))
	return nil
}
