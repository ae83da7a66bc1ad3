//go:build !amd64

package main

// The load-only pass is for processors on which vek is accelerated; loads is not called on others.
func loads([]float32) { panic("vector: no load-only pass for this processor") }

func loadBits() int { return 0 }
