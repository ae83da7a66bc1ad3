package session

import "strconv"

// A Reason says why a session was closed.
type Reason uint8

// The reasons for which a [Map] closes sessions.
const (
	_               Reason = iota
	ReasonIdle             // unused for Config.IdleTimeout
	ReasonLifetime         // older than Config.MaxLifetime
	ReasonEvicted          // the least recently used idle one made room for another
	ReasonCleanup          // closed by CleanupSessions
	ReasonKilled           // reported dead by Kill
	ReasonRetired          // logged out by Retire
	ReasonAbandoned        // opened after nobody waited for it any more; nobody ever used it
	ReasonClosed           // the map was closed
	reasons
)

var reasonNames = [reasons]string{
	ReasonIdle:      "idle",
	ReasonLifetime:  "lifetime",
	ReasonEvicted:   "evicted",
	ReasonCleanup:   "cleanup",
	ReasonKilled:    "killed",
	ReasonRetired:   "retired",
	ReasonAbandoned: "abandoned",
	ReasonClosed:    "closed",
}

// String returns a word such as "idle".
func (r Reason) String() string {
	if r == 0 || r >= reasons {
		return "Reason(" + strconv.Itoa(int(r)) + ")"
	}
	return reasonNames[r]
}

// MarshalText implements [encoding.TextMarshaler] with [Reason.String], so that [Stats] is readable as JSON.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
