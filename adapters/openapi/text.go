package openapi

import (
	"strings"
	"unicode/utf8"
)

// bound shortens s to at most limit bytes, of which the last are an ellipsis, and mends what is not UTF-8.
func bound(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	const ellipsis = "..."
	i := limit - len(ellipsis)
	for i > 0 && !utf8.RuneStart(s[i]) {
		i--
	}
	return s[:i] + ellipsis
}
