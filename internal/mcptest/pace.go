package mcptest

import (
	"context"
	"iter"
	"time"
)

// pace yields perSecond times per second until ctx ends. It yields in bursts of a millisecond's worth: a timer per
// event could not keep up.
func pace(ctx context.Context, perSecond int) iter.Seq[int] {
	return func(yield func(int) bool) {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		start, done := time.Now(), 0
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			for due := int(time.Since(start).Seconds() * float64(perSecond)); done < due; done++ {
				if !yield(done) {
					return
				}
			}
		}
	}
}
