package auth

import "time"

// expiries holds when values end that have a ttl, so that a store finds those that nobody asks for again, such as
// authorizations that were never completed. There is no timer: every save pays for a little of the sweep.
type expiries[K comparable] map[K]time.Time

// sweepSample is how many values a save looks at. A save adds one at most, so the share of values that have ended levels
// out where the sample finds one of them: at one in sweepSample.
const sweepSample = 8

// set notes that the value of key ends at a time; the zero time is never.
func (e expiries[K]) set(key K, at time.Time) {
	if at.IsZero() {
		delete(e, key)
	} else {
		e[key] = at
	}
}

// due returns the keys that have ended among a few. The iteration of a map begins at a random place, which makes the few
// a sample.
func (e expiries[K]) due(now time.Time) (keys []K) {
	seen := 0
	for key, at := range e {
		if over(at, now) {
			keys = append(keys, key)
		}
		if seen++; seen == sweepSample {
			break
		}
	}
	return keys
}

// over reports whether a value that expires at a time has done so; the zero time is never.
func over(expires, now time.Time) bool { return !expires.IsZero() && !now.Before(expires) }
