package linearizability

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// kind is what an operation does.
type kind uint8

const (
	acquire    kind = iota // gets a reference to the session of the ID
	tryAcquire             // the same, but opens no session
	visit                  // the same for the time that a callback of Range runs; what follows it is a release
	release                // gives a reference back
	kill                   // reports the session of a held reference dead
	cleanup                // closes idle sessions
	closeMap
	closed // the map's call of the Close callback of a session: no client calls this, the map does
)

var kindNames = [...]string{"Acquire", "TryAcquire", "Range", "Release", "Kill", "CleanupSessions(0)", "Close", "callback Close"}

// input is what an operation was asked. session numbers sessions from 1 in the order of their dials.
type input struct {
	kind    kind
	session int8 // of release, kill and closed
}

// output is what an operation answered.
type output struct {
	session int8 // of acquire, tryAcquire and visit; 0 for none
	err     failure
	n       int // of cleanup
	won     bool
}

// failure is why an acquire got no session.
type failure uint8

const (
	none failure = iota
	mapClosed
	dialFailed
	anotherError // nothing that a history provokes: always a violation
)

// maxSessions bounds the sessions of one history: no more than acquires, of which each client has at most its operations.
const maxSessions = 31

// state is the state of the sequential map. It is comparable.
type state struct {
	closed  bool
	current int8                  // the session that the next acquire gets, or 0
	refs    [maxSessions + 1]int8 // references held, by session
	used    uint32                // bit set of the sessions that were ever current
	ended   uint32                // bit set of the sessions whose Close callback was called
}

// specification is the sequential map: what each operation may answer in a state, and the state after it.
var specification = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(s, in, out any) (bool, any) { return s.(state).step(in.(input), out.(output)) },
	DescribeOperation: func(in, out any) string {
		return describe(in.(input), out.(output))
	},
}

func (s state) step(in input, out output) (bool, any) {
	bit := uint32(1) << in.session
	switch in.kind {
	case acquire, tryAcquire, visit:
		switch out.err {
		case mapClosed:
			return s.closed, s
		case dialFailed:
			return !s.closed && s.current == 0, s
		case anotherError:
			return false, s
		}
		if out.session == 0 { // acquire never answers that
			return s.current == 0, s
		}
		if s.current == 0 && in.kind == acquire {
			// A new session: never one that was used before, nor one whose value is being closed already.
			bit = uint32(1) << out.session
			if (s.used|s.ended)&bit != 0 {
				return false, s
			}
			s.current, s.used = out.session, s.used|bit
		}
		s.refs[out.session]++
		return !s.closed && s.current == out.session, s
	case release:
		s.refs[in.session]--
		return s.refs[in.session] >= 0, s
	case kill:
		won := s.current == in.session
		if won {
			s.current = 0
		}
		return out.won == won, s
	case cleanup:
		n := 0
		if s.current != 0 && s.refs[s.current] == 0 {
			n, s.current = 1, 0
		}
		return out.n == n, s
	case closeMap:
		s.closed, s.current = true, 0
		return true, s
	case closed:
		legal := s.current != in.session && s.refs[in.session] == 0 && s.ended&bit == 0
		s.ended |= bit
		return legal, s
	}
	panic("unknown operation")
}

func describe(in input, out output) string {
	name := kindNames[in.kind]
	switch in.kind {
	case acquire, tryAcquire, visit:
		switch out.err {
		case mapClosed:
			return name + " = closed"
		case dialFailed:
			return name + " = dial failed"
		case anotherError:
			return name + " = unexpected error"
		}
		return fmt.Sprintf("%s = session %d", name, out.session)
	case kill:
		return fmt.Sprintf("%s(session %d) = %v", name, in.session, out.won)
	case cleanup:
		return fmt.Sprintf("%s = %d", name, out.n)
	case closeMap:
		return name
	}
	return fmt.Sprintf("%s(session %d)", name, in.session)
}
