package main

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/text"
)

// A definition is a tool cut into the parts that its views are made of, as numbers of terms.
type definition struct {
	marks      [2]int32 // see batch.marks
	server     int32    // its number
	serverName []int32
	name       []int32
	about      [][]int32 // sentences on the server
	sentences  [][]int32 // of the description
	params     []paramTerms
}

type paramTerms struct{ name, description []int32 }

// Bounds, in terms, so that a few endless descriptions do not take most of the time.
const (
	maxSentences     = 12
	maxSentence      = 60
	maxParams        = 20
	maxParamSentence = 30
)

// A meaning is a synset as numbers of terms.
type meaning struct {
	lemmas, kinds, examples [][]int32 // kinds are the lemmas of what it is a kind of
	gloss                   []int32
}

// A corpus makes pairs of texts that belong together.
type corpus struct {
	recipe      *recipe
	lex         *lexicon
	definitions []*definition
	siblings    [][]*definition // per definition: all of its server
	meanings    []*meaning
	synonyms    map[int32][][]int32 // of WordNet
	spoken      map[int32][][]int32 // what people say for it, of phrases.go
	chatter     [][]int32
}

func newCorpus(r *recipe, tools []*tool, servers map[string]*server, wn *wordnet) *corpus {
	c := &corpus{recipe: r, lex: newLexicon(), synonyms: map[int32][][]int32{}, spoken: map[int32][][]int32{}}
	c.addTools(tools, servers)
	c.addMeanings(wn)
	c.addSynonyms(wn)
	c.addPhrases()
	return c
}

// A numbering gives equal strings equal numbers.
type numbering map[string]int32

func (n numbering) of(s string) int32 {
	if _, ok := n[s]; !ok {
		n[s] = int32(len(n))
	}
	return n[s]
}

func (c *corpus) addTools(tools []*tool, servers map[string]*server) {
	numbers, names, descriptions := numbering{}, numbering{}, numbering{}
	byServer := map[string][]*definition{}
	about := map[string][][]int32{}
	for _, t := range tools {
		if s := servers[t.Server]; s != nil && about[t.Server] == nil {
			about[t.Server] = c.texts(text.Sentences(nil, s.about), 3)
		}
		d := &definition{
			server: numbers.of(t.Server), serverName: c.lex.text(t.Server, 1), name: c.lex.text(t.Name, 1), about: about[t.Server],
		}
		mark := prefix(t.Description)
		if mark == "" {
			mark = t.ID
		}
		d.marks = [2]int32{names.of(strings.Join(c.keys(d.name), " ")), descriptions.of(mark)}
		for _, s := range text.Sentences(nil, t.Description) {
			if x := c.lex.text(s, 1); len(x) > 1 && len(d.sentences) < maxSentences {
				d.sentences = append(d.sentences, x[:min(len(x), maxSentence)])
			}
		}
		for _, p := range t.params() {
			if len(d.params) == maxParams {
				break
			}
			x := c.lex.text(p.description, 1)
			d.params = append(d.params, paramTerms{c.lex.text(p.name, 1), x[:min(len(x), maxParamSentence)]})
		}
		c.definitions = append(c.definitions, d)
		byServer[t.Server] = append(byServer[t.Server], d)
	}
	for _, t := range tools {
		c.siblings = append(c.siblings, byServer[t.Server])
	}
}

func (c *corpus) keys(terms []int32) []string {
	var out []string
	for _, id := range terms {
		out = append(out, c.lex.words[id])
	}
	return out
}

// texts numbers several texts, and leaves out those with fewer than n terms.
func (c *corpus) texts(texts []string, n int) [][]int32 {
	var out [][]int32
	for _, s := range texts {
		if x := c.lex.text(s, 1); len(x) >= n {
			out = append(out, x)
		}
	}
	return out
}

func (c *corpus) addMeanings(wn *wordnet) {
	for _, key := range wn.keys {
		s := wn.synsets[key]
		m := &meaning{lemmas: c.texts(s.lemmas, 1), examples: c.texts(s.examples, 2), gloss: c.lex.text(s.gloss, 1)}
		for _, h := range s.kinds {
			if kind := wn.synsets[h]; kind != nil {
				m.kinds = append(m.kinds, c.texts(kind.lemmas, 1)...)
			}
		}
		if len(m.lemmas) > 0 && len(m.gloss) > 0 {
			c.meanings = append(c.meanings, m)
		}
	}
}

// addSynonyms takes the other words for the most frequent senses of a word: rare senses mislead more than they teach.
func (c *corpus) addSynonyms(wn *wordnet) {
	senses := map[byte]int{'v': 3, 'n': 2, 'a': 2}
	for _, lemma := range wn.lemmas {
		word := key(lemma.word)
		if word == "" {
			continue
		}
		id := c.lex.text(lemma.word, 0)[0]
		for _, k := range lemma.synsets[:min(len(lemma.synsets), senses[lemma.pos])] {
			for _, other := range wn.synsets[k].lemmas {
				if x := c.lex.text(other, 0); len(x) > 0 && len(x) <= 3 && (len(x) > 1 || x[0] != id) {
					c.synonyms[id] = append(c.synonyms[id], x)
				}
			}
		}
	}
}

// seldom is how often a term of phrases.go counts as seen, so that it gets a row.
const seldom = 5

func (c *corpus) addPhrases() {
	for line := range strings.Lines(operations + things) {
		head, others, ok := strings.Cut(strings.TrimSpace(line), ",")
		word := c.lex.text(head, seldom)
		if !ok || len(word) != 1 {
			continue
		}
		for s := range strings.SplitSeq(others, ",") {
			c.spoken[word[0]] = append(c.spoken[word[0]], c.lex.text(s, seldom))
		}
	}
	for s := range strings.SplitSeq(strings.ReplaceAll(chatter, "\n", " "), ";") {
		c.chatter = append(c.chatter, c.lex.text(s, seldom))
	}
}

// pick returns one of s.
func pick[T any](rng *rand.Rand, s []T) T { return s[rng.IntN(len(s))] }

// chance is true with probability p.
func chance(rng *rand.Rand, p float64) bool { return rng.Float64() < p }

// blur appends terms to dst, without some of them, and with some as their n-grams only.
func (c *corpus) blur(dst, terms []int32, drop float64, rng *rand.Rand) []int32 {
	for _, id := range terms {
		switch {
		case chance(rng, drop):
		case chance(rng, c.recipe.Ngrams):
			dst = append(dst, ^id)
		default:
			dst = append(dst, id)
		}
	}
	return dst
}

// say appends terms to dst as somebody else would put them.
func (c *corpus) say(dst, terms []int32, rng *rand.Rand) []int32 {
	r := c.recipe
	for _, id := range terms {
		if chance(rng, r.DropRequest) {
			continue
		}
		if s := c.spoken[id]; len(s) > 0 && chance(rng, r.Spoken) {
			dst = append(dst, pick(rng, s)...)
		} else if s := c.synonyms[id]; len(s) > 0 && chance(rng, r.Synonyms) {
			dst = append(dst, pick(rng, s)...)
		} else {
			dst = c.blur(dst, []int32{id}, 0, rng)
		}
	}
	return dst
}

// request makes a text such as somebody might write who needs the tool. It says which sentence and which parameter it was
// made of, or -1, and whether of the name.
func (c *corpus) request(d *definition, rng *rand.Rand) (q []int32, sentence, param int, name bool) {
	sentence, param = -1, -1
	var source []int32
	switch p := rng.Float64(); {
	case p < .5 && len(d.sentences) > 0:
		sentence = 0 // says most of what the tool does
		if chance(rng, .4) {
			sentence = rng.IntN(len(d.sentences))
		}
		source = d.sentences[sentence]
	case p < .65 && len(d.params) > 0:
		name, param = true, rng.IntN(len(d.params))
		source = slices.Concat(d.name, d.params[param].name, d.params[param].description)
	default:
		name, source = true, d.name
	}
	if chance(rng, .5) {
		source = slices.Concat(source, d.serverName)
	}
	q = c.say(nil, source, rng)
	if len(q) == 0 {
		q = append(q, source...)
	}
	return c.wrap(q, rng), sentence, param, name
}

// wrap puts chatter around a request.
func (c *corpus) wrap(q []int32, rng *rand.Rand) []int32 {
	if chance(rng, c.recipe.Chatter) {
		for range 1 + rng.IntN(5) {
			q = append(q, pick(rng, c.chatter)...)
		}
	}
	return q
}

// toolPair makes a request for a tool and a text of the tool. Often the part that the request was made of is left out of
// the latter, so that what they have in common is the meaning and not the words; and sometimes the request asks for something
// else as well.
func (c *corpus) toolPair(d *definition, rng *rand.Rand) (request, tool []int32) {
	request, sentence, param, name := c.request(d, rng)
	if chance(rng, c.recipe.Second) {
		other, _, _, _ := c.request(pick(rng, c.definitions), rng)
		request = append(request, other...)
	}
	drop := c.recipe.DropTool
	apart := chance(rng, c.recipe.Apart)
	tool = c.blur(tool, d.serverName, drop, rng)
	if !apart || !name {
		tool = c.blur(tool, d.name, drop, rng)
	}
	for i, s := range d.sentences {
		if !apart || i != sentence {
			tool = c.blur(tool, s, drop, rng)
		}
	}
	for i, p := range d.params {
		if !apart || i != param {
			tool = c.blur(tool, p.name, drop, rng)
			tool = c.blur(tool, p.description, drop, rng)
		}
	}
	if len(tool) == 0 {
		tool = slices.Concat(d.name, d.serverName)
	}
	return request, tool
}

// aboutPair makes a text on a server and one of a tool of it.
func (c *corpus) aboutPair(d *definition, rng *rand.Rand) (request, tool []int32) {
	request = c.wrap(c.say(nil, pick(rng, d.about), rng), rng)
	tool = c.blur(nil, d.name, c.recipe.DropTool, rng)
	if chance(rng, .5) {
		tool = c.blur(tool, d.serverName, c.recipe.DropTool, rng)
	}
	for _, s := range d.sentences {
		tool = c.blur(tool, s, c.recipe.DropTool, rng)
	}
	return request, tool
}

// meaningPair makes two texts of one meaning: two lemmas, an example and its explanation, or a lemma and its explanation.
func (c *corpus) meaningPair(m *meaning, rng *rand.Rand) (a, b []int32) {
	lemma := rng.IntN(len(m.lemmas))
	p := rng.Float64()
	switch {
	case p < .35 && len(m.lemmas) > 1:
		other := (lemma + 1 + rng.IntN(len(m.lemmas)-1)) % len(m.lemmas)
		a = c.blur(a, m.lemmas[lemma], 0, rng)
		b = c.blur(b, m.lemmas[other], 0, rng)
	case p < .5 && len(m.examples) > 0:
		a = c.blur(a, pick(rng, m.examples), .1, rng)
		b = c.blur(b, m.lemmas[lemma], 0, rng)
		return a, c.blur(b, m.gloss, .2, rng)
	default:
		a = c.blur(a, m.lemmas[lemma], 0, rng)
		b = c.blur(b, m.gloss, .2, rng)
	}
	if len(m.kinds) > 0 && chance(rng, .5) {
		b = c.blur(b, pick(rng, m.kinds), 0, rng)
	}
	return a, b
}
