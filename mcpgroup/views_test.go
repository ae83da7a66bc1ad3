package mcpgroup

import "testing"

// takeTurns has n kinds of users with so many tools each use a registry in turns, and returns which part of the views was
// remembered once that had gone on for a while.
func takeTurns(vs *views, n, tools int) float64 {
	all := make([]*view, n)
	for i := range all {
		all[i] = &view{lists: []*toolList{{}}, tools: make([]*Tool, tools)}
	}
	hits, rounds := 0, 60
	for round := range rounds {
		for _, v := range all {
			key := hashLists(v.lists)
			switch {
			case vs.find(key, nil, v.lists) == nil:
				vs.add(key, v)
			case round >= rounds/2:
				hits++
			}
		}
	}
	return float64(hits) / float64(n*rounds/2)
}

func TestTheMoreKindsOfUsersTheFewerViewsAreRemembered(t *testing.T) {
	for _, c := range []struct {
		n, tools int
		least    float64
	}{
		{16, 5000, 1}, {32, 100_000, 1}, {400, 300, 1}, {34, 5000, 0.8}, {40, 5000, 0.5}, {64, 5000, 0.1}, {500, 5000, 0}, {10_000, 0, 0},
	} {
		var vs views
		if got := takeTurns(&vs, c.n, c.tools); got < c.least {
			t.Errorf("of %d views of %d tools, %.2f are remembered, want at least %.2f", c.n, c.tools, got, c.least)
		}
		sum, listed := 0, 0
		for _, v := range vs.remembered() {
			sum += costOf(v)
		}
		for _, same := range vs.known {
			listed += len(same)
		}
		if sum != vs.cost || listed != len(vs.all) || len(vs.all) > maxViews && sum > maxViewCost {
			t.Errorf("%d views that cost %d, said to be %d with %d", len(vs.all), sum, listed, vs.cost)
		}
		if got := takeTurns(&vs, 8, c.tools); got < 0.9 {
			t.Errorf("of 8 new views after %d others, %.2f are remembered", c.n, got)
		}
	}
}
