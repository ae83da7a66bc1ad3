package static

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/mcpfleet/mcpfleet/internal/text"
)

// The format of a model, all numbers little-endian:
//
//	offset  size  what
//	0       8     "mcpstat" and the version of the format, 1
//	8       32    SHA-256 of everything after it
//	40      4     dim: numbers per vector, 1 to 1,024
//	44      4     words: how many words are known, at most 4,194,304
//	48      4     buckets: how many vectors n-grams share, at most 4,194,304
//	52      4     names: the length of the next part
//	56      names the model's name, then its words, each followed by a line feed
//	        4*r   scale of each of the r = words + buckets vectors, float32
//	        r*dim the vectors, int8: a number is its int8 times the scale of its vector
const (
	magic      = "mcpstat\x01"
	headerSize = 56
	maxDim     = 1024
	maxRows    = 1 << 22
)

// N-grams of a word the model does not know: their lengths.
const minGram, maxGram = 3, 5

// ErrModel is the error of [New] for bytes that are no model: cut short, damaged or of another version.
var ErrModel = errors.New("static: not a usable model")

func modelError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrModel, fmt.Sprintf(format, args...))
}

// Weights are a model as a program that trains one writes it.
type Weights struct {
	// Name is the model's name, such as "mcpfleet-static-1". It must not contain a line feed.
	Name string
	// Dim is the number of numbers per vector.
	Dim int
	// Words are the known words, as keys of [Term]. They must be distinct, not empty, and without line feeds.
	Words []string
	// Buckets is how many vectors the n-grams of unknown words share.
	Buckets int
	// Vectors are those of the words and then those of the buckets, one after the other.
	Vectors []float32
}

// MarshalBinary returns the model in the form that [New] reads. Numbers are rounded to 8 bits.
func (w *Weights) MarshalBinary() ([]byte, error) {
	rows := len(w.Words) + w.Buckets
	if w.Dim < 1 || w.Dim > maxDim || w.Buckets < 0 || rows > maxRows || len(w.Vectors) != rows*w.Dim {
		return nil, fmt.Errorf("static: encoding a model: %d numbers are not %d words and %d buckets of 1 to %d numbers",
			len(w.Vectors), len(w.Words), w.Buckets, maxDim)
	}
	names := w.Name + "\n" + strings.Join(w.Words, "\n")
	if len(w.Words) > 0 {
		names += "\n"
	}
	b := make([]byte, 0, headerSize+len(names)+rows*(4+w.Dim))
	b = append(b, magic...)
	b = append(b, make([]byte, sha256.Size)...)
	for _, n := range []int{w.Dim, len(w.Words), w.Buckets, len(names)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	b = append(b, names...)
	for r := range rows {
		var top float64
		for _, x := range w.Vectors[r*w.Dim:][:w.Dim] {
			top = max(top, math.Abs(float64(x)))
		}
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(top/127)))
	}
	for r := range rows {
		scale := math.Float32frombits(binary.LittleEndian.Uint32(b[headerSize+len(names)+4*r:]))
		for _, x := range w.Vectors[r*w.Dim:][:w.Dim] {
			var q int8
			if scale > 0 {
				q = int8(min(max(math.RoundToEven(float64(x)/float64(scale)), -127), 127))
			}
			b = append(b, byte(q))
		}
	}
	sum := sha256.Sum256(b[len(magic)+sha256.Size:])
	copy(b[len(magic):], sum[:])
	if _, err := New(b); err != nil {
		return nil, err
	}
	return b, nil
}

// New reads a model that [Weights.MarshalBinary] wrote. It keeps model, which must not be changed. The error is [ErrModel].
func New(model []byte) (*Embedder, error) {
	if len(model) < headerSize || string(model[:7]) != magic[:7] {
		return nil, modelError("it does not begin like one")
	}
	if model[7] != magic[7] {
		return nil, modelError("format %d, this version reads format %d", model[7], magic[7])
	}
	sum := sha256.Sum256(model[40:])
	if !bytes.Equal(sum[:], model[8:40]) {
		return nil, modelError("its checksum does not fit")
	}
	number := func(offset int) int64 { return int64(binary.LittleEndian.Uint32(model[offset:])) }
	dim, words, buckets, names := number(40), number(44), number(48), number(52)
	if dim < 1 || dim > maxDim || words+buckets > maxRows {
		return nil, modelError("%d words and %d buckets of %d numbers", words, buckets, dim)
	}
	rows := words + buckets
	if want := headerSize + names + rows*(4+dim); int64(len(model)) != want {
		return nil, modelError("%d bytes instead of %d", len(model), want)
	}
	e := &Embedder{dim: int(dim), words: make(map[string]int32, words), known: int(words), buckets: uint32(buckets)}
	list := string(model[headerSize : headerSize+names])
	name, list, ok := strings.Cut(list, "\n")
	for i := int64(0); ok && i < words; i++ {
		var word string
		word, list, ok = strings.Cut(list, "\n")
		if _, twice := e.words[word]; twice || word == "" || !utf8.ValidString(word) {
			return nil, modelError("word %d is empty, known already or no UTF-8", i)
		}
		e.words[word] = int32(i)
	}
	if !ok || list != "" {
		return nil, modelError("it does not list %d words", words)
	}
	e.name = name + "@" + hex.EncodeToString(sum[:8])
	e.scales = make([]float32, rows)
	rest := model[headerSize+names:]
	for i := range e.scales {
		e.scales[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest[4*i:]))
		if s := e.scales[i]; !(s >= 0 && s <= 1e6) {
			return nil, modelError("scale %d is %v", i, s)
		}
	}
	e.vectors = rest[4*rows:]
	e.scratch.New = func() any { return new(scratch) }
	return e, nil
}

// grams appends the rows of the n-grams of an unknown word.
func (e *Embedder) grams(dst []uint32, key string) []uint32 {
	from := len(dst)
	dst = text.Grams(dst, key, minGram, maxGram)
	for i := range dst[from:] {
		dst[from+i] = uint32(e.known) + dst[from+i]%e.buckets
	}
	return dst
}
