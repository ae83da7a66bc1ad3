//go:build race

package rank

// The race detector makes sync.Pool forget at random.
const raceEnabled = true
