package schema

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
)

// A number is a JSON number in a form that compares exactly. Integers keep all their digits; a number with a fraction is
// the nearest float64, as in nearly every other JSON implementation.
type number struct {
	kind numberKind
	i    int64
	f    float64  // never integral
	big  *big.Int // always outside the range of int64
}

type numberKind uint8

const (
	small numberKind = iota
	fraction
	large
)

// maxDigits bounds the digits of an integer, so that comparing and dividing numbers stays cheap. It has room for
// every integral float64.
const maxDigits = 400

func isNumber(v any) bool {
	switch v.(type) {
	case json.Number, number, float64, float32, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, uintptr:
		return true
	}
	return false
}

// numberOf reads any Go number type. It reports false for a value that is no JSON number (NaN, an infinity, a
// json.Number with the wrong syntax) and for one beyond the range of float64 or [maxDigits].
func numberOf(v any) (number, bool) {
	switch v := v.(type) {
	case number:
		return v, true
	case int:
		return number{i: int64(v)}, true
	case int64:
		return number{i: v}, true
	case float64:
		return fromFloat(v)
	case json.Number:
		return fromText(string(v))
	case float32:
		return fromFloat(float64(v))
	case int8:
		return number{i: int64(v)}, true
	case int16:
		return number{i: int64(v)}, true
	case int32:
		return number{i: int64(v)}, true
	case uint:
		return fromUint(uint64(v))
	case uint8:
		return number{i: int64(v)}, true
	case uint16:
		return number{i: int64(v)}, true
	case uint32:
		return number{i: int64(v)}, true
	case uint64:
		return fromUint(v)
	case uintptr:
		return fromUint(uint64(v))
	}
	return number{}, false
}

func fromUint(u uint64) (number, bool) {
	if u <= math.MaxInt64 {
		return number{i: int64(u)}, true
	}
	return number{kind: large, big: new(big.Int).SetUint64(u)}, true
}

func fromFloat(f float64) (number, bool) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return number{}, false
	case f != math.Trunc(f):
		return number{kind: fraction, f: f}, true
	case f >= -1<<63 && f < 1<<63:
		return number{i: int64(f)}, true
	}
	b, _ := big.NewFloat(f).Int(nil)
	return number{kind: large, big: b}, true
}

func fromText(s string) (number, bool) {
	digits, integer := scanNumber(s)
	if digits == 0 {
		return number{}, false
	}
	if !integer {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return number{}, false
		}
		return fromFloat(f)
	}
	if digits <= 18 { // cannot overflow
		i, _ := strconv.ParseInt(s, 10, 64)
		return number{i: i}, true
	}
	if digits > maxDigits {
		return number{}, false
	}
	b, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return number{}, false
	}
	if b.IsInt64() {
		return number{i: b.Int64()}, true
	}
	return number{kind: large, big: b}, true
}

// scanNumber checks the syntax of RFC 8259 section 6, which strconv is laxer than. It returns the number of digits of
// the integer part, or 0 for anything that is not a JSON number.
func scanNumber(s string) (digits int, integer bool) {
	rest := s
	if rest != "" && rest[0] == '-' {
		rest = rest[1:]
	}
	n := countDigits(rest)
	if n == 0 || n > 1 && rest[0] == '0' {
		return 0, false
	}
	rest = rest[n:]
	if rest == "" {
		return n, true
	}
	if rest[0] == '.' {
		frac := countDigits(rest[1:])
		if frac == 0 {
			return 0, false
		}
		rest = rest[1+frac:]
	}
	if rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		rest = rest[1:]
		if rest != "" && (rest[0] == '+' || rest[0] == '-') {
			rest = rest[1:]
		}
		exp := countDigits(rest)
		if exp == 0 {
			return 0, false
		}
		rest = rest[exp:]
	}
	if rest != "" {
		return 0, false
	}
	return n, false
}

func countDigits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

func (n number) integral() bool { return n.kind != fraction }

// sign is that of a large number or a fraction.
func (n number) sign() int {
	if n.kind == large {
		return n.big.Sign()
	}
	if n.f < 0 {
		return -1
	}
	return 1
}

func (n number) cmp(m number) int {
	switch {
	case n.kind == small && m.kind == small:
		return compare(n.i, m.i)
	case n.kind == fraction && m.kind == fraction:
		return compare(n.f, m.f)
	case n.kind == large && m.kind == large:
		return n.big.Cmp(m.big)
	case n.kind == large:
		return n.sign()
	case m.kind == large:
		return -m.sign()
	case n.kind == fraction:
		return -m.cmp(n)
	}
	// n is small and m a fraction, hence below 2^52 in magnitude: its floor is exact.
	if n.i <= int64(math.Floor(m.f)) {
		return -1
	}
	return 1
}

func compare[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// multipleOf divides in decimal, so that 4.35 is a multiple of 0.01 although their float64 values are not.
func (n number) multipleOf(m number) bool {
	if n.kind == small && m.kind == small {
		return n.i%m.i == 0
	}
	return new(big.Rat).Quo(n.rat(), m.rat()).IsInt()
}

func (n number) rat() *big.Rat {
	switch n.kind {
	case small:
		return new(big.Rat).SetInt64(n.i)
	case large:
		return new(big.Rat).SetInt(n.big)
	}
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(n.f, 'g', -1, 64))
	if !ok {
		panic("schema: a finite float64 has no decimal form")
	}
	return r
}

func (n number) String() string {
	switch n.kind {
	case small:
		return strconv.FormatInt(n.i, 10)
	case large:
		return n.big.String()
	}
	return strconv.FormatFloat(n.f, 'g', -1, 64)
}
