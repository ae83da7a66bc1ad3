package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A synset is one meaning: the lemmas that express it and how WordNet explains it.
type synset struct {
	lemmas   []string
	kinds    []string // keys of its hypernyms and of the verbs of its group
	gloss    string
	examples []string
}

// A lemma is a word or phrase as one part of speech.
type lemma struct {
	word    string
	pos     byte     // 'n', 'v', 'a' or 'r'
	synsets []string // keys of its meanings, the most frequent first
}

// A wordnet is a directory of WordNet 3.0 database files, as described in wndb(5).
type wordnet struct {
	keys    []string // of synsets, in the order of the files
	synsets map[string]*synset
	lemmas  []lemma
}

func readWordnet(dir string) (*wordnet, error) {
	wn := &wordnet{synsets: map[string]*synset{}}
	for _, pos := range []string{"noun", "verb", "adj", "adv"} {
		if err := eachLine(filepath.Join(dir, "data."+pos), wn.addData); err != nil {
			return nil, err
		}
		if err := eachLine(filepath.Join(dir, "index."+pos), wn.addIndex); err != nil {
			return nil, err
		}
	}
	return wn, nil
}

// eachLine calls f with every line of a file. Errors name the file and the line.
func eachLine(file string, f func(line string) error) error {
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	defer in.Close() // only read
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 64<<20)
	for n := 1; sc.Scan(); n++ {
		if err := f(sc.Text()); err != nil {
			return fmt.Errorf("train: %s:%d: %w", file, n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("train: reading %s: %w", file, err)
	}
	return nil
}

// licence reports whether a line is part of the licence at the top of every file.
func licence(line string) bool { return strings.HasPrefix(line, "  ") }

// partOfSpeech makes adjective satellites adjectives.
func partOfSpeech(pos byte) byte {
	if pos == 's' {
		return 'a'
	}
	return pos
}

func spaced(word string) string { return strings.ReplaceAll(word, "_", " ") }

// addData reads "offset file pos count word id [word id...] count [pointer offset pos source/target...] | gloss".
func (wn *wordnet) addData(line string) error {
	if licence(line) {
		return nil
	}
	data, gloss, ok := strings.Cut(line, " | ")
	f := strings.Fields(data)
	if !ok || len(f) < 6 {
		return fmt.Errorf("a synset has no explanation")
	}
	s := &synset{}
	words, err := strconv.ParseInt(f[3], 16, 32)
	if err != nil || words < 1 || len(f) < 5+2*int(words) {
		return fmt.Errorf("%q is not the number of words", f[3])
	}
	for i := range int(words) {
		word, _, _ := strings.Cut(f[4+2*i], "(") // galore(ip): a mark of where an adjective may stand
		s.lemmas = append(s.lemmas, spaced(word))
	}
	rest := f[4+2*int(words):]
	pointers, err := strconv.Atoi(rest[0])
	if err != nil || pointers < 0 || len(rest) < 1+4*pointers {
		return fmt.Errorf("%q is not the number of pointers", rest[0])
	}
	for i := range pointers {
		if p := rest[1+4*i:]; p[0] == "@" || p[0] == "$" {
			s.kinds = append(s.kinds, string(partOfSpeech(p[2][0]))+p[1])
		}
	}
	var definition []string
	for part := range strings.SplitSeq(gloss, ";") {
		if part = strings.TrimSpace(part); strings.HasPrefix(part, `"`) {
			s.examples = append(s.examples, strings.Trim(part, `"`))
		} else if part != "" {
			definition = append(definition, part)
		}
	}
	s.gloss = strings.Join(definition, "; ")
	id := string(partOfSpeech(f[2][0])) + f[0]
	wn.keys = append(wn.keys, id)
	wn.synsets[id] = s
	return nil
}

// addIndex reads "lemma pos synsets pointers [pointer...] senses tagged offset [offset...]".
func (wn *wordnet) addIndex(line string) error {
	if licence(line) {
		return nil
	}
	f := strings.Fields(line)
	if len(f) < 6 {
		return fmt.Errorf("a lemma has no meaning")
	}
	n, err := strconv.Atoi(f[2])
	if err != nil || n < 1 || n > len(f)-5 {
		return fmt.Errorf("%q is not the number of meanings", f[2])
	}
	l := lemma{word: spaced(f[0]), pos: f[1][0]}
	for _, offset := range f[len(f)-n:] {
		id := f[1] + offset
		if wn.synsets[id] == nil {
			return fmt.Errorf("no synset %s", id)
		}
		l.synsets = append(l.synsets, id)
	}
	wn.lemmas = append(wn.lemmas, l)
	return nil
}
