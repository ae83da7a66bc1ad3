package tokens

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func ExampleEstimate() {
	fmt.Println(Estimate().Count("create_pull_request"), Estimate().Count("Creates a pull request."))
	// Output: 4 5
}

// The exact counts are those of o200k_base.
func TestEstimateIsNearTheExactCount(t *testing.T) {
	for _, tt := range []struct {
		text  string
		exact int
	}{
		{`{"type":"object","properties":{"query":{"type":"string","description":"The search query"}},"required":["query"]}`, 25},
		{"Hello, world! How are you?", 8},
		{"dGhpcyBpcyBiYXNlNjQgdGV4dCB3aXRoIHNvbWUgcGFkZGluZw==", 31},
		{"func (c *chooser) take(i int, why Reason, whose int) bool {\n\tif k.at[i] > 0 {\n\t\treturn true\n\t}\n\tc := &k.c[i]\n\ttokens, compact := c.least(k.Whole)\n}\n", 53},
		{"id 3f2b8c1e-9d4a-4e7b-8f6c-1a2b3c4d5e6f and key sk-proj-8Hq2LmZ0pXcV7bNtR4yWkJfGs9dA at 2025-11-21T15:31:40Z", 84},
		{strings.Repeat("; ", 500), 501},
	} {
		got := Estimate().Count(tt.text)
		if off := float64(got)/float64(tt.exact) - 1; off < -.25 || off > .25 {
			t.Errorf("Count(%q) = %d, the exact count is %d", tt.text, got, tt.exact)
		}
	}
}

func TestEstimateOfNothingIsZeroAndOfAnythingIsNot(t *testing.T) {
	if got := Estimate().Count(""); got != 0 {
		t.Errorf(`Count("") = %d`, got)
	}
	for b := range 256 {
		if got := Estimate().Count(string([]byte{byte(b)})); got < 1 || got > 4 {
			t.Errorf("Count of byte %#x = %d", b, got)
		}
	}
}

func TestEstimateAllocatesNothing(t *testing.T) {
	text := strings.Repeat("Creates an issue; needs `write` access. 標題 naïve 🚀 ", 50)
	if n := testing.AllocsPerRun(100, func() { Estimate().Count(text) }); n != 0 {
		t.Errorf("Count allocates %v times", n)
	}
}

func FuzzEstimateIsInProportionToTheText(f *testing.F) {
	f.Add("Creates an issue.", "Needs `write` access.")
	f.Add("標題\xff🚀", "\r\n\t don't")
	f.Fuzz(func(t *testing.T, a, b string) {
		c := Estimate()
		na, nb, both := c.Count(a), c.Count(b), c.Count(a+b)
		if na > 1+4*len(a) || na*40 < utf8.RuneCountInString(a) {
			t.Errorf("%d bytes count %d", len(a), na)
		}
		// Text that is put together costs what its parts do, but for what stands at the joint; a run of data may turn out
		// to be one there.
		if joined := both - na - nb; joined < -24-len(a+b)/2 || joined > 24+len(a+b) {
			t.Errorf("%q and %q count %d and %d, together %d", a, b, na, nb, both)
		}
	})
}

func timed(f func()) float64 {
	start := time.Now()
	f()
	return float64(time.Since(start))
}

func BenchmarkEstimate(b *testing.B) {
	text, err := Function("create_issue", "Creates an issue in a repository. Needs write access: ask for it with `request_access`.",
		map[string]any{"type": "object", "properties": map[string]any{"title": map[string]any{"type": "string", "maxLength": 256.0}}})
	if err != nil {
		b.Fatal(err)
	}
	text = strings.Repeat(text, 100)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	sum := 0
	for b.Loop() {
		sum += Estimate().Count(text)
	}
	if sum == 0 {
		b.Error("nothing was counted")
	}
}
