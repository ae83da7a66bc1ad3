package stdio

import "sync"

// ring keeps the last bytes that were written to it. It is safe for concurrent use.
type ring struct {
	mu      sync.Mutex
	buf     []byte
	next    int  // where the next byte goes
	wrapped bool // buf is full, and its oldest byte is at next
}

func newRing(size int) *ring { return &ring{buf: make([]byte, size)} }

func (r *ring) Write(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if over := len(b) - len(r.buf); over > 0 {
		b = b[over:]
		r.wrapped = true
	}
	for len(b) > 0 {
		n := copy(r.buf[r.next:], b)
		b = b[n:]
		r.next += n
		if r.next == len(r.buf) {
			r.next = 0
			r.wrapped = true
		}
	}
}

// Bytes returns a copy of what is kept, oldest first.
func (r *ring) Bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.wrapped {
		return append([]byte(nil), r.buf[:r.next]...)
	}
	return append(append(make([]byte, 0, len(r.buf)), r.buf[r.next:]...), r.buf[:r.next]...)
}
