package schema

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"
)

// FuzzNumber compares number with its oracle, big.Rat, which is exact but slow.
func FuzzNumber(f *testing.F) {
	seeds := []string{"0", "-0", "1", "1.0", "1.5", "-1.5", "0.1", "9007199254740993", "9223372036854775807", "9223372036854775808",
		"-9223372036854775808", "-9223372036854775809", "1e20", "1e23", "1e308", "1e400", "1e-400", "5e-324", "100000000000000000000", "01", "1.", "+1", "0x1", "1_0", "Inf"}
	for _, a := range seeds {
		for _, b := range seeds {
			f.Add(a, b)
		}
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		n, ok := numberOf(json.Number(a))
		if valid := json.Valid([]byte(a)) && isNumberText(a); ok && !valid {
			t.Fatalf("%q is taken for a number", a)
		}
		m, ok2 := numberOf(json.Number(b))
		if !ok || !ok2 {
			return
		}
		x, y := oracle(t, a), oracle(t, b)
		if got, want := n.cmp(m), x.Cmp(y); got != want {
			t.Errorf("cmp(%s, %s) = %d, want %d", a, b, got, want)
		}
		if got, want := n.integral(), x.IsInt(); got != want {
			t.Errorf("integral(%s) = %v, want %v", a, got, want)
		}
		if m.cmp(number{}) > 0 {
			if got, want := n.multipleOf(m), new(big.Rat).Quo(decimal(t, n), decimal(t, m)).IsInt(); got != want {
				t.Errorf("multipleOf(%s, %s) = %v, want %v", a, b, got, want)
			}
		}
	})
}

func isNumberText(s string) bool {
	return s != "" && (s[0] == '-' || '0' <= s[0] && s[0] <= '9')
}

// oracle reads a number as the package documents it: integers exactly, all else as the nearest float64.
func oracle(t *testing.T, s string) *big.Rat {
	if i, ok := new(big.Int).SetString(s, 10); ok {
		return new(big.Rat).SetInt(i)
	}
	f, err := json.Number(s).Float64()
	if err != nil {
		t.Fatalf("%q is accepted but out of range", s)
	}
	return new(big.Rat).SetFloat64(f)
}

// decimal reads a number back from its shortest decimal form.
func decimal(t *testing.T, n number) *big.Rat {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		t.Fatalf("%q is no number", n.String())
	}
	return r
}

func TestMultiplesAreDecimal(t *testing.T) {
	for _, c := range []struct {
		n, of string
		want  bool
	}{
		{"4.35", "0.01", true}, {"0.0075", "0.0001", true}, {"0.00751", "0.0001", false}, {"1e308", "0.5", true},
		{"10", "2.5", true}, {"10", "3", false}, {"100000000000000000000", "10", true}, {"100000000000000000001", "10", false},
		{"0", "0.1", true}, {"-9223372036854775808", "1", true},
	} {
		n, _ := numberOf(json.Number(c.n))
		m, _ := numberOf(json.Number(c.of))
		if got := n.multipleOf(m); got != c.want {
			t.Errorf("%s multiple of %s: %v", c.n, c.of, got)
		}
	}
}

func TestFloatsAndTextAgree(t *testing.T) {
	for _, f := range []float64{0, 0.1, -1.5, 1e20, 1e23, math.MaxFloat64, math.SmallestNonzeroFloat64, 1 << 53, 1 << 63, -1 << 63, 1<<63 + 2048} {
		n, ok := numberOf(f)
		text, err := json.Marshal(f)
		if err != nil || !ok {
			t.Fatal(f)
		}
		m, ok := numberOf(json.Number(text))
		if !ok || n.cmp(m) != 0 && math.Abs(f) < 1<<53 { // beyond, the shortest text may stand for another integer
			t.Errorf("%v and %s differ", f, text)
		}
	}
}
