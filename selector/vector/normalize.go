package vector

import (
	"math"

	"github.com/viterin/vek/vek32"
)

// scale returns what v has to be multiplied with to have the length 1.
//
// Squares of float32 neither overflow nor vanish in float64, so vectors of any length are good, also those for which a
// norm in float32 is zero or infinite.
func (x *Index) scale(v []float32) (float64, *Error) {
	if len(v) != x.dim {
		return 0, &Error{Element: -1, Len: len(v), Dim: x.dim, Err: ErrDimension}
	}
	var s0, s1, s2, s3 float64 // one sum would wait for each addition
	i := 0
	for ; i+4 <= len(v); i += 4 {
		p := (*[4]float32)(v[i:])
		a, b, c, d := float64(p[0]), float64(p[1]), float64(p[2]), float64(p[3])
		s0 += a * a
		s1 += b * b
		s2 += c * c
		s3 += d * d
	}
	for _, f := range v[i:] {
		s0 += float64(f) * float64(f)
	}
	sum := (s0 + s1) + (s2 + s3)
	switch {
	case sum == 0:
		return 0, &Error{Element: -1, Len: len(v), Dim: x.dim, Err: ErrZero}
	case math.IsNaN(sum) || math.IsInf(sum, 0):
		return 0, &Error{Element: notFinite(v), Len: len(v), Dim: x.dim, Err: ErrNotFinite}
	}
	return 1 / math.Sqrt(sum), nil
}

func notFinite(v []float32) int {
	for i, f := range v {
		if f != f || f > math.MaxFloat32 || f < -math.MaxFloat32 {
			return i
		}
	}
	return -1
}

// normalize writes v times scale to dst, which is at least as long.
func normalize(dst, v []float32, scale float64) {
	dst = dst[:len(v)]
	for i, f := range v {
		dst[i] = float32(float64(f) * scale)
	}
}

// normalizeQuery writes v with the length 1 to dst, which has the padding of a row.
//
// It may be less exact than a row, for it changes all scores alike: at a hundred rows exactness would take as long as the
// search.
func (x *Index) normalizeQuery(dst, v []float32) *Error {
	clear(dst[x.dim:])
	if x.simd && len(v) == x.dim {
		// Outside these bounds squares may have overflowed or vanished; NaN is outside, too.
		if sum := vek32.Dot(v, v); sum > 1e-12 && sum < 1e12 {
			vek32.MulNumber_Into(dst, v, float32(1/math.Sqrt(float64(sum))))
			return nil
		}
	}
	scale, err := x.scale(v)
	if err != nil {
		return err
	}
	normalize(dst, v, scale)
	return nil
}
