// Package linearizability holds a test of [github.com/mcpfleet/mcpfleet/session.Map] and nothing else.
//
// Four clients acquire, visit, release and kill the sessions of one ID, close idle ones and close the map, at the same time
// and in a random order. What each of them saw is recorded, and the porcupine checker looks for one order of all operations
// that agrees with what was seen and with a specification of a few lines each. If there is none, a client got a session that
// was closing, a session was closed under a client, or two sessions were open where there must be one.
//
// The test is a module of its own so that the checker is no dependency of mcpfleet.
//
//	go test -race -count=1 -v .                   # a few thousand histories, other ones each time
//	go test -race -count=1 -v -histories 100000 . # or MCPFLEET_LONG=1
//
// The race detector is not there for its own findings alone: it makes the scheduler take turns at random and each step
// take longer, so that far more operations meet inside of each other, on a busy machine in particular.
package linearizability
