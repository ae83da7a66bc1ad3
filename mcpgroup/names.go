package mcpgroup

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	defaultNameLen = 64  // the least limit among the model providers
	minNameLen     = 16  // leaves room for a hash and a stem that can be told from others
	maxNameLen     = 128 // the most that any provider takes
	maxOriginalLen = 1 << 10

	nameHashLen   = 8 // hex digits
	nameSuffixLen = len("_") + nameHashLen
	// serverSeparator stands between server and tool where [CollisionPrefix] puts the server in front.
	serverSeparator = "__"
)

// NamePolicy decides the names that agents see. The zero value adds no prefix, allows 64 characters of [a-zA-Z0-9_-],
// which every model provider takes, and withholds tools whose names collide.
//
// A tool with an alias is shown under exactly that name, without Prefix. Any other tool is shown as Prefix followed by
// the server's name of it. Where that is not fit for a provider, each character outside of the set becomes "_", the name
// is cut to MaxLen, and it ends in "_" and 8 hex digits that are a hash of server and original name. So "a.b" and "a_b"
// stay apart, and a name depends on no other tool and on no order. To keep it so, a name that by itself looks as if it
// ended in such a hash gets one too. The same tool therefore has the same name at every start and in every list, unless
// it collides.
//
// Names collide when they are equal without regard to case, since some agents look tools up that way. A name that some
// tool has by alias belongs to that tool whatever the other tools are called, on this server or another. Servers control
// their tool names: aliases, or a Prefix for each server, keep one server from making the tools of another collide.
//
// These tools are withheld under every policy: those without a name or with one longer than 1 KiB, those whose alias is
// invalid, those that share an alias, and those that repeat a name their own server already listed (the first is kept).
type NamePolicy struct {
	// Prefix is put in front of all names that are not aliases, such as "github__". It counts towards MaxLen.
	Prefix string
	// MaxLen is the most characters a name may have, 16 to 128. The default is 64.
	MaxLen int
	// Collision says what happens to tools whose names are equal. The default is [CollisionError].
	Collision CollisionPolicy
}

// CollisionPolicy says what happens to tools whose exposed names are equal without regard to case. A tool that has the
// name by alias keeps it under every policy; the policy is about the others.
type CollisionPolicy int

const (
	// CollisionError withholds and reports all of them: which one an agent would get must not depend on chance.
	CollisionError CollisionPolicy = iota
	// CollisionPrefix puts the name of its server and "__" in front of each. Those that still collide are withheld.
	CollisionPrefix
	// CollisionPriority keeps the first in the order of the servers and withholds the rest.
	CollisionPriority
)

// String returns "error", "prefix" or "priority".
func (c CollisionPolicy) String() string {
	switch c {
	case CollisionError:
		return "error"
	case CollisionPrefix:
		return "prefix"
	case CollisionPriority:
		return "priority"
	}
	return fmt.Sprintf("CollisionPolicy(%d)", int(c))
}

// nameRequest is a tool that wants a name.
type nameRequest struct {
	Original string // the server's name of the tool, as hostile as it may be
	Alias    string // empty for none
	Server   string
}

// nameResult is the answer to one nameRequest. Exactly one of its fields is set.
type nameResult struct {
	Exposed string
	Err     error // why the tool is withheld
}

// validate reports what makes p unusable. The other methods require a valid policy.
func (p NamePolicy) validate() error {
	if p.MaxLen != 0 && (p.MaxLen < minNameLen || p.MaxLen > maxNameLen) {
		return fmt.Errorf("MaxLen is %d; it must be %d to %d, or 0 for %d", p.MaxLen, minNameLen, maxNameLen, defaultNameLen)
	}
	if strings.ContainsFunc(p.Prefix, notNameRune) {
		return fmt.Errorf("the prefix %+.80q has characters outside of [a-zA-Z0-9_-]", p.Prefix)
	}
	if most := p.maxLen() - nameSuffixLen; len(p.Prefix) >= most {
		return fmt.Errorf("the prefix has %d characters; with a MaxLen of %d it must have less than %d", len(p.Prefix), p.maxLen(), most)
	}
	if p.Collision < CollisionError || p.Collision > CollisionPriority {
		return fmt.Errorf("unknown collision policy %d; use CollisionError, CollisionPrefix or CollisionPriority", p.Collision)
	}
	return nil
}

func (p NamePolicy) maxLen() int { return cmp.Or(p.MaxLen, defaultNameLen) }

// assign answers every request. Names in the results are unique without regard to case. Apart from exact duplicates and
// CollisionPriority, where the first request wins, the results do not depend on the order of the requests.
func (p NamePolicy) assign(reqs []nameRequest) []nameResult {
	a := assignment{reqs: reqs, results: make([]nameResult, len(reqs)), priority: p.Collision == CollisionPriority}
	aliases, names := claims{}, claims{}
	listed := make(map[nameRequest]bool, len(reqs))
	for i, r := range reqs {
		id := nameRequest{Original: r.Original, Server: r.Server}
		switch {
		case r.Original == "":
			a.withhold(i, errors.New("it has no name"))
		case len(r.Original) > maxOriginalLen:
			a.withhold(i, fmt.Errorf("its name has %d bytes; the most is %d", len(r.Original), maxOriginalLen))
		case listed[id]:
			a.withhold(i, errors.New("the server lists its name more than once; the first is kept"))
		case r.Alias == "":
			a.claim(names, p.expose(p.Prefix, r), i)
		case len(r.Alias) > p.maxLen() || strings.ContainsFunc(r.Alias, notNameRune):
			a.withhold(i, fmt.Errorf("its alias %+.80q is not 1 to %d of [a-zA-Z0-9_-]", r.Alias, p.maxLen()))
		default:
			a.claim(aliases, r.Alias, i)
		}
		listed[id] = true
	}

	for _, sharing := range aliases {
		a.settle(sharing)
	}
	var contested []int
	for key, wanting := range names {
		holders := aliases[key]
		if p.Collision == CollisionPrefix && len(holders)+len(wanting) > 1 {
			contested = append(contested, wanting...)
			delete(names, key)
			continue
		}
		a.settle(wanting, holders...)
	}

	longer := claims{}
	for _, i := range contested {
		a.claim(longer, p.expose(p.Prefix+mangle(reqs[i].Server)+serverSeparator, reqs[i]), i)
	}
	for key, wanting := range longer {
		// A server that names a tool the way another server's would be prefixed does not get that name.
		a.settle(append(wanting, names[key]...), aliases[key]...)
	}
	return a.results
}

// expose returns the name of a tool without an alias: a function of its arguments alone. Names with a hash and names
// without one never meet, and two with the same hash are not expected to exist.
func (p NamePolicy) expose(prefix string, r nameRequest) string {
	name := prefix + mangle(r.Original)
	if name == prefix+r.Original && len(name) <= p.maxLen() && !endsLikeHash(name) {
		return name
	}
	// The length in front keeps ("ab", "c") and ("a", "bc") apart.
	sum := sha256.Sum256([]byte(strconv.Itoa(len(r.Server)) + ":" + r.Server + r.Original))
	stem := name[:min(len(name), p.maxLen()-nameSuffixLen)]
	return stem + "_" + hex.EncodeToString(sum[:nameHashLen/2])
}

// claims maps a name in lower case to the requests that want it.
type claims map[string][]int

// assignment is one run of [NamePolicy.assign].
type assignment struct {
	reqs     []nameRequest
	results  []nameResult
	priority bool
}

func (a *assignment) claim(c claims, name string, i int) {
	a.results[i].Exposed = name
	key := strings.ToLower(name)
	c[key] = append(c[key], i)
}

func (a *assignment) withhold(i int, err error) { a.results[i] = nameResult{Err: err} }

// settle decides about requests that want the same name, which holders have by alias: it withholds all of wanting unless
// there is one and no holder. Under CollisionPriority the first of them gets a name without a holder.
func (a *assignment) settle(wanting []int, holders ...int) {
	if len(holders) == 0 && a.priority {
		holders, wanting = wanting[:1], wanting[1:]
	}
	if len(holders)+len(wanting) == 1 {
		return
	}
	rivals := append(a.inNameOrder(holders), a.inNameOrder(wanting)...)
	for _, i := range wanting {
		rival := rivals[0]
		if rival == i {
			rival = rivals[1]
		}
		a.withhold(i, fmt.Errorf("its exposed name %q collides with that of tool %+.80q of server %+.80q; set an alias for one of them, or a prefix for each server",
			a.results[i].Exposed, a.reqs[rival].Original, a.reqs[rival].Server))
	}
}

// inNameOrder returns a sorted copy, so that the text of an error does not depend on the order of the requests.
func (a *assignment) inNameOrder(is []int) []int {
	return slices.SortedFunc(slices.Values(is), func(i, j int) int {
		x, y := a.reqs[i], a.reqs[j]
		return cmp.Or(cmp.Compare(x.Server, y.Server), cmp.Compare(x.Original, y.Original))
	})
}

// mangle replaces every character that providers refuse.
func mangle(s string) string {
	return strings.Map(func(r rune) rune {
		if notNameRune(r) {
			return '_'
		}
		return r
	}, s)
}

func notNameRune(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
}

// endsLikeHash reports whether name could be taken for one that expose cut or changed.
func endsLikeHash(name string) bool {
	i := len(name) - nameSuffixLen
	if i < 0 || name[i] != '_' {
		return false
	}
	_, err := hex.DecodeString(name[i+1:])
	return err == nil
}

// maxRewrites bounds how often renameInText rewrites, and with it how much longer than the server's a text may become.
const maxRewrites = 64

// renameInText returns text with the names that are keys of renames replaced by their values, so that a description does
// not send an agent to a name that it cannot call. Work is proportional to the length of text, and at most 64 names are
// rewritten.
//
// A name is rewritten where it stands between quotes or backticks, and as a whole word: "a_b" is not in "a_b_c", in
// "x.a_b" nor in "/v1/a_b", but both are in "a_b/c_d" if both are renamed. A name that may be an ordinary word, such as
// "search", is one only between quotes, as "search(" or as "search tool".
func renameInText(text string, renames map[string]string) string {
	var b strings.Builder
	copied, rewrites := 0, 0
	replace := func(at, end int) {
		if rewrites < maxRewrites {
			b.WriteString(text[copied:at])
			b.WriteString(renames[text[at:end]])
			copied, rewrites = end, rewrites+1
		}
	}
	for i := 0; i < len(text) && rewrites < maxRewrites && len(renames) > 0; {
		end := i + wordLen(text[i:])
		if end == i {
			r, n := utf8.DecodeRuneInString(text[i:])
			i += n
			if !strings.ContainsRune("`\"'", r) {
				continue
			}
			if n := strings.IndexRune(text[i:], r); n >= 0 {
				if _, ok := renames[text[i:i+n]]; ok {
					replace(i, i+n)
					i += n + 1
				}
			}
			continue
		}
		word := strings.TrimRight(text[i:end], ".:")
		_, ok := renames[word]
		switch {
		case ok && (!ordinaryWord(word) || markedAsTool(text[i+len(word):])):
			replace(i, i+len(word))
		case !ok && strings.Contains(word, "/"):
			parts := strings.Split(word, "/")
			unknown := func(part string) bool { _, ok := renames[part]; return !ok || ordinaryWord(part) }
			if slices.ContainsFunc(parts, unknown) {
				break
			}
			at := i
			for _, part := range parts {
				replace(at, at+len(part))
				at += len(part) + 1
			}
		}
		i = end
	}
	if rewrites == 0 {
		return text
	}
	b.WriteString(text[copied:])
	return b.String()
}

// wordLen returns the length of the word at the start of s, with the characters that make paths of words, or 0.
func wordLen(s string) int {
	n := strings.IndexFunc(s, func(r rune) bool { return !isWordRune(r) && r != '.' && r != '/' && r != ':' })
	if n < 0 {
		return len(s)
	}
	return n
}

func isWordRune(r rune) bool {
	return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)
}

// ordinaryWord reports whether s may be a word of a sentence: letters, at most the first of them a capital.
func ordinaryWord(s string) bool {
	for i, r := range s {
		if !unicode.IsLetter(r) || i > 0 && unicode.IsUpper(r) {
			return false
		}
	}
	return true
}

// markedAsTool reports whether what follows a word says that it names a tool.
func markedAsTool(s string) bool {
	if after, ok := strings.CutPrefix(s, " tool"); ok {
		r, _ := utf8.DecodeRuneInString(after)
		return !isWordRune(r)
	}
	return strings.HasPrefix(s, "(")
}
