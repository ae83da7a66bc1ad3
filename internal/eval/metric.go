package main

import "math"

// Metrics are what a ranking is worth for one request, each from 0 to 1. They count the groups of the request, not the
// tools: a group is found as soon as one of its tools is, and the others of it add nothing.
type Metrics struct {
	Hit1                 float64 // the first tool is of some group
	R1, R3, R5, R10, R20 float64 // share of groups found within the first k
	NDCG10               float64
	Complete5            float64 // all groups found within the first 5
	Complete10           float64
}

// Measure compares a ranking with the groups of a request.
func Measure(ranking []string, groups [][]string) Metrics {
	firsts := foundAt(ranking, groups)
	m := Metrics{NDCG10: ndcg(firsts, len(groups), 10)}
	recall := func(k int) float64 {
		n := 0
		for _, at := range firsts {
			if at < k {
				n++
			}
		}
		return float64(n) / float64(len(groups))
	}
	m.R1, m.R3, m.R5, m.R10, m.R20 = recall(1), recall(3), recall(5), recall(10), recall(20)
	if m.R1 > 0 {
		m.Hit1 = 1
	}
	if m.R5 == 1 {
		m.Complete5 = 1
	}
	if m.R10 == 1 {
		m.Complete10 = 1
	}
	return m
}

// foundAt returns where each group is first found, counted from 0; a group that is not found is at MaxInt.
func foundAt(ranking []string, groups [][]string) []int {
	at := make(map[string]int, len(ranking))
	for i, id := range ranking {
		if _, twice := at[id]; !twice {
			at[id] = i
		}
	}
	firsts := make([]int, len(groups))
	for g, group := range groups {
		firsts[g] = math.MaxInt
		for _, id := range group {
			if i, ok := at[id]; ok {
				firsts[g] = min(firsts[g], i)
			}
		}
	}
	return firsts
}

// ndcg is the discounted cumulative gain at k, where each group gains 1 at the place it is first found, over that of a
// ranking that finds one group at each place. Two groups that one tool satisfies gain once: the ideal has one group per
// place too.
func ndcg(firsts []int, groups, k int) float64 {
	taken := make(map[int]bool, len(firsts))
	gain := 0.0
	for _, at := range firsts {
		if at < k && !taken[at] {
			taken[at] = true
			gain += 1 / math.Log2(float64(at)+2)
		}
	}
	ideal := 0.0
	for i := range min(groups, k) {
		ideal += 1 / math.Log2(float64(i)+2)
	}
	return gain / ideal
}

// AveragePrecision is the mean precision at k of a ranking over the places where it names one of golden, which is a flat
// set: mAP@k is the mean of it over requests.
func AveragePrecision(ranking, golden []string, k int) float64 {
	left := make(map[string]bool, len(golden))
	for _, id := range golden {
		left[id] = true
	}
	n := len(left)
	if n == 0 {
		return 0
	}
	found, sum := 0, 0.0
	for i, id := range ranking[:min(k, len(ranking))] {
		if left[id] {
			delete(left, id)
			found++
			sum += float64(found) / float64(i+1)
		}
	}
	return sum / float64(min(n, k))
}

// Mean returns the means of some metrics.
func Mean(all []Metrics) Metrics {
	var sum Metrics
	for _, m := range all {
		for to, from := range pairs(&sum, &m) {
			*to += *from
		}
	}
	for to := range pairs(&sum, &sum) {
		*to /= float64(max(1, len(all)))
	}
	return sum
}

// pairs yields the fields of two metrics side by side.
func pairs(a, b *Metrics) func(yield func(x, y *float64) bool) {
	return func(yield func(x, y *float64) bool) {
		_ = yield(&a.Hit1, &b.Hit1) && yield(&a.R1, &b.R1) && yield(&a.R3, &b.R3) && yield(&a.R5, &b.R5) &&
			yield(&a.R10, &b.R10) && yield(&a.R20, &b.R20) && yield(&a.NDCG10, &b.NDCG10) &&
			yield(&a.Complete5, &b.Complete5) && yield(&a.Complete10, &b.Complete10)
	}
}
