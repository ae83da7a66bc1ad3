package embedding

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// A key finds the vector of a text. It is a hash, so that neither memory nor files keep what users ask.
type key [sha256.Size]byte

// A kind is how a text is embedded.
type kind byte

const (
	document kind = 'd'
	query    kind = 'q'
)

// keyVersion changes whenever the meaning of a key or of a file does.
const keyVersion = "mcpfleet embedding 1"

// keyOf hashes all that a vector depends on. Each part is preceded by its length, so that no two lists of parts look alike.
func keyOf(k kind, model string, dimensions int, text string) key {
	b := make([]byte, 0, len(keyVersion)+len(model)+len(text)+40)
	for _, part := range [...]string{keyVersion, string(rune(k)), model, text} {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return sha256.Sum256(binary.LittleEndian.AppendUint64(b, uint64(dimensions)))
}

// cut shortens a text to limit bytes, at a character's boundary. A limit of 0 cuts nothing.
func cut(text string, limit int) string {
	if limit == 0 || len(text) <= limit {
		return text
	}
	for range utf8.UTFMax - 1 {
		if utf8.RuneStart(text[limit]) || limit == 1 {
			break
		}
		limit--
	}
	return text[:limit]
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

// batches splits texts into runs of at most maxTexts texts and, but for a longer single one, maxBytes bytes. It returns where
// each run ends.
func batches(texts []string, maxTexts, maxBytes int) (ends []int) {
	start, bytes := 0, 0
	for i, text := range texts {
		if i > start && (i-start == maxTexts || bytes+len(text) > maxBytes) {
			ends = append(ends, i)
			start, bytes = i, 0
		}
		bytes += len(text)
	}
	if len(texts) > 0 {
		ends = append(ends, len(texts))
	}
	return ends
}
