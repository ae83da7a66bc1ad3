package figures

import (
	"log"
	"slices"
	"strings"
)

// A Measurement prints one or more rows of a program that measures several things, of which some can be chosen.
type Measurement struct {
	ID  string
	NPM bool // it needs what .ci/npm installs
	Run func(*Table)
}

// Choose returns the measurements with these ids, which are separated by commas, or all if there are none. It ends the
// program if there is no such measurement.
func Choose(topic string, all []Measurement, ids string) []Measurement {
	if ids == "" {
		return all
	}
	var chosen []Measurement
	for id := range strings.SplitSeq(ids, ",") {
		i := slices.IndexFunc(all, func(m Measurement) bool { return m.ID == id })
		if i < 0 {
			log.Fatalf("figures-%s: there is no row %q", topic, id)
		}
		chosen = append(chosen, all[i])
	}
	return chosen
}

// NeedNPM reports whether one of the measurements needs what .ci/npm installs.
func NeedNPM(chosen []Measurement) bool {
	return slices.ContainsFunc(chosen, func(m Measurement) bool { return m.NPM })
}
