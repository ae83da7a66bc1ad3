package tokens

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcpfleet/mcpfleet/internal/text"
)

// squeeze returns s with every run of white space made one space, or one line break if there is one in it.
func squeeze(s string) string {
	var b strings.Builder
	start := 0 // of what is not yet in b
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !unicode.IsSpace(r) {
			i += size
			continue
		}
		end, with := i, " "
		for end < len(s) {
			r, size := utf8.DecodeRuneInString(s[end:])
			if !unicode.IsSpace(r) {
				break
			}
			if r == '\n' || r == '\r' {
				with = "\n"
			}
			end += size
		}
		if i == 0 || end == len(s) {
			with = ""
		}
		if s[i:end] != with {
			b.WriteString(s[start:i])
			b.WriteString(with)
			start = end
		}
		i = end
	}
	if start == 0 {
		return s
	}
	b.WriteString(s[start:])
	return b.String()
}

// cut returns the first sentences of s, at most bound bytes, and whether that is all of s. If the sentences at its start
// are much shorter or longer, it cuts between words and ends in an ellipsis.
func cut(s string, bound int) (short string, whole bool) {
	if len(s) <= bound {
		return s, true
	}
	end := 0
	for _, sentence := range text.Sentences(nil, s) {
		at := strings.Index(s[end:], sentence)
		if at < 0 || end+at+len(sentence) > bound {
			break
		}
		end += at + len(sentence)
	}
	if end >= bound/4 {
		return s[:end], false
	}
	const ellipsis = "…"
	end = bound - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	if space := strings.LastIndexAny(s[:end], " \n"); space > end/2 {
		end = space
	}
	return strings.TrimRight(s[:end], " \n,;:-(") + ellipsis, false
}
