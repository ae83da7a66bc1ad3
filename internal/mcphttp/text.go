package mcphttp

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanText returns at most n bytes of s, without invalid UTF-8, control characters and invisible ones that change how
// the text around them is shown.
func cleanText(s string, n int) string {
	s = s[:min(len(s), 2*n)]
	for len(s) > 0 {
		// A character that the cut above split in two is not worth a replacement character.
		if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size != 1 {
			break
		}
		s = s[:len(s)-1]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, s)
	for len(s) > n {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return strings.TrimSpace(s)
}

const removed = "[removed]"

// shortestSecret is the length below which a value is not looked for: a text would lose its letters one by one.
const shortestSecret = 4

// without returns s without the secrets.
func without(s string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) >= shortestSecret {
			s = strings.ReplaceAll(s, secret, removed)
		}
	}
	return s
}

// mask overwrites the secrets in a JSON-RPC error, which ends up in errors and logs. The length stays, so that text can be
// the middle of a buffer, and an asterisk fits wherever a letter of a JSON string does.
func mask(text []byte, secrets []string) {
	for _, secret := range secrets {
		if len(secret) < shortestSecret {
			continue
		}
		for rest := text; ; {
			i := bytes.Index(rest, []byte(secret))
			if i < 0 {
				break
			}
			for j := range len(secret) {
				rest[i+j] = '*'
			}
			rest = rest[i+len(secret):]
		}
	}
}
