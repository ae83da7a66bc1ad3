package rank

import "math"

// How far a tool is behind the best one says how likely it is to be meant; how good the best one is says little, for that
// depends on the size of the catalogue and on how many tools of a server there are. Fitted by logistic regression on the
// sixty best tools for each request of the development sets, all sets with the same weight: of the tools estimated at
// 10-20 %, 20-30 %, 30-40 % and above, 13 %, 22 %, 28 % and 56 % were labelled.
const (
	atTop    = 0.07
	perScore = 0.69
)

// Calibrate turns a score into an estimate of how likely the tool is to be one that was asked for, above 0 and below 1. It
// grows with the score.
func Calibrate(score float32) float64 {
	return 1 / (1 + math.Exp(-(atTop + perScore*float64(score))))
}

// doubt is the score, before it is settled, at which the best tool counts for half: no request that matches any tool at all has so
// little, but requests that match none have less.
const doubt = 3

// settle moves scores so that the best is 0, or as much below as there is doubt about it.
func settle(dst []float32, rows []int32) {
	top := float32(math.Inf(-1))
	for _, row := range rows {
		top = max(top, dst[row])
	}
	trust := float64(max(top, 0.1))
	shift := float32(math.Log(trust/(trust+doubt))/perScore) - top
	for _, row := range rows {
		dst[row] += shift
	}
}
