//go:build !linux

package vector

// advise is for Linux, where programs have to ask for huge pages.
func advise([]float32) {}
