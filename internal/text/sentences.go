package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentences appends the sentences of s to dst, in order and without the space and the list marks around them, and returns
// it. They are parts of s. What has neither a letter nor a digit is left out.
//
// A sentence ends at ".", "!", "?" or ";" before white space, at their full-width forms, at a line break that does not just
// wrap a line, and before a list item. The full stops of abbreviations, versions, file names and addresses end nothing.
func Sentences(dst []string, s string) []string {
	start := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		end := i + size
		if i == start && unicode.IsSpace(r) {
			start, i = end, end // what begins with much space would be trimmed again and again
			continue
		}
		switch r {
		case '\n', '\r':
			if r == '\r' {
				end = len(s) - len(strings.TrimPrefix(s[end:], "\n")) // one break
			}
			if wraps(s[start:i], s[end:]) {
				i = end
				continue
			}
		case '.', '!', '?', ';':
			end = closed(s, end)
			if end < len(s) && !spaceAt(s, end) || r == '.' && abbreviated(s[start:i], s[end:]) {
				i = end
				continue
			}
		case '。', '！', '？', '；', '｡':
			end = closed(s, end)
		default:
			i = end
			continue
		}
		dst = appendSentence(dst, s[start:end])
		start, i = end, end
	}
	return appendSentence(dst, s[start:])
}

// closed steps over the punctuation and closing marks that belong to the sentence that ends before offset i.
func closed(s string, i int) int {
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !strings.ContainsRune(`.!?"')]}”’»」』）。！？*`+"`", r) {
			break
		}
		i += size
	}
	return i
}

func spaceAt(s string, i int) bool {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return unicode.IsSpace(r)
}

// wraps reports whether a line break only wraps a line: the next line goes on with a small letter, and nothing has ended.
func wraps(before, after string) bool {
	before, after = strings.TrimSpace(before), strings.TrimLeft(after, " \t")
	if before == "" || strings.HasSuffix(before, ":") || strings.HasPrefix(before, "#") {
		return false
	}
	r, _ := utf8.DecodeRuneInString(after)
	return unicode.IsLower(r) && itemMark(after) == 0
}

// never lists abbreviations that stand before what they belong to, and so end no sentence.
var never = map[string]bool{
	"e.g": true, "i.e": true, "eg": true, "ie": true, "cf": true, "vs": true, "viz": true, "incl": true, "excl": true,
	"approx": true, "ca": true, "resp": true, "mr": true, "mrs": true, "ms": true, "dr": true, "prof": true, "st": true,
	"fig": true, "max": true, "min": true, "avg": true, "dept": true,
}

// abbreviated reports whether the full stop between before and after belongs to an abbreviation or a number of a list.
func abbreviated(before, after string) bool {
	word := before
	if i := strings.LastIndexFunc(before, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("([{\"'“‘*`", r) }); i >= 0 {
		_, size := utf8.DecodeRuneInString(before[i:])
		word = before[i+size:]
	}
	if len(word) > 8 || word == "" {
		return word == "" && after == ""
	}
	lower := strings.ToLower(word)
	if never[lower] {
		return true
	}
	next, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(after, unicode.IsSpace))
	switch {
	case lower == "no" || lower == "nr" || lower == "art" || lower == "sec":
		return unicode.IsDigit(next)
	case strings.TrimLeft(word, "0123456789") == "" && strings.TrimSpace(before) == word:
		return true // "1. Do this"
	case lower == "etc" || lower == "inc" || lower == "ltd" || lower == "co" || lower == "corp" || strings.Contains(word, "."):
		return unicode.IsLower(next) || next == ',' // "etc. of", "9 a.m. tomorrow"
	case utf8.RuneCountInString(word) == 1:
		r, _ := utf8.DecodeRuneInString(word)
		return unicode.IsUpper(r) && r != 'I' // "J. Smith"
	}
	return false
}

// itemMark returns the length of the mark that begins a list item, or 0.
func itemMark(s string) int {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case strings.ContainsRune("-*+–—", r):
		if size < len(s) && s[size] != ' ' && s[size] != '\t' {
			return 0
		}
		return size
	case strings.ContainsRune("•‣◦▪●·", r), r == '#' || r == '>':
		return size
	case isDigit(r) || isLetter(r) && r < utf8.RuneSelf:
		i := 1
		for isDigit(r) && i < len(s) && i < 3 && isDigit(rune(s[i])) {
			i++
		}
		if i+1 < len(s) && (s[i] == ')' || s[i] == '.' && isDigit(r)) && (s[i+1] == ' ' || s[i+1] == '\t') {
			return i + 1
		}
	}
	return 0
}

func appendSentence(dst []string, s string) []string {
	s = strings.TrimSpace(s)
	for {
		mark := itemMark(s)
		if mark == 0 {
			break
		}
		s = strings.TrimSpace(s[mark:])
	}
	if strings.IndexFunc(s, func(r rune) bool { return isLetter(r) || isDigit(r) }) < 0 {
		return dst
	}
	return append(dst, s)
}
