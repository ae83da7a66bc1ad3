package graph

import "time"

// A clock tells how much time has passed, from wall clocks that may be set wrong and put right again. The wall clock is the one
// that outlives the process.
//
// While it goes forward the clock shows what it shows. If it is set back, time goes on from where it was: a clock that was
// ahead must not stop it until that time has come. When it then jumps to where it was before or beyond, it was wrong only
// meanwhile, and that jump is no time that has passed.
type clock struct {
	time   time.Time // never goes back
	wall   time.Time // what the wall clock showed last
	newest time.Time // the newest that it has shown
}

// start sets a clock that has not been set.
func (c *clock) start(now time.Time) {
	now = now.Round(0).UTC()
	*c = clock{now, now, now}
}

// set moves the clock to what the wall clock shows now. It takes less than slack before wall for wall: goroutines tell the time
// that they read, and not always in this order.
func (c *clock) set(now time.Time, slack time.Duration) {
	if c.newest.IsZero() {
		c.start(now)
		return
	}
	now = now.Round(0).UTC()
	if now.Before(c.wall) && c.wall.Sub(now) < slack {
		return
	}
	c.time = c.at(now)
	c.wall = now
	if now.After(c.newest) {
		c.newest = now
	}
}

// at returns the time when the wall clock shows now.
func (c *clock) at(now time.Time) time.Time {
	back := c.wall.Before(c.newest) && !now.Before(c.newest)
	if step := now.Sub(c.wall); step > 0 && !back {
		return c.time.Add(step)
	}
	return c.time
}
