package schema

import (
	"strings"
	"testing"
	"time"
)

func compilePattern(t testing.TB, source string) *pattern {
	t.Helper()
	c := patternCache{bySource: map[string]*pattern{}}
	p, err := c.compile(source, nil)
	if err != nil {
		t.Fatalf("%q: %v", source, err)
	}
	return p
}

func TestPatternsMeanWhatECMA262Says(t *testing.T) {
	for _, c := range []struct{ pattern, match, not string }{
		{`^\d{3}$`, "123", "1234"},
		{`^a\/b$`, "a/b", `a\/b`},
		{`^\u0041\u{1F600}$`, "A😀", "a😀"},
		{`^\ud83d\ude00$`, "😀", "?"},
		{`^\cJ$`, "\n", "J"},
		{`^\s$`, "\u00a0", "x"},
		{`^\s$`, "\v", "_"},
		{`^[\s]$`, "\ufeff", "x"},
		{`^\S$`, "x", "\u2003"},
		{`^[\s\S]$`, "\n", ""},
		{`^[^]$`, "\n", ""},
		{`^.$`, "x", "\u2028"},
		{`^.$`, "é", "\r"},
		{`^[[:alpha:]]$`, "a]", "b"}, // a class of [ : a l p h, then a bracket
		{`^[a\]b]$`, "]", `\`},
		{`^\x41$`, "A", "x41"},
		{`^(?<y>\d+)$`, "12", "x"},
		{`^\p{L}+$`, "éa", "1"},
		{`a$`, "ba", "a\n"},
		{`^a{2,}$`, "aaa", "a"},
		{`(?i)^abc$`, "aBC", "abd"},
	} {
		p := compilePattern(t, c.pattern)
		if p.opaque() {
			t.Errorf("%s is opaque", c.pattern)
			continue
		}
		if !p.re.MatchString(c.match) {
			t.Errorf("%s (%s) does not match %q", c.pattern, p.re, c.match)
		}
		if p.re.MatchString(c.not) {
			t.Errorf("%s (%s) matches %q", c.pattern, p.re, c.not)
		}
	}
	if compilePattern(t, `[]`).re.MatchString("x") {
		t.Error("[] matches")
	}
}

func TestPatternsWithoutCounterpartAreOpaque(t *testing.T) {
	for _, source := range []string{`(?=a)`, `(?!a)b`, `(?<=a)b`, `(a)\1`, `([`, `a{2000}`, `(a{100}){100}`, `\ud800`, `\u12`, `\c1`, `\k<n>`, `\p{Script=Greek}`, `(?i)\u00e9`, `*`} {
		if !compilePattern(t, source).opaque() {
			t.Errorf("%s is not opaque", source)
		}
	}
}

func TestPatternTextIsLimited(t *testing.T) {
	fresh := func() *patternCache { return &patternCache{bySource: map[string]*pattern{}} }
	if _, err := fresh().compile(strings.Repeat("a", maxPatternText), nil); err != nil {
		t.Error(err)
	}
	if _, err := fresh().compile(strings.Repeat("a", maxPatternText+1), nil); guardRule(err) != RulePattern {
		t.Errorf("a pattern that is too long: %v", err)
	}
	c := fresh()
	unknown := strings.Repeat("(?=a)", maxPatternText/5) // opaque, so that only the text counts
	for i := range maxPatternSum / maxPatternText {
		if _, err := c.compile(unknown[i:], nil); err != nil {
			t.Fatalf("pattern %d: %v", i, err)
		}
	}
	if _, err := c.compile(unknown[100:], nil); guardRule(err) != RulePattern {
		t.Errorf("patterns that are too long together: %v", err)
	}
	for range 100 {
		if _, err := c.compile(unknown, nil); err != nil {
			t.Fatalf("the same pattern again: %v", err)
		}
	}
}

// TestAnUnknownPatternNeverRefusesWhatTheServerMightTake walks through every place where "not enforced" could turn
// around and refuse.
func TestAnUnknownPatternNeverRefusesWhatTheServerMightTake(t *testing.T) {
	const unknown = `{"type":"string","pattern":"^(?!x)"}`
	for _, c := range []verdictCase{
		{name: "itself", schema: `{"properties":{"v":` + unknown + `}}`,
			good: []string{`{"v":"a"}`, `{"v":"x"}`}, bad: map[string]string{`{"v":1}`: "/v"}},
		{name: "not", schema: `{"properties":{"v":{"not":` + unknown + `}}}`, good: []string{`{"v":"a"}`, `{"v":1}`}},
		{name: "oneOf twice", schema: `{"properties":{"v":{"oneOf":[` + unknown + `,{"pattern":"^(?=x)"}]}}}`,
			good: []string{`{"v":"a"}`, `{"v":1}`}},
		{name: "oneOf beside certainty", schema: `{"properties":{"v":{"oneOf":[` + unknown + `,{"type":"string"},{"minLength":1}]}}}`,
			bad: map[string]string{`{"v":"a"}`: "/v"}},
		{name: "if", schema: `{"properties":{"v":{"if":` + unknown + `,"then":{"minLength":3},"else":{"maxLength":1}}}}`,
			good: []string{`{"v":"a"}`, `{"v":"aaa"}`}, bad: map[string]string{`{"v":"aa"}`: "/v"}},
		{name: "contains", schema: `{"properties":{"v":{"contains":` + unknown + `,"maxContains":1}}}`,
			good: []string{`{"v":["a"]}`, `{"v":["a","b"]}`}, bad: map[string]string{`{"v":[]}`: "/v", `{"v":[1]}`: "/v"}},
		{name: "propertyNames", schema: `{"propertyNames":{"pattern":"^(?!x)"}}`, good: []string{`{"x":1}`}},
		{name: "patternProperties", schema: `{"properties":{"p":{"type":"null"}},"patternProperties":{"^(?!x)":{"type":"integer"}},"additionalProperties":false}`,
			good: []string{`{"a":1}`, `{"a":"x"}`, `{"p":null}`}, bad: map[string]string{`{"p":1}`: "/p"}},
		{name: "unevaluatedProperties", schema: `{"patternProperties":{"^(?!x)":{}},"unevaluatedProperties":false}`, good: []string{`{"a":1}`}},
		{name: "anyOf", schema: `{"properties":{"v":{"anyOf":[{"type":"integer"},` + unknown + `]}}}`,
			good: []string{`{"v":1}`, `{"v":"x"}`}, bad: map[string]string{`{"v":null}`: "/v"}},
	} {
		t.Run(c.name, c.run)
	}
}

// FuzzPattern compiles whatever comes: no pattern may panic the parser or become larger than its estimate allows for.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{`^\d{3}$`, `\u0041`, `[^]`, `[]`, `[\s\S]`, `(?i)[a-z]`, `(a{10}){10}`, `\pL`, `\`, `[`, `(?`, `\u{110000}`, `[a-\d]`, `\cA`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		c := patternCache{bySource: map[string]*pattern{}}
		start := time.Now()
		p, err := c.compile(source, nil)
		if err != nil {
			if guardRule(err) != RulePattern {
				t.Fatal(err)
			}
			return
		}
		if !p.opaque() {
			p.re.MatchString(strings.Repeat("ax", 100))
		}
		if d := time.Since(start); d > 10*time.Second { // a hang, not a measurement
			t.Fatalf("took %v", d)
		}
	})
}
