package vector

import (
	"syscall"
	"unsafe"
)

const (
	hugePage = 2 << 20
	// hugeFrom is the bytes of a slab from which on huge pages are asked for: those that fit a cache gain less.
	hugeFrom = 16 * hugePage
)

// advise asks the kernel for pages of 2 MiB behind a slab that has not been written to, since looking up pages of 4 KiB
// takes up to a quarter of reading it. Only where huge pages are off for everybody is the advice refused, which does no harm.
func advise(slab []float32) {
	if len(slab)*4 < hugeFrom {
		return
	}
	start := uintptr(unsafe.Pointer(&slab[0]))
	skip := (hugePage - start%hugePage) % hugePage
	size := (uintptr(len(slab))*4 - skip) / hugePage * hugePage
	_ = syscall.Madvise(unsafe.Slice((*byte)(unsafe.Pointer(&slab[skip/4])), size), syscall.MADV_HUGEPAGE)
}
