package static

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/mcpfleet/mcpfleet/internal/text"
)

// toy returns a small random model.
func toy(seed uint64) *Weights {
	rng := rand.New(rand.NewPCG(seed, 0))
	w := &Weights{Name: "toy", Dim: 32, Words: []string{"creat", "issu", "delet", "the", "utf8", "github"}, Buckets: 64}
	for range (len(w.Words) + w.Buckets) * w.Dim {
		w.Vectors = append(w.Vectors, float32(rng.NormFloat64()))
	}
	return w
}

func encode(t testing.TB, w *Weights) []byte {
	t.Helper()
	b, err := w.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// naive embeds with the numbers before rounding, in double precision and without any of the embedder's shortcuts.
func naive(w *Weights, s string, document bool) []float64 {
	counts := make([]float64, len(w.Words)+w.Buckets)
	for place, term := range Terms(nil, s) {
		n := 1.
		if document {
			n = 10 / (10 + float64(place))
		}
		if row := slices.Index(w.Words, term.Key); row >= 0 {
			counts[row] += n
		} else if term.Open && w.Buckets > 0 {
			grams := text.Grams(nil, term.Key, 3, 5)
			for _, g := range grams {
				counts[len(w.Words)+int(g%uint32(w.Buckets))] += n / float64(len(grams))
			}
		}
	}
	v := make([]float64, w.Dim)
	for row, n := range counts {
		if n > 1 {
			n = 1 + math.Log(n)
		}
		for j := range v {
			v[j] += n * float64(w.Vectors[row*w.Dim+j])
		}
	}
	return unit(v)
}

func unit(v []float64) []float64 {
	var square float64
	for _, x := range v {
		square += x * x
	}
	for i := range v {
		if square > 0 {
			v[i] /= math.Sqrt(square)
		}
	}
	return v
}

func TestRoundingToInt8HardlyTurnsVectors(t *testing.T) {
	w := toy(1)
	e, err := New(encode(t, w))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"create issue", "create an issue, then create issues and delete the issue", "unknownword", "unknownword unknownword unknownword create",
		"the the the the the", "utf8 GitHub createIssue", "create issue 123 9f3a-22d1 other words",
	} {
		for _, document := range []bool{false, true} {
			got, want := e.appendVector(nil, s, document), naive(w, s, document)
			var cosine float64
			for i := range want {
				cosine += float64(got[i]) * want[i]
			}
			if cosine < .9995 {
				t.Errorf("document %t: cosine of %q before and after rounding = %v", document, s, cosine)
			}
		}
	}
}

func TestModelWithoutBucketsKnowsItsWordsOnly(t *testing.T) {
	w := toy(1)
	w.Buckets = 0
	w.Vectors = w.Vectors[:len(w.Words)*w.Dim]
	e, err := New(encode(t, w))
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(e.Embed(nil, "unknownword"), func(x float32) bool { return x != 0 }) {
		t.Error("an unknown word has a vector")
	}
	if !slices.Equal(e.Embed(nil, "create unknownword"), e.Embed(nil, "create")) {
		t.Error("an unknown word changes the vector of a known one")
	}
}

func TestModelNameTellsContentsApart(t *testing.T) {
	names := map[string]bool{}
	for seed := range uint64(3) {
		e, err := New(encode(t, toy(seed)))
		if err != nil {
			t.Fatal(err)
		}
		names[e.Model()] = true
	}
	if len(names) != 3 {
		t.Errorf("three models have the names %v", names)
	}
}

func TestProvenanceIsThatOfTheModel(t *testing.T) {
	provenance, err := os.ReadFile("PROVENANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, fact := range []string{Default().Model(), fmt.Sprintf("%x", sha256.Sum256(embedded))} {
		if !bytes.Contains(provenance, []byte(fact)) {
			t.Errorf("PROVENANCE.md does not name %s", fact)
		}
	}
}

func TestEncodingIsReproducible(t *testing.T) {
	if !slices.Equal(encode(t, toy(1)), encode(t, toy(1))) {
		t.Error("the same weights are encoded in two ways")
	}
}

func TestWeightsThatAreNoModelAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Weights){
		"no dimension":      func(w *Weights) { w.Dim = 0 },
		"vector missing":    func(w *Weights) { w.Vectors = w.Vectors[:len(w.Vectors)-1] },
		"word twice":        func(w *Weights) { w.Words[1] = w.Words[0] },
		"empty word":        func(w *Weights) { w.Words[1] = "" },
		"word of two lines": func(w *Weights) { w.Words[1] = "a\nb" },
		"name of two lines": func(w *Weights) { w.Name = "a\nb" },
		"not a number":      func(w *Weights) { w.Vectors[3] = float32(math.NaN()) },
		"infinite":          func(w *Weights) { w.Vectors[3] = float32(math.Inf(-1)) },
	} {
		w := toy(1)
		spoil(w)
		if _, err := w.MarshalBinary(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// sign makes the checksum of a spoilt model right again.
func sign(b []byte) []byte {
	sum := sha256.Sum256(b[40:])
	copy(b[8:], sum[:])
	return b
}

func TestDamagedModelsAreErrors(t *testing.T) {
	good := encode(t, toy(1))
	check := func(name string, b []byte) {
		t.Helper()
		if e, err := New(b); !errors.Is(err, ErrModel) || e != nil {
			t.Errorf("%s: New = %v, %v, want ErrModel", name, e, err)
		}
	}
	for n := 0; n < len(good); n += 7 {
		check("cut short", good[:n])
	}
	for i := 0; i < len(good); i += 11 {
		b := slices.Clone(good)
		b[i] ^= 0x10
		check("flipped bit", b)
	}
	check("longer", append(slices.Clone(good), 0))
	check("signed longer", sign(append(slices.Clone(good), 0)))
	for _, offset := range []int{40, 44, 48, 52} {
		for _, n := range []uint32{0, 1, 31, 1025, 1 << 22, 1<<32 - 1} {
			b := slices.Clone(good)
			if binary.LittleEndian.Uint32(b[offset:]) == n {
				continue
			}
			binary.LittleEndian.PutUint32(b[offset:], n)
			check("wrong count", sign(b))
		}
	}
	names := headerSize + int(binary.LittleEndian.Uint32(good[52:]))
	for _, scale := range []float32{-1, float32(math.NaN()), float32(math.Inf(1)), 1e30} {
		b := slices.Clone(good)
		binary.LittleEndian.PutUint32(b[names+8:], math.Float32bits(scale))
		check("impossible scale", sign(b))
	}
	b := slices.Clone(good)
	b[headerSize+len("toy\n")] = 0xff
	check("word that is no UTF-8", sign(b))
}

func FuzzNewNeverPanics(f *testing.F) {
	small := &Weights{Name: "n", Dim: 2, Words: []string{"a", "b"}, Buckets: 1, Vectors: []float32{1, 2, 3, 4, 5, 6}}
	good := encode(f, small)
	f.Add(good)
	f.Add(good[:20])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= headerSize {
			b = sign(slices.Clone(b)) // else hardly any input would get past the checksum
		}
		e, err := New(b)
		if err != nil {
			if !errors.Is(err, ErrModel) {
				t.Errorf("error %v is not ErrModel", err)
			}
			return
		}
		checkVector(t, e.Embed(nil, "create a or b unknownword"), e.Dim())
	})
}

// checkVector checks that v has dim numbers and length 1 or 0.
func checkVector(t *testing.T, v []float32, dim int) {
	t.Helper()
	var square float64
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	if len(v) != dim || square != 0 && math.Abs(square-1) > 1e-4 || math.IsNaN(square) {
		t.Errorf("%d numbers with the squared length %v, want %d with 1 or 0", len(v), square, dim)
	}
}
