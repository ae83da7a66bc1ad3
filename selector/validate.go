package selector

import (
	"math"
	"strconv"
	"strings"
)

// The bounds of a [Query].
const (
	maxText  = 100_000 // bytes of Text, and of Steps together
	maxSteps = 64
	maxTools = 1000

	defaultMaxTools = 10
)

// validate checks q and fills in its defaults.
func (q *Query) validate() error {
	if strings.TrimSpace(q.Text) == "" && len(q.Steps) == 0 {
		return invalid("Query.Text", "is empty; say what the tools are for, in Text or in Steps")
	}
	if len(q.Text) > maxText {
		return invalid("Query.Text", "has %d bytes; the most is %d", len(q.Text), maxText)
	}
	if len(q.Steps) > maxSteps {
		return invalid("Query.Steps", "has %d steps; the most is %d", len(q.Steps), maxSteps)
	}
	size := 0
	for i, step := range q.Steps {
		field := "Query.Steps[" + strconv.Itoa(i) + "]"
		if strings.TrimSpace(step) == "" {
			return invalid(field, "is empty; leave it out")
		}
		size += len(step)
	}
	if size > maxText {
		return invalid("Query.Steps", "has %d bytes together; the most is %d", size, maxText)
	}
	switch {
	case q.MaxTools < 0 || q.MaxTools > maxTools:
		return invalid("Query.MaxTools", "is %d; it must be between 1 and %d, or 0 for %d", q.MaxTools, maxTools, defaultMaxTools)
	case q.TokenBudget < 0:
		return invalid("Query.TokenBudget", "is %d; it must be positive, or 0 for no bound", q.TokenBudget)
	case math.IsNaN(q.MinScore) || q.MinScore < 0 || q.MinScore > 1:
		return invalid("Query.MinScore", "is %v; it must be between 0 and 1", q.MinScore)
	case len(q.Pinned) > maxTools:
		return invalid("Query.Pinned", "has %d tools; the most is %d", len(q.Pinned), maxTools)
	}
	for _, floors := range []struct {
		field string
		least map[string]int
	}{{"PerServer", q.PerServer}, {"PerCategory", q.PerCategory}} {
		if len(floors.least) > maxTools {
			return invalid("Query."+floors.field, "has %d entries; the most is %d", len(floors.least), maxTools)
		}
		for name, n := range floors.least {
			if n < 0 {
				return invalid("Query."+floors.field+"["+quote(name)+"]", "is %d; it must not be negative", n)
			}
		}
	}
	if q.MaxTools == 0 {
		q.MaxTools = defaultMaxTools
	}
	return nil
}

// quote shows a name that somebody else chose.
func quote(name string) string {
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "") + "..."
	}
	return strconv.Quote(name)
}
