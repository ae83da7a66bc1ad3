package session

import (
	"math"
	"sync/atomic"
	"time"
)

// forever is later than every tick of a clock.
const forever = math.MaxInt64

// A clock is a hybrid logical clock in nanoseconds since epoch. Reading the time costs as much as the whole rest of an Acquire
// and a Release, so a release takes the next tick instead, which is one addition and keeps the order of releases exact.
// Everything slower calls now, which catches up with the real time. A tick therefore lags behind it by no more than the time
// since the last call of now, and never runs ahead, since no machine releases a thousand million sessions per second.
type clock struct {
	ticks atomic.Int64
	epoch time.Time
}

func (c *clock) tick() int64 { return c.ticks.Add(1) }

// now advances the clock to the time and returns it.
func (c *clock) now() int64 {
	now := int64(time.Since(c.epoch))
	for {
		ticks := c.ticks.Load()
		if now <= ticks {
			return ticks
		}
		if c.ticks.CompareAndSwap(ticks, now) {
			return now
		}
	}
}

func (c *clock) time(tick int64) time.Time { return c.epoch.Add(time.Duration(tick)) }
