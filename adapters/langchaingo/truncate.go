package langchaingo

import (
	"fmt"
	"unicode/utf8"
)

// middleOut shortens s to at most limit bytes: it keeps the head and the tail, where answers say what they are and how
// they ended, and puts a note between them. A limit below zero means no bound.
func middleOut(s string, limit int) string {
	if limit < 0 || len(s) <= limit {
		return s
	}
	// The note's length depends on the number in it: reserve for the largest.
	room := limit - len(omission(len(s)))
	if room <= 0 {
		return headOnly(s, limit)
	}
	head := runeFloor(s, (room+1)/2)
	tail := runeCeil(s, len(s)-room/2)
	return s[:head] + omission(tail-head) + s[tail:]
}

func omission(n int) string { return fmt.Sprintf("\n[... %d bytes left out ...]\n", n) }

// headOnly shortens s to at most limit bytes, of which the last are an ellipsis.
func headOnly(s string, limit int) string {
	const ellipsis = "..."
	if limit < 0 || len(s) <= limit {
		return s
	}
	if limit <= len(ellipsis) {
		return s[:runeFloor(s, limit)]
	}
	return s[:runeFloor(s, limit-len(ellipsis))] + ellipsis
}

// runeFloor returns the last rune boundary of s at or before i.
func runeFloor(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}

// runeCeil returns the first rune boundary of s at or after i.
func runeCeil(s string, i int) int {
	for i < len(s) && !utf8.RuneStart(s[i]) {
		i++
	}
	return i
}
