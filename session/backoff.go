package session

import (
	"math/rand/v2"
	"time"
)

// NoBackoff marks an error of [Config.Dial] as none of the server's: there is no reason to wait before the same ID is dialled
// again. A missing credential is such an error, since the next caller may bring it. [DialError.Err] is then err itself.
func NoBackoff(err error) error {
	if err == nil {
		return nil
	}
	return &noBackoff{err}
}

type noBackoff struct{ error }

// A failure remembers that an ID could not be dialled.
type failure struct {
	err   *DialError
	delay time.Duration // of the window, before jitter
	until int64         // tick of the clock at which the window ends
}

// failures are the IDs that are not to be dialled for a while. They are guarded by Map.mu.
type failures struct {
	first, max time.Duration // first is negative if there is no backoff
	limit      int
	byID       map[ID]failure
}

func (f *failures) init(first, largest time.Duration, sessions int) {
	f.first, f.max = first, largest
	// Anyone can fail to log in with a new fingerprint each time; what is remembered of it must have an end.
	f.limit = max(1024, sessions)
	f.byID = make(map[ID]failure)
}

// window returns the error of the last dial of id if it is too early for another.
func (f *failures) window(id ID, now int64) *DialError {
	if failed, ok := f.byID[id]; ok && now < failed.until {
		return failed.err
	}
	return nil
}

// remember opens the window for id and completes err with its end.
func (f *failures) remember(id ID, err *DialError, c *clock) {
	if f.first < 0 {
		return
	}
	now := c.now()
	delay := f.first
	if last, ok := f.byID[id]; ok && !f.expired(last, now) {
		delay = min(2*last.delay, f.max)
	}
	window := delay*3/4 + rand.N(delay/2+1)
	until := now + int64(window)
	err.RetryAt = c.time(until)

	if _, ok := f.byID[id]; !ok && len(f.byID) >= f.limit {
		f.prune(now)
		for other := range f.byID { // any one: forgetting costs no more than a dial
			if len(f.byID) < f.limit {
				break
			}
			delete(f.byID, other)
		}
	}
	f.byID[id] = failure{err, delay, until}
}

func (f *failures) forget(id ID) { delete(f.byID, id) }

// expired says whether the next failure counts as the first.
func (f *failures) expired(failed failure, now int64) bool {
	return now-failed.until >= int64(f.max)
}

func (f *failures) prune(now int64) {
	for id, failed := range f.byID {
		if f.expired(failed, now) {
			delete(f.byID, id)
		}
	}
}
