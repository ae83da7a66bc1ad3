package embedding

import (
	"fmt"
	"math"
)

const (
	// maxDimensions bounds a vector, in memory and in files. The longest that providers give have 16,384.
	maxDimensions = 1 << 16

	// A vector's squared length has to be a normal float32, or whoever computes a cosine with those divides by 0 or gets NaN.
	minNorm = 1e-18
	maxNorm = 1e18
)

// check returns why v is of no use, or nil. dims is how long it has to be.
func check(v []float32, dims int) *Error {
	if len(v) == 0 {
		return &Error{Reason: Zero, detail: "its vector is empty"}
	}
	if len(v) != dims {
		return &Error{Reason: Dimensions, detail: fmt.Sprintf(
			"its vector has %d dimensions, not %d (another model needs another Client, Config.Model and Config.Dimensions)", len(v), dims)}
	}
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	switch norm := math.Sqrt(sum); {
	case !(norm <= maxNorm): // NaN too
		return &Error{Reason: NotFinite, detail: "its vector holds NaN, an infinity or a value too large for a cosine"}
	case norm < minNorm:
		return &Error{Reason: Zero, detail: "its vector is zero"}
	}
	return nil
}
