package schema

import (
	"encoding/binary"
	"hash/maphash"
	"math"
)

// equal compares two JSON values: numbers by value, objects regardless of order. It gives up with false when the fuel
// is spent.
func (st *state) equal(a, b any) bool {
	if !st.charge(1) {
		return false
	}
	a, b = st.canonical(a), st.canonical(b)
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool:
		other, ok := b.(bool)
		return ok && a == other
	case string:
		other, ok := b.(string)
		return ok && a == other
	case []any:
		other, ok := b.([]any)
		if !ok || len(a) != len(other) {
			return false
		}
		for i := range a {
			if !st.equal(a[i], other[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		other, ok := b.(map[string]any)
		if !ok || len(a) != len(other) {
			return false
		}
		for name, member := range a {
			if om, ok := other[name]; !ok || !st.equal(member, om) {
				return false
			}
		}
		return true
	}
	if !isNumber(b) {
		return false
	}
	n, ok := numberOf(a)
	m, ok2 := numberOf(b)
	return ok && ok2 && n.cmp(m) == 0
}

// duplicate finds two equal items. Short arrays are compared pair by pair, longer ones by a hash whose seed a server
// cannot know.
func (st *state) duplicate(a []any) (i, j int, found bool) {
	const short = 8
	if len(a) <= short {
		for j := 1; j < len(a); j++ {
			for i := range j {
				if st.equal(a[i], a[j]) {
					return i, j, true
				}
			}
		}
		return 0, 0, false
	}
	seed := maphash.MakeSeed()
	seen := make(map[uint64][]int, min(len(a), 1024))
	for j, item := range a {
		h := st.hash(seed, item)
		if st.exhausted {
			return 0, 0, false
		}
		for _, i := range seen[h] {
			if st.equal(a[i], item) {
				return i, j, true
			}
		}
		seen[h] = append(seen[h], j)
	}
	return 0, 0, false
}

// hash agrees with equal: equal values have equal hashes.
func (st *state) hash(seed maphash.Seed, v any) uint64 {
	if !st.charge(2) {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(seed)
	mix := func(tag byte, n uint64) uint64 {
		var b [9]byte
		b[0] = tag
		binary.LittleEndian.PutUint64(b[1:], n)
		h.Write(b[:])
		return h.Sum64()
	}
	switch v := st.canonical(v).(type) {
	case nil:
		return mix('0', 0)
	case bool:
		return mix('b', uint64(verdictOf(v)))
	case string:
		if !st.charge(len(v) / 256) {
			return 0
		}
		h.WriteString(v)
		return mix('s', uint64(len(v)))
	case []any:
		for _, item := range v {
			mix('i', st.hash(seed, item))
		}
		return mix('a', uint64(len(v)))
	case map[string]any:
		var sum uint64 // of the members, in any order
		for name, member := range v {
			var pair maphash.Hash
			pair.SetSeed(seed)
			pair.WriteString(name)
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], st.hash(seed, member))
			pair.Write(b[:])
			sum += pair.Sum64()
		}
		return mix('o', sum)
	default:
		n, ok := numberOf(v)
		switch {
		case !ok:
			return mix('x', 0)
		case n.kind == small:
			return mix('n', uint64(n.i))
		case n.kind == fraction:
			return mix('f', math.Float64bits(n.f))
		}
		h.Write(n.big.Bytes())
		return mix('l', uint64(n.big.Sign()+1))
	}
}
