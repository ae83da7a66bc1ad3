// Package o200k counts tokens exactly, as the models that use the vocabulary o200k_base do (GPT-4o and later of OpenAI). It
// is a module of its own, for the vocabulary adds several megabytes to a program. It uses no network.
package o200k

import (
	"fmt"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer"

	"github.com/mcpfleet/mcpfleet/selector/tokens"
)

// Counter returns a counter of o200k_base, for selector.Options.Counter. Special tokens, such as <|endoftext|>, are counted
// as the ordinary text that they are in the description of a tool. It is safe for concurrent use. The first call reads the
// vocabulary, which takes about a tenth of a second.
func Counter() (tokens.Counter, error) {
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		return nil, fmt.Errorf("o200k: loading the vocabulary: %w", err)
	}
	return counter{codec}, nil
}

type counter struct{ codec tokenizer.Codec }

// maxPart is how much text is given to the codec at once, in bytes: its time for a run of letters grows with the square of
// their number, and descriptions come from servers.
const maxPart = 32 << 10

// Count panics if the codec's regular expression fails, for which it has no reason: it has no time limit.
func (c counter) Count(text string) int {
	sum := 0
	for len(text) > 0 {
		end := part(text)
		n, err := c.codec.Count(text[:end])
		if err != nil {
			panic(fmt.Sprintf("o200k: counting: %v", err))
		}
		sum += n
		text = text[end:]
	}
	return sum
}

// part returns how much of text to count at once. It ends before a space behind a character that is none, where no token
// spans; if there is no such place it cuts anywhere, which adds a token at the most.
func part(text string) int {
	if len(text) <= maxPart {
		return len(text)
	}
	for i := maxPart; i > maxPart/2; i-- {
		if b := text[i-1]; text[i] == ' ' && b > ' ' && b < utf8.RuneSelf {
			return i
		}
	}
	end := maxPart
	for end > maxPart-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return end
}
