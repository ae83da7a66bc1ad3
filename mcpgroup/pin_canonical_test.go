package mcpgroup

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCanonicalJSON(t *testing.T) {
	for in, want := range map[string]string{
		` { "b" : [ 1 , 2 ] , "a" : { } } `:               `{"a":{},"b":[1,2]}`,
		`"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"`: `"€$\u000f\nA'B\"\\\\\"/"`, // RFC 8785 section 3.2.2
		`"\b\t\n\f\r\u007f\u0000<>&"`:                     `"\b\t\n\f\r` + "\u007f" + `\u0000<>&"`,
		`"\ud83d\ude00"`:                                  `"😀"`,
		// RFC 8785 section 3.2.3: by UTF-16 code units, so that U+1F600 comes before U+FB33.
		`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`: "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}",
		`[true,false,null,"",[],{}]`:    `[true,false,null,"",[],{}]`,
		`9007199254740993`:              `9007199254740993`,
		`9007199254740992.0`:            `9007199254740992`,
		`333333333.33333329`:            `333333333.33333329`,
		`1E30`:                          `1e+30`,
		`4.50`:                          `4.5`,
		`2e-3`:                          `0.002`,
		`0.000000000000000000000000001`: `1e-27`,
		`0.0000010`:                     `0.000001`,
		`1e-7`:                          `1e-7`,
		`100000000000000000000`:         `100000000000000000000`,
		`1000000000000000000000`:        `1e+21`,
		`-0`:                            `0`,
		`-0.0e5`:                        `0`,
		`-12.30e1`:                      `-123`,
		`1e0000000000000000000000001`:   `10`,
		`1e+999999999999`:               `1e+999999999999`,
	} {
		got, err := canonicalJSON([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("canonicalJSON(%s) = %s, %v, want %s", in, got, err, want)
		}
	}
	for _, bad := range []string{
		``, `{`, `[1 2]`, `01`, `1.`, `{"a":1,}`, `nul`, "\"\x01\"", "\xef\xbb\xbf1", `1 1`,
		`{"a":1,"a":1}`, `{"a":{"b":1,"\u0062":1}}`, `[{"x":0,"y":0,"x":0}]`,
		`"\ud800"`, `"\ud800x"`, `"\ud800\u0041"`, `"\udc00\ud800"`, `{"\udfff":1}`, "\"\xff\"", "\"\xed\xa0\x80\"",
		`1e1000000000000000000`, `1e-9999999999999999999999`, strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
	} {
		if got, err := canonicalJSON([]byte(bad)); err == nil {
			t.Errorf("canonicalJSON(%.40q) = %.40q", bad, got)
		}
	}
}

// sameMeaning compares two JSON texts by another way: encoding/json with exact numbers. It reports ok if it can tell.
func sameMeaning(a, b []byte) (same, ok bool) {
	decode := func(text []byte) (v any, err error) {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		err = dec.Decode(&v)
		return v, err
	}
	x, err := decode(a)
	if err != nil {
		return false, false
	}
	y, err := decode(b)
	if err != nil {
		return false, false
	}
	ok = true
	var equal func(x, y any) bool
	equal = func(x, y any) bool {
		switch x := x.(type) {
		case map[string]any:
			y, isMap := y.(map[string]any)
			if !isMap || len(x) != len(y) {
				return false
			}
			for k := range x {
				other, there := y[k]
				if !there || !equal(x[k], other) {
					return false
				}
			}
			return true
		case []any:
			y, isArray := y.([]any)
			if !isArray || len(x) != len(y) {
				return false
			}
			for i := range x {
				if !equal(x[i], y[i]) {
					return false
				}
			}
			return true
		case json.Number:
			y, isNumber := y.(json.Number)
			if !isNumber {
				return false
			}
			p, q := exact(x), exact(y)
			if p == nil || q == nil {
				ok = false
				return false
			}
			return p.Cmp(q) == 0
		}
		return x == y
	}
	same = equal(x, y)
	return same, ok
}

// exact returns the value of a number whose exponent is small enough to write it out, else nil.
func exact(n json.Number) *big.Rat {
	if i := strings.IndexAny(string(n), "eE"); i >= 0 && len(strings.TrimLeft(string(n)[i+1:], "+-0")) > 3 {
		return nil
	}
	r, _ := new(big.Rat).SetString(string(n))
	return r
}

// The canonical form is valid, is its own canonical form, means what the text means, and is the same for two texts exactly
// if they mean the same.
func FuzzCanonicalJSON(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":9007199254740993,"b":[1.0,"\u0041"]}`, `{"b":[1,"A"],"a":9007199254740992}`},
		{`1e2`, `100`}, {`-0`, `0.0`}, {`"\ud83d\ude00"`, `"😀"`}, {`{"\r":1,"€":2}`, `{"€":2,"\u000d":1}`},
		{`123456789012345678901234567890`, `1.2345678901234567890123456789e29`}, {`0.1`, `0.10000000000000001`},
		{`[[],{},null]`, `[[],{},false]`}, {`1E400`, `10e399`}, {`"\/"`, `"/"`}, {`5e-324`, `0.5e-323`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		ca, err := canonicalJSON(a)
		if err != nil {
			return
		}
		if !json.Valid(ca) || !utf8.Valid(ca) {
			t.Fatalf("canonicalJSON(%q) = %q, which is not valid", a, ca)
		}
		if again, err := canonicalJSON(ca); err != nil || !bytes.Equal(again, ca) {
			t.Fatalf("canonicalJSON(%q) = %q, of which it is %q, %v", a, ca, again, err)
		}
		if same, ok := sameMeaning(a, ca); ok && !same {
			t.Fatalf("%q does not mean %q", ca, a)
		}
		cb, err := canonicalJSON(b)
		if err != nil {
			return
		}
		if same, ok := sameMeaning(a, b); ok && same != bytes.Equal(ca, cb) {
			t.Fatalf("%q and %q mean the same = %t, but are %q and %q", a, b, same, ca, cb)
		}
	})
}

// A hash does not depend on what is not pinned, and never panics.
func FuzzHashTool(f *testing.F) {
	f.Add([]byte(pinnedTool))
	f.Add([]byte(otherTool))
	f.Add([]byte(`{"name":null,"annotations":{"a":1e5}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		pin, err := hashTool(text)
		if err != nil {
			return
		}
		canonical, _ := canonicalJSON(text)
		again, err := hashTool(canonical)
		if err != nil || again.SHA256 != pin.SHA256 || len(changedFields(pin.Fields, again.Fields)) > 0 {
			t.Fatalf("%q is pinned as %v, its canonical form as %v, %v", text, pin, again, err)
		}
		if bytes.HasPrefix(canonical, []byte(`{"`)) && !bytes.Contains(canonical, []byte(`"a"`)) {
			more := append([]byte(`{"a":1,`), canonical[1:]...)
			if again, err := hashTool(more); err != nil || again.SHA256 != pin.SHA256 {
				t.Fatalf("%q is pinned as %v, with another member as %v, %v", text, pin, again, err)
			}
		}
	})
}

func BenchmarkHashTool(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(pinnedTool)))
	for b.Loop() {
		if _, err := hashTool([]byte(pinnedTool)); err != nil {
			b.Fatal(err)
		}
	}
}
